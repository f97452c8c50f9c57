"""How long a whole DAG run takes on a stack that is warm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, at_most
from benchmarks.material import ITEMS_TABLE, create_items_table, fill_items_table, job_text
from stack.airflow_api import AirflowApi
from stack.airflow_stack import CONNECTIONS, Airflow, airflow
from stack.emulators import free_port, ministack

_ITEMS = 20_000
_SECONDS = 20.0
_PATIENCE_SECONDS = 180.0
_POLL_SECONDS = 0.5
_DAG = "items_to_oregon"


def dag_run() -> Iterator[Figure]:
    """Copy a table by a DAG run, twice, and measure the second one from queued to success."""
    with _stack() as running:
        _run(running.api)
        seconds = _run(running.api)
    yield at_most(f"DAG run of a {_ITEMS:,}-item copy, warm, queued to success", seconds, _SECONDS, "s")


@contextmanager
def _stack() -> Iterator[Airflow]:
    """Airflow that knows one job, and a filled source."""
    with ExitStack() as stack:
        jobs, home = [Path(stack.enter_context(TemporaryDirectory())) for _ in range(2)]
        (jobs / f"{_DAG}.yaml").write_text(_job_text())
        endpoint = stack.enter_context(ministack()).endpoint
        running = stack.enter_context(
            airflow(home, endpoint=endpoint, port=free_port(), on_schedule=False, jobs_folder=jobs)
        )
        create_items_table(endpoint)
        fill_items_table(endpoint, _ITEMS)
        running.wait_until_ready([_DAG])
        yield running


def _job_text() -> str:
    source, target = [
        {"table": ITEMS_TABLE, "region": region, "connection": connection} for connection, region in CONNECTIONS.items()
    ]
    ends: dict[str, Any] = {"from": source, "to": target}
    return job_text(**ends)


def _run(api: AirflowApi) -> float:
    """Run the DAG once; return its seconds from queued to success, as Airflow noted them."""
    run_id = api.trigger(_DAG)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (state := api.run_state(_DAG, run_id)) not in {"success", "failed"}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the DAG run is {state} after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    figures = api.asset_figures(_DAG, run_id)
    found = figures.get("items"), figures.get("verdict", {}).get("outcome")
    assert (state, *found) == ("success", _ITEMS, "equal"), (state, found)
    noted = api.call("GET", f"dags/{_DAG}/dagRuns/{run_id}")
    queued, ended = [datetime.fromisoformat(noted[name]) for name in ("queued_at", "end_date")]
    return (ended - queued).total_seconds()
