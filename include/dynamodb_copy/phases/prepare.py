"""Prepare: refuse what must not be, create what is missing; nothing is written before every check has passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dynamodb_copy.aws.table_creation import AWS_MANAGED_KEY, create_like
from dynamodb_copy.aws.tables import Table, describe, tags, ttl_attribute
from dynamodb_copy.errors import MirrorRefusedError, PermanentError, TableError, TargetBusyError, TargetRefusedError
from dynamodb_copy.job.places import TableAt
from dynamodb_copy.phases.context import AnyContext, CopyContext
from dynamodb_copy.state.claims import Claim, claim, claim_on

TTL_TAG = "dynamodb-copy:ttl-after-verify"
"""On a table that a run created: the attribute for TTL, which is switched on once the first copy was verified.

A tag, because it comes into being with the table: no kill can fall between the two.
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The target as it is to be written."""

    target_arn: str
    created: bool
    notes: list[str]


def prepare(context: AnyContext, *, scans: bool = True) -> Prepared:
    """Check source and target, and create a missing target like the source; `scans` is whether items will be scanned.

    Raises TableError, TargetRefusedError and AccessError, with the job's field, for what must not be; then nothing was
    written. (What another run does in the same moment is found under the run's lease, when there is a state table.)
    """
    source = readable_source(context)
    if scans:
        may_be_scanned(context, source)
    target = describe(context.target_client, context.job.target.table)
    if target is None:
        check_encryption(context, source)
        return _create(context, source)
    check_shapes(source, target)
    check_ownership(context, source, target)
    context.ensure_state()
    return _take(context, source, target, Prepared(target.arn, created=False, notes=[]))


def readable_source(context: AnyContext) -> Table:
    """The source, which must exist and be readable."""
    source = _existing(context.source_client, "from", context.job.source)
    if not source.is_readable:
        raise TableError(f"from.table: {source.arn} is {source.status}; it must be ACTIVE: wait for it")
    return source


def existing_target(context: AnyContext) -> Table:
    """The target, which must exist."""
    return _existing(context.target_client, "to", context.job.target)


def _existing(client: Any, field: str, named: TableAt) -> Table:
    table = describe(client, named.table)
    if table is None:
        raise TableError(
            f"{field}.table: {named.table!r} does not exist in {named.region} for connection {named.connection!r}; "
            f"correct {field}.table, {field}.region or {field}.connection"
        )
    return table


def check_shapes(source: Table, target: Table) -> None:
    """Refuse a target that cannot hold the source's items."""
    if source.arn == target.arn:
        raise TargetRefusedError(f"to: {target.arn} is the source itself; name another table, region or account")
    check_keys(source, target)


def check_keys(source: Table, target: Table) -> None:
    """Refuse a target of other keys, or one that cannot be written for good."""
    if source.key_types != target.key_types:
        raise TableError(
            f"to.table: {target.arn} has the keys {_shown(target)}, the source has {_shown(source)}; "
            "name a table with the same keys, or one that does not exist yet"
        )
    if target.status not in {"ACTIVE", "UPDATING", "CREATING"}:
        raise TableError(f"to.table: {target.arn} is {target.status}; wait until it is ACTIVE, or name another table")


def check_ownership(context: CopyContext, source: Table, target: Table) -> Claim | None:
    """Refuse a target that holds items which this source did not put there; return the claim on it."""
    found = claim_on(context.rows, target.arn)
    if context.job.target.existing == "allow":
        return found
    if found is None or found.target_id != target.table_id:
        if target.status != "CREATING" and holds_items(context, context.target_client, target):
            raise TargetRefusedError(
                f"to.table: {target.arn} holds items and was never this job's target; "
                "name another table, empty it, or say `existing: allow` to write into it"
            )
    elif found.source_arn != source.arn:
        raise TargetRefusedError(
            f"to.table: {target.arn} is filled from {found.source_arn} by job {found.job_name!r}; two sources "
            "would overwrite each other: name another target, or say `existing: allow` if the other job is gone"
        )
    elif found.source_id != source.table_id and context.job.target.mirror:
        raise MirrorRefusedError(
            f"from.table: {source.arn} was dropped and created again since it last filled {target.arn}; mirror would "
            "delete what it does not have any more: if that is meant, say `existing: allow` for one run"
        )
    return found


def _create(context: CopyContext, source: Table) -> Prepared:
    client, job = context.target_client, context.job
    kept_tags = tags(context.source_client, source.arn)
    ttl = ttl_attribute(context.source_client, source.name)
    if ttl is not None:
        kept_tags.append({"Key": TTL_TAG, "Value": ttl})
    context.ensure_state()
    target = create_like(client, source, job.target.table, tags=kept_tags, kms_key=job.target.kms_key)
    if target is None:
        return prepare(context, scans=False)  # another run was faster: its table is judged like any that exists
    check_shapes(source, target)
    notes = [] if ttl is None else [f"TTL on {ttl!r} is switched on after the first verified copy"]
    return _take(context, source, target, Prepared(target.arn, created=True, notes=notes))


def _take(context: CopyContext, source: Table, target: Table, prepared: Prepared) -> Prepared:
    lease = context.run_lease(target.arn)
    lease.acquire(wait_while_alive=False)
    try:
        found = check_ownership(context, source, target)
    except PermanentError:
        lease.release()  # the job whose target it is shall not have to wait
        raise
    mine = Claim(source.arn, source.table_id, target.table_id, context.job.name)
    if not claim(context.rows, target.arn, mine, in_place_of=found):
        raise TargetBusyError(f"to.table: {target.arn} was claimed by another run in this moment; try again")
    return prepared


def check_encryption(context: AnyContext, source: Table) -> None:
    """A KMS key belongs to a region: only a person can say which one takes its place."""
    if source.kms_key is not None and context.job.target.kms_key is None:
        raise TableError(
            f"to.kms_key: the source is encrypted with the KMS key {source.kms_key}, which stays in its region; name a "
            f"key of {context.job.target.region}, or {AWS_MANAGED_KEY} for the one that AWS manages there"
        )


def may_be_scanned(context: AnyContext, source: Table) -> None:
    """Raise AccessError unless the source's items may be read."""
    holds_items(context, context.source_client, source)


def holds_items(context: AnyContext, client: Any, table: Table) -> bool:
    """Whether a table holds anything, by a strongly consistent read."""
    wire = context.wire(client)
    try:
        return bool(wire.call("Scan", {"TableName": table.name, "Limit": 1, "ConsistentRead": True})["Count"])
    finally:
        wire.close()


def _shown(table: Table) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in table.key_types)
