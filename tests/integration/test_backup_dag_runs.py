"""Whole DAG runs of backups, restores and drills, through a bucket of an emulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dags.airflow_home import run_once
from dynamodb_copy.assembly import DrillRun, Rows
from dynamodb_copy.job import BackupJob, DrillJob, Job, RestoreJob
from integration.backups import Store, contents
from integration.dag_runs import ConnectTo, event_of, failed_at_once, states
from integration.pair import TARGET_REGION, Pair, Side
from integration.service_jobs import Native
from job_texts import text_of

pytestmark = [
    pytest.mark.integration,
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs that fill the test's bucket, or use what it holds, and their DAG runs."""

    folder: Path
    store: Store

    def backup(self, **changes: Any) -> Any:
        """Back the source up."""
        ends = {"from_": {"table": self.store.pair.table}, "to_": self.store.place}
        return self._run(BackupJob, "backup", **ends, **changes)

    def restore(self, **changes: Any) -> Any:
        """Restore into the target."""
        ends = {"from_": self.store.place, "to_": {"table": self.store.pair.table}}
        return self._run(RestoreJob, "restore", **ends, **changes)

    def drill(self, **parameters: Any) -> Any:
        """Rehearse."""
        return self._run(DrillJob, "dr_drill", parameters, from_=self.store.place, segments=2)

    def scratch_tables(self) -> list[Side]:
        """The drills' tables that are there."""
        endpoint, mark = self.store.pair.endpoint, f"{self.store.pair.table}-drill-"
        pages = self.store.pair.target.client.get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"] if name.startswith(mark)]
        return [Side(endpoint, TARGET_REGION, name) for name in names]

    def _run(self, kind: type[Job], verb: str, parameters: dict[str, Any] | None = None, **changes: Any) -> Any:
        name = f"{self.store.pair.table}_{verb}"
        (self.folder / f"{name}.yaml").write_text(text_of(kind, retry_delay="1s", **changes))
        return run_once(name, f"{verb}.py", **(parameters or {}))


JobsOf = Callable[[Store], Jobs]


@pytest.fixture
def jobs_of(connect_to: ConnectTo, tmp_path: Path) -> JobsOf:
    """Jobs over connections that lead to where the pair's lead."""

    def made(store: Store) -> Jobs:
        connect_to(store.pair.endpoints["aws_oregon"])
        return Jobs(tmp_path, store)

    return made


def test_a_backup_is_sealed_and_restored_and_both_tell(filled: Pair, store: Store, jobs_of: JobsOf) -> None:
    jobs = jobs_of(store)

    backup = jobs.backup(segments=2, keep={"full": 1})
    restore = jobs.restore(segments=2)

    assert backup.state == "success", states(backup)
    assert restore.state == "success", states(restore)
    assert contents(filled.target) == contents(filled.source)
    sealed, restored = event_of(backup), event_of(restore)
    assert sealed.asset.uri == store.place["s3"]
    assert restored.asset.uri == f"dynamodb://us-west-2/{filled.table}"
    assert sealed.extra["items"] == restored.extra["items"] == 300
    assert (sealed.extra["verdict"]["outcome"], restored.extra["verdict"]["outcome"]) == ("sealed", "equal")


def test_a_backup_that_shrank_is_an_alarm_although_it_is_sealed(backed_up: Store, jobs_of: JobsOf) -> None:
    backed_up.pair.source.delete(*range(200))

    run = jobs_of(backed_up).backup(keep={"full": 1})

    assert failed_at_once(run, "expire")
    assert event_of(run).extra["items"] == 100
    assert len(backed_up.folders()) == 2


def test_the_services_own_export_and_import_are_waited_for(native: Native, jobs_of: JobsOf) -> None:
    jobs = jobs_of(native.store)

    backup = jobs.backup(engine="export")
    restore = jobs.restore(engine="import")

    assert backup.state == "success", states(backup)
    assert restore.state == "success", states(restore)
    assert contents(native.pair.target) == contents(native.pair.source)
    assert (len(native.exports), len(native.imports)) == (1, 1)


def test_a_drill_recovers_measures_and_leaves_no_table(backed_up: Store, jobs_of: JobsOf) -> None:
    jobs = jobs_of(backed_up)

    run = jobs.drill()

    assert run.state == "success", states(run)
    assert jobs.scratch_tables() == []
    event = event_of(run)
    assert event.asset.uri == f"x-dynamodb-copy-drill://{backed_up.bucket}/{backed_up.prefix}"
    assert event.extra["recovered"]
    assert event.extra["manifest_items"] == event.extra["scratch_items"] == 300
    assert 0 < event.extra["rto_seconds"] < event.extra["rto_objective_seconds"]


def test_a_drill_whose_table_lost_an_item_is_red_and_leaves_no_table(
    backed_up: Store, jobs_of: JobsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_of(backed_up)
    honest: Callable[[DrillRun], Rows] = DrillRun.check_rows

    def check_rows(run: DrillRun) -> Rows:
        (scratch,) = jobs.scratch_tables()
        scratch.delete(7)
        return honest(run)

    monkeypatch.setattr(DrillRun, "check_rows", check_rows)

    run = jobs.drill()

    assert failed_at_once(run, "check_rows")
    assert failed_at_once(run, "report")
    assert states(run)["drop_scratch -1"] == "success"
    assert jobs.scratch_tables() == []


def test_a_drills_table_is_kept_when_the_run_was_asked_to(backed_up: Store, jobs_of: JobsOf) -> None:
    jobs = jobs_of(backed_up)

    run = jobs.drill(keep_scratch=True)

    assert run.state == "success", states(run)
    (kept,) = jobs.scratch_tables()
    assert contents(kept) == contents(backed_up.pair.source)
