"""Restore: a table filled from a backup."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dynamodb_copy.aws.table_creation import create_like
from dynamodb_copy.aws.tables import Table, describe, tag, tags, ttl_attribute, untag
from dynamodb_copy.catalogue import Backup, check_parts_are_there
from dynamodb_copy.errors import (
    PermanentError,
    RunIncompleteError,
    TableError,
    TargetBusyError,
    TargetRefusedError,
)
from dynamodb_copy.job import TableKeys
from dynamodb_copy.phases import sealing
from dynamodb_copy.phases.choosing import backup_of, chosen, increments_of
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.copying import fence_out_segments
from dynamodb_copy.phases.planning import write_limits
from dynamodb_copy.phases.prepare import (
    TTL_TAG,
    Prepared,
    check_encryption,
    check_keys,
    existing_target,
    holds_items,
)
from dynamodb_copy.phases.replaying import replay_reports
from dynamodb_copy.phases.verifying import load_verdict
from dynamodb_copy.report import Report
from dynamodb_copy.state.claims import Claim, claim, claim_on
from dynamodb_copy.state.plans import Plan, find_plan, store_plan
from dynamodb_copy.stored_increment import Increment

TAGS_TAG = "dynamodb-copy:tags-after-verify"
"""On a table that a restore created: the backup whose tags it gets once it was verified."""

MOST_SEGMENTS = 256
_SEGMENT_ITEMS = 2_000_000


def prepare(context: RestoreContext, extra_tags: tuple[dict[str, str], ...] = ()) -> Prepared:
    """Check the backup and the target, and create a missing target as the backup describes it.

    Raises BackupRefusedError, TableError, TargetRefusedError and AccessError for what must not be; then nothing was
    written. `extra_tags` come into being with the table.
    """
    backup = backup_of(context)
    source = described_by(context, backup)
    stored: list[Backup | Increment] = [backup, *increments_of(context)]
    sizes = sum(sum(check_parts_are_there(each)) for each in stored)
    target = describe(context.target_client, context.job.target.table)
    _check_not_dropped(context, target)
    if target is not None:
        check_keys(source, target)
        check_ownership(context, target)
        context.ensure_state()
        return _take(context, backup, Prepared(target.arn, created=False, notes=[f"{sizes:,} bytes of parts"]))
    check_encryption(context, source)
    context.ensure_state()
    waiting = _waiting_tags(backup) if not extra_tags else []
    created = create_like(
        context.target_client,
        source,
        context.job.target.table,
        tags=[*waiting, *extra_tags],
        kms_key=context.job.target.kms_key,
    )
    if created is None:
        return prepare(context, extra_tags)  # another run was faster: its table is judged like any that exists
    notes = [f"{each['Key']}: {each['Value']}" for each in waiting]
    return _take(context, backup, Prepared(created.arn, created=True, notes=notes))


def described_by(context: RestoreContext, backup: Backup) -> Table:
    """The table that a backup was made from, or that `to.keys` describes; raises TableError when neither does."""
    if backup.table is not None:
        return Table(dict(backup.table.description))
    target = describe(context.target_client, context.job.target.table)
    if target is not None:
        return Table({**target.description, "TableArn": backup.summary.table_arn})
    keys = context.job.target.table_keys
    if keys is None:
        raise TableError(
            f"to.keys: {backup.uri} does not describe its table, and {context.job.target.table!r} does not exist; "
            "create it, or give its key: {hash: {name: id, type: S}}"
        )
    return Table(_with_keys(keys, backup))


def check_ownership(context: RestoreContext, target: Table) -> Claim | None:
    """Refuse a target that holds items which this very run did not put there; return the claim on it."""
    found = claim_on(context.rows, target.arn)
    if context.job.target.existing == "allow" or target.status == "CREATING" or _is_ours(context, found, target):
        return found
    if holds_items(context, context.target_client, target):
        raise TargetRefusedError(
            f"to.table: {target.arn} holds items; a restore would mix with them: name another table, empty it, or say "
            "`existing: allow` to write into it"
        )
    return found


def plan(context: RestoreContext) -> Plan:
    """Return the run's plan, making and storing it on the first call."""
    stored = find_plan(context.rows, context.run)
    if stored is not None:
        return stored
    target = existing_target(context)
    if not target.is_active:
        raise TableError(f"to.table: {target.arn} is {target.status}; wait until it and its indexes are ACTIVE")
    if context.job.engine == "load" and not _is_ours(context, claim_on(context.rows, target.arn), target):
        raise RunIncompleteError(
            f"to.table: {target.arn} was not prepared for this run; let the run's prepare task succeed first: "
            "marking it as success checks nothing"
        )
    made = replace(make_plan(context, backup_of(context), target), notes=chosen(context).notes)
    return store_plan(context.rows, context.run, made)


