"""Opens the engine's run that stands behind a DAG run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import Context

from dynamodb_copy.assembly import open_run
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, RestoreJob
from dynamodb_copy_airflow.connections import airflow_clients
from dynamodb_copy_airflow.failures import airflow_errors

AnyJob = CopyJob | BackupJob | IncrementalJob | IncrementalBackupJob | RestoreJob | DrillJob


def run_name(context: Context) -> str:
    """The engine's name of this DAG run: the same over retries and cleared tasks."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"


@contextmanager
def opened_run(job: AnyJob, context: Context) -> Iterator[Any]:
    """Yield the run, of the job's kind; its clients are closed after.

    Raises:
        AirflowFailException: for a permanent failure, which is not retried; all others pass, and are.
    """
    with airflow_errors(), airflow_clients() as connect:
        yield open_run(job, run_name(context), connect)
