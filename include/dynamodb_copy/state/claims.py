"""Claims: which source fills a target, so that a job never writes into what it does not own."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

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


def claim(rows: StateRows, target_arn: str, made: Claim, *, in_place_of: Claim | None) -> bool:
    """Remember that the source fills the target, and no other any more; False if the claim is not `in_place_of`."""
    changes = {name: {"S": value} for name, value in asdict(made).items()} | {
        "claimed_at": {"N": str(int(time.time()))}
    }
    if in_place_of is None:
        claimed = rows.update(_key(target_arn), changes, only_if="attribute_not_exists(source_arn)")
    else:
        known = {f":was_{name}": {"S": value} for name, value in asdict(in_place_of).items()}
        only_if = " AND ".join(f"{name} = :was_{name}" for name in asdict(in_place_of))
        claimed = rows.update(_key(target_arn), changes, only_if=only_if, values=known)
    return claimed or claim_on(rows, target_arn) == made  # of two tries the first may have come through


def _key(target_arn: str) -> RowKey:
    return RowKey(target_partition(target_arn), "claim")