def make_plan(context: RestoreContext, backup: Backup, target: Table) -> Plan:
    """Decide everything that the run's tasks need to know; stores nothing."""
    job = context.job
    ttl = ttl_attribute(context.target_client, target.name)
    segments, reason = (0, "imported by the service") if job.engine == "import" else segments_of(job, backup)
    planned_at = context.wall()
    return Plan(
        job_name=job.name,
        job_text=job.text,
        source_arn=backup.uri,
        source_id=backup.root,
        target_arn=target.arn,
        target_id=target.table_id,
        key_names=tuple(name for name in target.keys if name is not None),
        ttl_attribute=ttl,
        expires_before=int(planned_at + job.timeout.total_seconds()) if ttl else 0,
        segment_count=segments,
        read_units=None,
        verify_read_units=None,
        write_units=write_limits(job.write, target),
        reason=reason,
        notes=(),
        planned_at=planned_at,
    )


def seal(context: RestoreContext, plan: Plan) -> Report:
    """Give a table that was created its TTL and tags, write the run's report and release the table."""
    tallies = fence_out_segments(context, plan)
    replay = replay_reports(context)
    verdict = load_verdict(context)
    if any(each["Key"] == TAGS_TAG for each in tags(context.target_client, plan.target_arn)):
        settings = backup_of(context).table
        tag(context.target_client, plan.target_arn, list(settings.tags) if settings else [])
        untag(context.target_client, plan.target_arn, TAGS_TAG)
    sealing.enable_ttl_after_verify(context, plan)
    loaded = [sealing.segment_report(each.label, tally) for each, tally in zip(plan.segments, tallies, strict=True)]
    notes = [f"the state of {chosen(context).consistent}"] if replay else []
    return sealing.store(context, plan, [*loaded, *replay], verdict, notes)


def _check_not_dropped(context: RestoreContext, target: Table | None) -> None:
    """A run fills the table that it was planned for: one that was dropped since then does not come back."""
    planned = find_plan(context.rows, context.run)
    if planned is not None and (target is None or target.table_id != planned.target_id):
        raise TableError(f"to.table: {planned.target_arn} was dropped since this run was planned; start a new run")


def _is_ours(context: RestoreContext, found: Claim | None, target: Table) -> bool:
    """Whether this very run claimed this very table."""
    return found is not None and (found.target_id, found.source_id) == (target.table_id, context.run)


def _take(context: RestoreContext, backup: Backup, prepared: Prepared) -> Prepared:
    lease = context.run_lease(prepared.target_arn)
    lease.acquire(wait_while_alive=False)
    target = describe(context.target_client, context.job.target.table)
    if target is None:
        raise TargetBusyError(f"to.table: {prepared.target_arn} is not known to the service yet; try again")
    try:
        found = check_ownership(context, target)
    except PermanentError:
        lease.release()
        raise
    mine = Claim(backup.uri, context.run, target.table_id, context.job.name)
    if not claim(context.rows, prepared.target_arn, mine, in_place_of=found):
        raise TargetBusyError(f"to.table: {prepared.target_arn} was claimed by another run in this moment; try again")
    return prepared


def _waiting_tags(backup: Backup) -> list[dict[str, str]]:
    """What the table gets once it was verified, as tags: they come into being with it, and no kill falls between."""
    if backup.table is None:
        return []
    ttl = backup.table.ttl_attribute
    waiting = [{"Key": TTL_TAG, "Value": ttl}] if ttl else []
    return [*waiting, {"Key": TAGS_TAG, "Value": backup.id}] if backup.table.tags else waiting


def _with_keys(keys: TableKeys, backup: Backup) -> dict[str, Any]:
    given = {"HASH": keys.hash_key, **({"RANGE": keys.range_key} if keys.range_key else {})}
    return {
        "TableArn": backup.summary.table_arn,
        "KeySchema": [{"AttributeName": key.name, "KeyType": kind} for kind, key in given.items()],
        "AttributeDefinitions": [{"AttributeName": key.name, "AttributeType": key.type} for key in given.values()],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "TableStatus": "ACTIVE",
    }


def segments_of(job: Any, backup: Backup) -> tuple[int, str]:
    """How many segments, and why, in words."""
    files, items = len(backup.files), backup.summary.items
    if isinstance(job.segments, int):
        return job.segments, f"segments: {job.segments}, as the job says"
    wanted = max(job.parallel, -(-items // _SEGMENT_ITEMS))
    count = max(1, min(MOST_SEGMENTS, files, wanted))
    return count, f"segments: {count} for {items:,} items in {files} data files"
