"""How long a whole DAG run takes on a stack that is warm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.airflow_runs import airflow_with, run_once
from benchmarks.figures import Figure, at_most
from benchmarks.material import ITEMS_TABLE, create_items_table, fill_items_table, job_text
from stack.airflow_api import AirflowApi
from stack.airflow_stack import CONNECTIONS

_ITEMS = 20_000
_SECONDS = 20.0
_DAG = "items_to_oregon"


def dag_run() -> Iterator[Figure]:
    """Copy a table by a DAG run, twice, and measure the second one from queued to success."""
    with airflow_with({_DAG: _job_text()}, _fill) as running:
        _run(running.api)
        seconds = _run(running.api)
    yield at_most(f"DAG run of a {_ITEMS:,}-item copy, warm, queued to success", seconds, _SECONDS, "s")


def _fill(endpoint: str) -> None:
    create_items_table(endpoint)
    fill_items_table(endpoint, _ITEMS)


def _job_text() -> str:
    source, target = [
        {"table": ITEMS_TABLE, "region": region, "connection": connection} for connection, region in CONNECTIONS.items()
    ]
    ends: dict[str, Any] = {"from": source, "to": target}
    return job_text(**ends)


def _run(api: AirflowApi) -> float:
    ended = run_once(api, _DAG)
    found = ended.figures.get("items"), ended.figures.get("verdict", {}).get("outcome")
    assert found == (_ITEMS, "equal"), found
    return ended.seconds
