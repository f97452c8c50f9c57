"""Claims: which source fills a target, so that a job never writes into what it does not own."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.rows import RowKey, StateRows


@dataclass(frozen=True, slots=True)
class Claim:
    """The source that fills a target, and the job by which it last did.

    The ids are TableIds: a table that was dropped and created again is another one.
    """

    source_arn: str
    source_id: str
    target_id: str
    job_name: str


def target_partition(target_arn: str) -> str:
    """Where the rows of a target are."""
    return f"target#{target_arn}"


def claim_on(rows: StateRows, target_arn: str) -> Claim | None:
    """The claim on the target, if there is one and the state table exists; claims do not expire."""
    try:
        row = rows.get(_key(target_arn))
    except ResourceMissingError:
        return None
    if row is None:
        return None
    return Claim(*[row[name]["S"] for name in ("source_arn", "source_id", "target_id", "job_name")])


def claim(rows: StateRows, target_arn: str, made: Claim) -> None:
    """Remember that the source fills the target, and no other source any more."""
    row = {
        "source_arn": {"S": made.source_arn},
        "source_id": {"S": made.source_id},
        "target_id": {"S": made.target_id},
        "job_name": {"S": made.job_name},
        "claimed_at": {"N": str(int(time.time()))},
    }
    rows.put(_key(target_arn), row)


def _key(target_arn: str) -> RowKey:
    return RowKey(target_partition(target_arn), "claim")
