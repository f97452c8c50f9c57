"""Airflow in a home of its own, and an engine that does what a test says."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import dags.airflow_home  # noqa: F401 -- it sets the environment before Airflow is imported
from dags.fake_engine import engine
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy_airflow.connections import airflow_clients

__all__ = ["engine"]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Clients by the name of an Airflow connection."""
    with airflow_clients() as connect:
        yield connect


@pytest.fixture
def context() -> dict[str, Any]:
    """What these tasks use of Airflow's context."""
    return {"ti": SimpleNamespace(dag_id="orders", run_id="scheduled__2026-12-01T02:00:00+00:00")}
