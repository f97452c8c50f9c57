"""Export and import jobs that a run or a target means to have, so that no retry starts and pays for a second one."""

from __future__ import annotations

from typing import NamedTuple

from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, StateRows, expiry

JobKey = str | RowKey
"""Whose job it is: a run, which has at most one, or the row of a job that outlives runs."""


class Intent(NamedTuple):
    """What is meant to be started, written down before it is."""

    token: str  # the service's ClientToken
    moment: float  # epoch seconds: what is exported, or when the import was meant to begin
    arn: str | None  # once the service has answered
    is_new: bool  # whether nobody can have started it yet


def intent(rows: StateRows, job: JobKey, token: str, moment: float, days: int = RUN_DAYS) -> Intent:
    """Write down what is meant to be started, for that many days, or return what was meant before."""
    row: Row = {"token": {"S": token}, "moment": {"N": f"{moment:.0f}"}, "expires_at": expiry(days)}
    is_new = rows.insert(_key(job), row)
    stored = rows.get(_key(job)) or row
    return Intent(stored["token"]["S"], float(stored["moment"]["N"]), _arn(stored), is_new)


def renewed(rows: StateRows, job: JobKey, token: str, useless: Intent, days: int = RUN_DAYS) -> Intent:
    """Mean to start another job in place of one that is of no use; of two attempts at once both mean the same."""
    changes: Row = {"token": {"S": token}, "arn": {"S": ""}, "expires_at": expiry(days)}
    is_new = rows.update(_key(job), changes, only_if="arn = :was", values={":was": {"S": useless.arn or ""}})
    return intent(rows, job, token, useless.moment, days)._replace(is_new=is_new)


def remember_arn(rows: StateRows, job: JobKey, arn: str) -> None:
    """Keep the ARN of the job that the service started."""
    rows.update(_key(job), {"arn": {"S": arn}})


def arn_of(rows: StateRows, job: JobKey) -> str | None:
    """The ARN of the job, if it was started."""
    return _arn(rows.get(_key(job)) or {})


def _arn(row: Row) -> str | None:
    return row["arn"]["S"] or None if "arn" in row else None


def _key(job: JobKey) -> RowKey:
    return job if isinstance(job, RowKey) else RowKey(job, "service-job")
