"""DAG runs on a stack of their own, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from stack.airflow_api import AirflowApi
from stack.airflow_stack import CONNECTIONS, Airflow, airflow
from stack.emulators import free_port, ministack

_PATIENCE_SECONDS = 180.0
_POLL_SECONDS = 0.5


class DagRun(NamedTuple):
    """A DAG run that succeeded."""

    seconds: float  # from queued to success, as Airflow noted them
    figures: dict[str, Any]  # of its asset event


@contextmanager
def airflow_with(jobs: Mapping[str, str], prepare: Callable[[str], None]) -> Iterator[Airflow]:
    """Airflow that knows these job files by their names, after `prepare` was told the endpoint of all connections."""
    with ministack() as emulator, airflow_at(dict.fromkeys(CONNECTIONS, emulator.endpoint), jobs) as running:
        prepare(emulator.endpoint)
        running.wait_until_ready(list(jobs))
        yield running


@contextmanager
def airflow_at(endpoints: Mapping[str, str], jobs: Mapping[str, str]) -> Iterator[Airflow]:
    """Airflow that knows these job files by their names, with connections to these endpoints; it is still starting."""
    with ExitStack() as stack:
        folder, home = [Path(stack.enter_context(TemporaryDirectory())) for _ in range(2)]
        for name, text in jobs.items():
            (folder / f"{name}.yaml").write_text(text)
        started = airflow(home, endpoints=endpoints, port=free_port(), on_schedule=False, jobs_folder=folder)
        yield stack.enter_context(started)


def run_once(api: AirflowApi, dag: str) -> DagRun:
    """Run a DAG once; raises TimeoutError."""
    run_id = api.trigger(dag)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (state := api.run_state(dag, run_id)) not in {"success", "failed"}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the run of {dag} is {state} after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    assert state == "success", (dag, state, _ends(api, dag, run_id))
    noted = api.call("GET", f"dags/{dag}/dagRuns/{run_id}")
    queued, ended = [datetime.fromisoformat(noted[name]) for name in ("queued_at", "end_date")]
    return DagRun((ended - queued).total_seconds(), api.asset_figures(dag, run_id))


def _ends(api: AirflowApi, dag: str, run_id: str) -> dict[str, str]:
    """The last line of each task that failed."""
    failed = [task for task in api.task_instances(dag, run_id) if task["state"] == "failed"]
    return {task["task_id"]: api.task_log(task)[-1] for task in failed}
