"""What a person may say on the form that starts a run by hand."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Context, Param
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.job.values import read_instant

AS_OF = "as_of"
KEEP_SCRATCH = "keep_scratch"


def restore_parameters() -> dict[str, Param]:
    """Which moment a restore brings back."""
    return {AS_OF: _as_of("Empty: what the job file says after `restore:`.")}


def drill_parameters() -> dict[str, Param]:
    """Which moment a drill brings back, and what becomes of its table."""
    keep = Param(
        default=False,
        type="boolean",
        title="Keep the scratch table",
        description="The restored table stays, as a table like any other: drop it by hand when it is not needed.",
    )
    return {AS_OF: _as_of("Empty: the newest; the run waits for one if there is none."), KEEP_SCRATCH: keep}


def as_of(context: Context) -> datetime | None:
    """The moment that the run was asked for, in UTC; None when nobody asked for one.

    Raises:
        AirflowFailException: it is no moment: Airflow does not check the format of a date-time.
    """
    found = context["params"][AS_OF]
    if not found:
        return None
    try:
        return read_instant(found)
    except ValueError as error:
        raise AirflowFailException(f"{AS_OF}: found {found!r}; {error}") from error


def keeps_scratch(context: Context) -> bool:
    """Whether the scratch table is to stay."""
    return bool(context["params"][KEEP_SCRATCH])


def _as_of(otherwise: str) -> Param:
    return Param(
        default=None,
        type=["null", "string"],
        format="date-time",
        title="Restore the state as of",
        description=(
            "Increments lead to that very second; without any, the newest backup that was consistent then, or before, "
            f"is taken. {otherwise}"
        ),
    )
