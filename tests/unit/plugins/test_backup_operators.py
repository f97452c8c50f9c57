"""The verbs that only backups have."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.errors import BucketRefusedError, ExpirySuspendedError, ServiceUnavailableError
from dynamodb_copy.job import BackupJob
from dynamodb_copy_airflow.backup_operators import ExpireOperator, PrepareBackupOperator, StartExportOperator
from dynamodb_copy_airflow.operators import JobOperator
from job_texts import kind_of

JOB = kind_of(BackupJob, keep={"full": 2})

OPERATORS = [
    (PrepareBackupOperator(task_id="prepare", job=JOB), "prepare"),
    (StartExportOperator(task_id="start_export", job=JOB), "start_export"),
    (ExpireOperator(task_id="expire", job=JOB), "expire"),
]


def raising(error: Exception) -> Any:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize(("operator", "verb"), OPERATORS)
def test_a_permanent_failure_is_final_and_a_transient_one_is_retried(
    operator: JobOperator, verb: str, engine: Any, context: Any
) -> None:
    engine.verbs[verb] = raising(BucketRefusedError("dr-backups is public"))
    with pytest.raises(AirflowFailException, match="is public"):
        operator.execute(context)

    engine.verbs[verb] = raising(ServiceUnavailableError("no answer"))
    with pytest.raises(ServiceUnavailableError):
        operator.execute(context)


@pytest.mark.parametrize(("operator", "verb"), OPERATORS[:2])
def test_what_was_begun_is_logged(
    operator: JobOperator, verb: str, engine: Any, context: Any, log_lines: list[str]
) -> None:
    engine.verbs[verb] = lambda: "s3://dr-backups/orders/AWSDynamoDB/1"

    operator.execute(context)

    assert "s3://dr-backups/orders/AWSDynamoDB/1" in "\n".join(log_lines)


def test_each_deleted_backup_is_a_line_of_the_log(engine: Any, context: Any, log_lines: list[str]) -> None:
    engine.verbs["expire"] = lambda: ["s3://dr-backups/orders/AWSDynamoDB/1", "s3://dr-backups/orders/AWSDynamoDB/2"]

    ExpireOperator(task_id="expire", job=JOB).execute(context)

    assert log_lines == [
        "deleted s3://dr-backups/orders/AWSDynamoDB/1",
        "deleted s3://dr-backups/orders/AWSDynamoDB/2",
        "2 backups deleted",
    ]


def test_a_backup_that_shrank_is_an_alarm(engine: Any, context: Any) -> None:
    engine.verbs["expire"] = raising(ExpirySuspendedError("keep: 2 holds 1 items, 1 before it held 12000"))

    with pytest.raises(AirflowFailException, match="held 12000"):
        ExpireOperator(task_id="expire", job=JOB).execute(context)
