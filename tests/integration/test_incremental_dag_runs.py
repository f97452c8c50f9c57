"""Whole DAG runs of incremental jobs in Airflow, between two regions of an emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dags.airflow_home import run_once
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob
from integration.backups import Store
from integration.dag_runs import ConnectTo, event_of, failed_at_once, states
from integration.pair import Pair, item_of
from job_texts import text_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("quick_drains"),
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

STREAM = {"by": "stream", "enable": True}
RunOf = Callable[..., Any]


@pytest.fixture
def run_of(filled: Pair, connect_to: ConnectTo, tmp_path: Path) -> RunOf:
    """Run the DAG of the job that keeps the target like the source of 300 items, with these changes of its file."""
    connect_to(filled.endpoint)
    table = {"table": filled.table}

    def run(**job: Any) -> Any:
        text = text_of(IncrementalJob, retry_delay="1s", from_=table, to_=table, **{"changes": STREAM, **job})
        (tmp_path / f"{filled.table}.yaml").write_text(text)
        return run_once(filled.table, "incremental_copy.py")

    return run


def test_the_first_run_copies_everything_and_the_next_what_changed(filled: Pair, run_of: RunOf) -> None:
    first = run_of()
    filled.source.put(item_of(7, note={"S": "changed"}), item_of(1000))
    filled.source.delete(8)

    second = run_of()

    assert (first.state, second.state) == ("success", "success"), states(second)
    assert filled.target.items() == filled.source.items()
    assert states(second)["base -1"] == "skipped"
    assert event_of(second).extra["items"] == 3
    assert event_of(second).extra["up_to"] > event_of(first).extra["up_to"]
    assert event_of(second).extra["lag_seconds"] < 60


def test_a_gap_fails_the_run_at_once_and_says_what_to_do(filled: Pair, run_of: RunOf) -> None:
    run_of()
    filled.source.client.update_table(TableName=filled.table, StreamSpecification={"StreamEnabled": False})

    run = run_of()

    assert run.state == "failed"
    assert failed_at_once(run, "prepare")


def test_a_chain_is_extended_by_each_run(store: Store, filled: Pair, connect_to: ConnectTo, tmp_path: Path) -> None:
    connect_to(filled.endpoint)
    text = text_of(
        IncrementalBackupJob,
        from_={"table": filled.table},
        to_=store.place,
        changes=STREAM,
        retry_delay="1s",
        keep={"full": 2},
    )
    (tmp_path / f"{filled.table}.yaml").write_text(text)

    first = run_once(filled.table, "incremental_backup.py")
    filled.source.fill(range(2000, 2010))
    second = run_once(filled.table, "incremental_backup.py")

    assert (first.state, second.state) == ("success", "success"), states(second)
    assert event_of(second).asset.uri == f"s3://{store.bucket}/{store.prefix}"
    assert event_of(second).extra["items"] == 10
    assert states(second)["full -1"] == "skipped"
