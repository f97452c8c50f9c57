"""Claims: which sources fill a target, so that a job never writes into what it does not own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import blake2b

from dynamodb_copy.state.rows import RowKey, StateRows


@dataclass(frozen=True, slots=True)
class Claim:
    """A source that fills a target, and the job by which it last did."""

    source_arn: str
    target_id: str  # the target's TableId: a table that was dropped and created again is another one
    job_name: str


def target_partition(target_arn: str) -> str:
    """Where the rows of a target are."""
    return f"target#{target_arn}"


def claims_on(rows: StateRows, target_arn: str) -> list[Claim]:
    """Every claim on the target; claims do not expire."""
    return [
        Claim(row["source_arn"]["S"], row["target_id"]["S"], row["job_name"]["S"])
        for row in rows.query(target_partition(target_arn), "claim#")
    ]


def claim(rows: StateRows, target_arn: str, made: Claim) -> None:
    """Remember that the source fills the target."""
    source = blake2b(made.source_arn.encode(), digest_size=8).hexdigest()
    row = {
        "source_arn": {"S": made.source_arn},
        "target_id": {"S": made.target_id},
        "job_name": {"S": made.job_name},
        "claimed_at": {"N": str(int(time.time()))},
    }
    rows.put(RowKey(target_partition(target_arn), f"claim#{source}"), row)
