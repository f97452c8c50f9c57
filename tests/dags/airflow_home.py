"""The environment that Airflow reads at its first import; conftests import this before any test imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _settle() -> None:
    home = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    )


@cache
def create_database() -> None:
    """Create Airflow's database, once per process: `dag.test()` needs it."""
    from airflow.utils.db import initdb  # noqa: PLC0415 -- the environment comes first

    initdb()


_settle()
