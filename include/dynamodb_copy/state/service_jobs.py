"""Export and import jobs that a run started, so that no retry starts and pays for a second one."""

from __future__ import annotations

from typing import NamedTuple

from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, StateRows, expiry


class Intent(NamedTuple):
    """What a run means to start, written down before it does."""

    token: str  # the service's ClientToken
    moment: float  # epoch seconds: what is exported, or when the import was meant to begin
    arn: str | None  # once the service has answered
    is_new: bool  # whether nobody can have started it yet


def intent(rows: StateRows, run: str, token: str, moment: float) -> Intent:
    """Write down what the run means to start, or return what it meant before."""
    row: Row = {"token": {"S": token}, "moment": {"N": f"{moment:.0f}"}, "expires_at": expiry(RUN_DAYS)}
    is_new = rows.insert(_key(run), row)
    stored = rows.get(_key(run)) or row
    arn = stored["arn"]["S"] if "arn" in stored else None
    return Intent(stored["token"]["S"], float(stored["moment"]["N"]), arn, is_new)


def remember_arn(rows: StateRows, run: str, arn: str) -> None:
    """Keep the ARN of the job that the service started."""
    rows.update(_key(run), {"arn": {"S": arn}})


def arn_of(rows: StateRows, run: str) -> str | None:
    """The ARN of the run's job, if it has one."""
    row = rows.get(_key(run))
    return row["arn"]["S"] if row and "arn" in row else None


def _key(run: str) -> RowKey:
    return RowKey(run, "service-job")
