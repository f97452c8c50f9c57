"""Whole DAG runs of restores and drills of chains, through a bucket of an emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chain_histories import History, edit, history_of, meanings, moment, store_by_stream
from dags.airflow_home import run_once
from dynamodb_copy.job import DrillJob, Job, RestoreJob
from integration.backups import Store, contents
from integration.chains import bucket_of
from integration.dag_runs import ConnectTo, event_of, states
from job_texts import OBJECTIVES, text_of

pytestmark = [
    pytest.mark.integration,
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture
def history(shelf: Store, connect_to: ConnectTo) -> History:
    """Of forty minutes, stored as a full backup and three increments of a stream."""
    connect_to(shelf.pair.endpoint)
    made = history_of(1)
    store_by_stream(bucket_of(shelf), made, [10, 20, 40])
    return made


def run_of(kind: type[Job], shelf: Store, folder: Path, file: str, *, as_of: str | None = None, **job: Any) -> Any:
    name = f"{shelf.pair.table}_{file}"
    text = text_of(kind, from_=shelf.place, segments=2, retries=0, **job)
    (folder / f"{name}.yaml").write_text(text)
    return run_once(name, f"{file}.py", **({"as_of": as_of} if as_of else {}))


def test_a_restore_replays_the_increments_up_to_the_forms_moment(
    shelf: Store, history: History, tmp_path: Path
) -> None:
    as_of = moment(33)

    run = run_of(RestoreJob, shelf, tmp_path, "restore", as_of=as_of.isoformat(), to_={"table": shelf.pair.table})

    assert run.state == "success", states(run)
    assert {task for task in states(run) if task.startswith("replay")} == {"replay 0", "replay 1"}
    assert contents(shelf.pair.target) == meanings(history.until(as_of))
    assert event_of(run).extra["verdict"]["outcome"] == "equal"


def test_a_drill_proves_a_chain_and_tells_of_it(shelf: Store, history: History, tmp_path: Path) -> None:
    run = run_of(DrillJob, shelf, tmp_path, "dr_drill", as_of=moment(40).isoformat(), drill={**OBJECTIVES, "rpo": "1s"})

    assert run.state == "success", states(run)
    told = event_of(run).extra
    assert (told["increments"], told["replayed_changes"]) == (3, len(history.changes))
    assert told["expected_items"] == told["scratch_items"] == len(history.at(40))


def test_a_drill_whose_replay_is_refused_is_red_and_leaves_no_table(
    shelf: Store, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = "dynamodb_copy.phases.replaying.replay_segments"
    changed = history.folders[1]

    def segments(_context: object) -> tuple[int, str]:
        edit(bucket_of(shelf), changed, lambda lines: lines.replace(b"change", b"chance"))
        return 2, "two"

    monkeypatch.setattr(plan, segments)

    run = run_of(DrillJob, shelf, tmp_path, "dr_drill", as_of=moment(40).isoformat())

    assert run.state == "failed"
    found = states(run)
    assert (found["replay 0"], found["check_rows -1"], found["recovered -1"]) == (
        "failed",
        "upstream_failed",
        "upstream_failed",
    )
    assert (found["report -1"], found["drop_scratch -1"]) == ("failed", "success")
