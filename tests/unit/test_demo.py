from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
    load_folder,
)
from job_texts import kind_of
from stack import acts
from stack.acts import DemoFailedError, Stage, perform, proof_of, summaries
from stack.airflow_api import AirflowApi
from stack.airflow_stack import JOBS_FOLDER, Airflow
from stack.demo import Moment, bring_up_to_date, found, restore_and_rehearse, taken
from stack.emulators import ROOT
from stack.fault_proxy import FaultProxy
from stack.local_stack import LocalStack
from stack.order_changes import FIRST, SECOND

MOMENT = Moment(datetime(2026, 11, 25, 14, 13, 11, tzinfo=UTC), 11_950)
PROVEN = {"recovered": True, "scratch_items": 11_950, "items": FIRST.count + SECOND.count, "lag_seconds": 7.4}
MODES = {"orders_restore": "content", "orders_replica": "changed", "orders_chain": "checksums"}


class FakeAirflow:
    """Every run succeeds at once, and proves what it shall."""

    def __init__(self, **figures: Any) -> None:
        self.started: dict[str, Mapping[str, Any] | None] = {}
        self._figures = {**PROVEN, **figures}

    def trigger(self, dag_id: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Remember with what it was started."""
        self.started[dag_id] = parameters
        return "run"

    def run_state(self, _dag_id: str, _run_id: str) -> str:
        """Succeeded."""
        return "success"

    def asset_figures(self, dag_id: str, _run_id: str) -> dict[str, Any]:
        """Those of whatever kind the job is."""
        mode = MODES.get(dag_id, "")
        outcome = "sealed" if mode == "checksums" else "equal"
        return {**self._figures, "job": dag_id, "verdict": {"outcome": outcome, "mode": mode}}

    def task_instances(self, _dag_id: str, _run_id: str) -> list[dict[str, Any]]:
        """The ones that report."""
        return [task("seal", "success"), task("report", "success")]

    def task_log(self, _task: Mapping[str, Any]) -> list[str]:
        """Nothing was logged."""
        return []


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "_POLL_SECONDS", 0.0)


def stage_of(api: FakeAirflow) -> Stage:
    airflow = Airflow(cast("AirflowApi", api), Path(), {})
    stack = LocalStack(airflow, "", cast("FaultProxy", None), load_folder(JOBS_FOLDER).jobs)
    return Stage(Console(file=StringIO(), width=200), stack, started=0.0)


def said_on(stage: Stage) -> str:
    assert isinstance(stage.console.file, StringIO)
    return stage.console.file.getvalue()


def task(task_id: str, state: str | None, map_index: int = -1) -> dict[str, object]:
    return {"task_id": task_id, "state": state, "map_index": map_index}


def test_a_task_is_told_once_it_runs_and_not_while_it_waits() -> None:
    told = dict(
        summaries([task("prepare", "success"), task("plan", "running"), task("verify", None), task("seal", "queued")])
    )

    assert told == {"prepare": "[green]success[/green]", "plan": "[default]running[/default]"}


def test_the_segments_of_a_mapped_task_count_together() -> None:
    segments = [
        task("copy", state, index) for index, state in enumerate(["success", "running", "scheduled", "success"])
    ]

    assert dict(summaries(segments)) == {"copy": "[default]2 of 4 segments done, 1 running[/default]"}


def test_segments_that_all_succeeded_and_one_that_failed_are_told_apart_by_colour() -> None:
    done = [task("copy", "success", index) for index in range(2)]

    assert dict(summaries(done)) == {"copy": "[green]2 of 2 segments done[/green]"}
    assert dict(summaries([*done, task("copy", "failed", 2)])) == {"copy": "[red]2 of 3 segments done, 1 failed[/red]"}


@pytest.mark.parametrize(
    ("kind", "proof"),
    [
        (CopyJob, "equal by content"),
        (RestoreJob, "equal by content"),
        (IncrementalJob, "equal by changed"),
        (BackupJob, "sealed by checksums"),
        (IncrementalBackupJob, "sealed by checksums"),
        (DrillJob, "recovered"),
    ],
)
def test_each_kind_of_job_has_to_prove_what_its_kind_can(kind: type[Job], proof: str) -> None:
    assert proof_of(kind_of(kind)) == proof


def test_the_readme_lists_every_job_that_the_demo_plays() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    listed = re.findall(r"^\| `(\w+)` \|.*(?:every|by hand).*\|$", readme, flags=re.MULTILINE)

    assert sorted(listed) == [job.name for job in load_folder(JOBS_FOLDER).jobs]


def test_a_run_that_proves_less_fails_the_demo() -> None:
    stage = stage_of(FakeAirflow(recovered=False))
    drills = [job for job in stage.stack.jobs if isinstance(job, DrillJob)]

    with pytest.raises(DemoFailedError, match="orders_drill: not recovered"):
        perform(stage, drills)


def test_the_incremental_jobs_are_run_again_and_their_lag_is_told() -> None:
    api = FakeAirflow()
    stage = stage_of(api)

    bring_up_to_date(stage)

    assert set(api.started) == {"orders_replica", "orders_chain"}
    assert "orders_replica took the 1,030 changes and nothing else; lag 7 s" in said_on(stage)
    assert "orders_chain took the 1,030 changes and nothing else; lag 7 s" in said_on(stage)


@pytest.mark.parametrize("items", [1_029, 1_031, 13_030])
def test_a_run_that_takes_more_or_less_than_the_changes_fails_the_demo(items: int) -> None:
    with pytest.raises(DemoFailedError, match=rf"^orders_chain took {items:,} changes, 1,030 were made$"):
        taken({"job": "orders_chain", "items": items, "lag_seconds": 7.4}, 1_030)


def test_of_all_restores_and_drills_the_chain_s_drill_alone_is_asked_for_the_moment() -> None:
    api = FakeAirflow()
    stage = stage_of(api)

    restore_and_rehearse(stage, MOMENT)

    assert api.started == {
        "orders_restore": None,
        "orders_drill": None,
        "orders_chain_drill": {"as_of": "2026-11-25T14:13:11+00:00"},
    }
    assert "orders_chain_drill found the 11,950 orders that there were at 14:13:11 UTC" in said_on(stage)


@pytest.mark.parametrize("items", [11_949, 11_970])
def test_a_drill_that_finds_the_orders_of_another_moment_fails_the_demo(items: int) -> None:
    with pytest.raises(DemoFailedError, match=rf"found {items:,} orders as of .*, there were 11,950$"):
        found({"job": "orders_chain_drill", "scratch_items": items}, MOMENT)


def test_what_a_run_is_started_with_goes_to_airflow_as_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []
    api = AirflowApi("http://127.0.0.1:9")

    def call(*arguments: Any) -> dict[str, str]:
        sent.append(arguments)
        return {"dag_run_id": "manual__1"}

    monkeypatch.setattr(api, "call", call)

    assert api.trigger("orders_chain_drill", {"as_of": "2026-11-25T14:13:11+00:00"}) == "manual__1"
    assert api.trigger("orders_drill") == "manual__1"
    assert [body["conf"] for _, _, body in sent] == [{"as_of": "2026-11-25T14:13:11+00:00"}, {}]
