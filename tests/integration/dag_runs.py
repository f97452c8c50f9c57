"""Whole DAG runs in this process, over connections that lead to an emulator."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from stack.emulators import ACCOUNT

_shared_loader = cache(botocore.loaders.create_loader)

ConnectTo = Callable[[str], None]


@pytest.fixture(scope="module")
def collected() -> Iterator[None]:
    """Collect what tasks left open before the tests of other modules look for leaks of their own."""
    yield
    gc.collect()


@pytest.fixture
def connect_to(
    collected: None,  # noqa: ARG001 -- it comes before and after
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ConnectTo:
    """Let Airflow's connections lead to an endpoint, and DAG files read the jobs in the test's folder."""
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", str(tmp_path))
    # it collects twice for each segment, which takes half a second with all of Airflow in the test's own process
    monkeypatch.setattr("dynamodb_copy_airflow.operators.frozen_collector", nullcontext)
    # each task would read the models of its services anew
    monkeypatch.setattr("botocore.session.create_loader", _shared_loader)

    def connect(endpoint: str) -> None:
        keys = {"login": ACCOUNT, "password": "emulator"}
        values = json.dumps({"conn_type": "aws", **keys, "extra": {"endpoint_url": endpoint}})
        for name in ("VIRGINIA", "OREGON"):
            monkeypatch.setenv(f"AIRFLOW_CONN_AWS_{name}", values)

    return connect


def states(run: Any) -> dict[str, str]:
    """The state of each task instance of a DAG run."""
    return {f"{ti.task_id} {ti.map_index}": str(ti.state) for ti in run.get_task_instances()}


def event_of(run: Any) -> AssetEvent:
    """The asset event of a DAG run, of which there has to be one."""
    ours = select(AssetEvent).filter_by(source_dag_id=run.dag_id, source_run_id=run.run_id)
    with create_session() as session:
        return session.scalars(ours.options(joinedload(AssetEvent.asset))).one()


def failed_at_once(run: Any, task_id: str) -> bool:
    """Whether the run failed in that task's first attempt, although the job allows for retries."""
    (found,) = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    return bool(run.state == "failed" and found.state == "failed" and found.try_number == 1)
