"""Airflow in a home of its own, and a jobs folder to fill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import dags.airflow_home  # noqa: F401 -- it sets the environment before Airflow is imported
from dags.fake_engine import engine

__all__ = ["engine"]

ORDERS = """\
description: Orders, copied to Oregon every night
tags: [orders, dr]
schedule: "0 2 * * *"
copy: full
from: {table: orders, region: us-east-1, connection: aws_virginia}
to: {table: orders, region: us-west-2, connection: aws_oregon}
"""

WriteJob = Callable[..., Path]


@pytest.fixture
def orders() -> str:
    """A job file that says what most do."""
    return ORDERS


@pytest.fixture
def write_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteJob:
    """Write a job file into the folder that DAG files read."""
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", str(tmp_path))

    def write(name: str = "orders", text: str = ORDERS) -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        return path

    return write
