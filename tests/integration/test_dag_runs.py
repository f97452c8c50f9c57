"""Whole DAG runs in Airflow, from a table in one region of an emulator to a table in another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dags.airflow_home import run_once
from integration.dag_runs import ConnectTo, event_of, failed_at_once, states
from integration.pair import Pair, item_of
from job_texts import text_of

pytestmark = [
    pytest.mark.integration,
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

RunOf = Callable[..., Any]


@pytest.fixture
def run_of(filled: Pair, connect_to: ConnectTo, tmp_path: Path) -> RunOf:
    """Run the DAG of the job that copies the source of 300 items, with these changes of its file."""
    connect_to(filled.endpoint)
    table = {"table": filled.table}

    def run(*, from_: dict[str, Any] | None = None, to_: dict[str, Any] | None = None) -> Any:
        text = text_of(segments=2, retry_delay="1s", from_=table | (from_ or {}), to_=table | (to_ or {}))
        (tmp_path / f"{filled.table}.yaml").write_text(text)
        return run_once(filled.table)

    return run


def test_a_run_creates_the_target_copies_proves_and_tells(filled: Pair, run_of: RunOf) -> None:
    run = run_of()

    assert run.state == "success", states(run)
    assert filled.target.items() == filled.source.items()
    event = event_of(run)
    assert event.asset.uri == f"dynamodb://us-west-2/{filled.table}"
    assert event.extra["items"] == 300
    assert (event.extra["verdict"]["outcome"], event.extra["verdict"]["mode"]) == ("equal", "content")


def test_the_next_run_mirrors_what_is_gone_from_the_source(filled: Pair, run_of: RunOf) -> None:
    run_of()
    filled.source.delete(7)

    run = run_of(to_={"mirror": {"max_deletes": "5%"}})

    assert run.state == "success", states(run)
    assert filled.target.items() == filled.source.items()
    assert event_of(run).extra["deleted"] == 1


def test_a_missing_connection_is_final_and_nothing_is_written(filled: Pair, run_of: RunOf) -> None:
    run = run_of(from_={"connection": "aws_absent"})

    assert failed_at_once(run, "prepare")
    assert not filled.target.exists()


def test_a_target_with_items_of_others_is_final_and_stays_as_it_is(filled: Pair, run_of: RunOf) -> None:
    filled.target.create()
    filled.target.put(item_of(1, total={"N": "1000000"}))
    before = filled.target.items()

    run = run_of()

    assert failed_at_once(run, "prepare")
    assert filled.target.items() == before
