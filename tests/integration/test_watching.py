"""The watcher in Airflow, over a state table that real runs have written to."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dags.airflow_home import run_once
from dynamodb_copy.phases.context import DEFAULT_STATE_TABLE, RunContext
from dynamodb_copy.phases.watching import watch
from dynamodb_copy.state.registry import registry_key
from integration.changes import brought_up, caught_up, incremental_run
from integration.dag_runs import ConnectTo
from integration.pair import Pair
from job_texts import text_of

pytestmark = [
    pytest.mark.integration,
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def looked() -> dict[str, str]:
    """Let the watcher look; the state of each of its tasks."""
    run = run_once("dynamodb_copy_watcher", "watcher.py")
    return {f"{ti.task_id} {ti.rendered_map_index or ''}".strip(): str(ti.state) for ti in run.get_task_instances()}


def registered(pair: Pair, job_name: str) -> dict[str, Any]:
    key = registry_key(job_name).wire
    reply: dict[str, dict[str, Any]] = pair.target.client.get_item(
        TableName=DEFAULT_STATE_TABLE, Key=key, ConsistentRead=True
    )
    return reply.get("Item", {})


@pytest.fixture
def copied(filled: Pair, connect_to: ConnectTo, tmp_path: Path) -> Pair:
    """A pair whose job, of the table's name, has run; beside it is another job that has not."""
    connect_to(filled.endpoint)
    table = {"table": filled.table}
    (tmp_path / f"{filled.table}.yaml").write_text(text_of(segments=1, from_=table, to_=table))
    assert run_once(filled.table).state == "success"
    (tmp_path / "another.yaml").write_text(text_of(from_=table, to_={"table": f"{filled.table}-2"}))
    return filled


def test_a_run_is_registered_and_watched_until_its_row_is_retired(copied: Pair, tmp_path: Path) -> None:
    name = copied.table

    assert looked() == {
        "jobs": "success",
        f"watch {name}": "success",
        "watch another": "success",
        "vanished": "success",
    }
    assert {"last", "seen_at"} <= registered(copied, name).keys()
    assert "last" not in registered(copied, "another")

    (tmp_path / f"{name}.yaml").unlink()
    assert looked() == {"jobs": "success", "watch another": "success", "vanished": "failed"}
    assert registered(copied, name)["alarm"] == {"S": "vanished"}

    copied.target.client.delete_item(TableName=DEFAULT_STATE_TABLE, Key=registry_key(name).wire)
    assert looked()["vanished"] == "success"


@pytest.mark.usefixtures("quick_drains")
def test_a_look_finds_how_far_a_copy_is_while_the_source_is_dark(filled: Pair) -> None:
    sealed = brought_up(incremental_run(filled, "1"))
    time.sleep(1.1)  # the service's clock counts whole seconds
    run = caught_up(incremental_run(filled, "2"))

    with filled.observed("aws_virginia") as proxy, proxy.refusing_connections(), ExitStack() as opened:
        context = RunContext(run.job, "watcher", filled.connect, opened=opened)
        watched = watch(context, time.time(), None)

    assert watched.up_to is not None
    assert watched.up_to > datetime.fromisoformat(sealed.up_to).timestamp()
    assert sealed.run_id in watched.described


def test_a_dark_side_makes_its_own_jobs_red_and_no_others(
    copied: Pair, connect_to: ConnectTo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del connect_to
    home = {"table": f"{copied.table}-home", "region": "us-east-1", "connection": "aws_virginia"}
    (tmp_path / "home.yaml").write_text(text_of(from_={"table": copied.table}, to_=home))
    (tmp_path / "another.yaml").unlink()
    with copied.observed("aws_oregon") as proxy, proxy.refusing_connections():
        values = (
            f'{{"conn_type": "aws", "login": "a", "password": "b", "extra": {{"endpoint_url": "{proxy.endpoint}"}}}}'
        )
        monkeypatch.setenv("AIRFLOW_CONN_AWS_OREGON", values)
        monkeypatch.setattr("dynamodb_copy_airflow.watching._TIMES_FASTER", 300)
        states = looked()

    assert states["watch home"] == "success"
    assert states[f"watch {copied.table}"] == "failed"
    assert states["vanished"] == "failed"
