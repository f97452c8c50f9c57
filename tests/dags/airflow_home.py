"""The environment that Airflow reads at its first import; conftests import this before any test imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

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
def _create_database() -> None:
    """Create Airflow's database, once per process: `dag.test()` needs it."""
    from airflow.utils.db import initdb  # noqa: PLC0415 -- the environment comes first

    initdb()


def run_once(dag_id: str, file: str = "full_copy.py", **parameters: Any) -> Any:
    """Run a DAG of that file from its first task to its last, in this process; return the DAG run."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 -- the environment comes first

    _create_database()
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        return DagBag(dag_folder=ROOT / "dags" / file).dags[dag_id].test(run_conf=parameters)
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # tasks leave a handler of their own


_settle()
