"""Airflow in a home of its own, and an engine that does what a test says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass
class _Log:
    lines: list[str] = field(default_factory=list)

    def info(self, message: str, /, *args: object) -> None:
        self.lines.append(message % args)

    def warning(self, *_: object) -> None:
        """Airflow's own: it misses its task runner."""


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What operators and sensors log, as a person reads it."""
    log = _Log()
    monkeypatch.setattr("airflow.sdk.BaseOperator.log", log)
    return log.lines


@pytest.fixture
def context() -> dict[str, Any]:
    """What these tasks use of Airflow's context."""
    return {"ti": SimpleNamespace(dag_id="orders", run_id="scheduled__2026-12-01T02:00:00+00:00")}
