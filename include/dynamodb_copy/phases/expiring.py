"""Keep: which backups a job no longer needs, and their deletion."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import Entry, entries
from dynamodb_copy.errors import ExpirySuspendedError
from dynamodb_copy.formats.manifest import DETAILS, SUMMARY
from dynamodb_copy.job import Keep
from dynamodb_copy.phases.backing_up import bucket_of
from dynamodb_copy.phases.context import BackupContext
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.state.seals import proof_of


def expire(context: BackupContext) -> list[str]:
    """Delete the backups that the job no longer keeps; return their addresses.

    Raises ExpirySuspendedError, and deletes nothing, when the newest backup holds less than half of the one before it.
    """
    ours = own_backups(context) if context.job.keep else []
    check_not_shrunk(ours)
    bucket, gone = bucket_of(context), _expendable(context, ours)
    for entry in gone:
        _delete(bucket, entry)
    return [f"s3://{bucket.name}/{entry.folder}" for entry in gone]


def would_expire(context: BackupContext) -> list[str]:
    """The addresses of what `expire` would delete now."""
    gone = _expendable(context, own_backups(context) if context.job.keep else [])
    return [f"s3://{context.job.target.bucket}/{entry.folder}" for entry in gone]


def _expendable(context: BackupContext, ours: Sequence[Entry]) -> list[Entry]:
    if context.job.keep is None:
        return []
    return expendable(ours, context.job.keep, datetime.fromtimestamp(context.wall(), UTC), proven(context, ours))


def own_backups(context: BackupContext) -> list[Entry]:
    """The sealed backups of the job's source that this product made, the newest first."""
    bucket, table_arn = bucket_of(context), readable_source(context).arn
    full = [entry for entry in entries(bucket, context.job.target.prefix) if entry.kind == "full"]
    ours = [
        entry for entry in full if entry.table_arn == table_arn and bucket.head(f"{entry.folder}/{DETAILS}") is not None
    ]
    return sorted(ours, key=lambda entry: (entry.consistent, entry.id), reverse=True)


def proven(context: BackupContext, ours: Sequence[Entry]) -> frozenset[str]:
    """The ids of those that a drill restored and found whole."""
    return frozenset(entry.id for entry in ours if proof_of(context.rows, entry.id) is not None)


def expendable(ours: Sequence[Entry], keep: Keep, now: datetime, proven_ids: Collection[str]) -> list[Entry]:
    """Those that neither `full` nor `days` keeps, of backups sorted by time, the newest first.

    Never the newest one, nor the newest that a drill proved.
    """
    newest_proven = next((entry.id for entry in ours if entry.id in proven_ids), None)
    oldest = now - timedelta(days=keep.days) if keep.days else now
    kept_by_count = keep.full or 1
    return [entry for entry in ours[kept_by_count:] if entry.id != newest_proven and entry.consistent < oldest]


def check_not_shrunk(ours: Sequence[Entry]) -> None:
    """Raise ExpirySuspendedError when the newest backup holds less than half of the one before it."""
    match ours:
        case [newest, before, *_] if 2 * newest.items < before.items:
            raise ExpirySuspendedError(
                f"keep: {newest.id} holds {newest.items} items, {before.id} before it held {before.items}; nothing is "
                "deleted until a backup holds more than half of the one before: find out where the items went, and "
                "delete backups by hand if that is meant"
            )


def _delete(bucket: Bucket, entry: Entry) -> None:
    """The summary goes first: from then on the backup does not exist."""
    bucket.delete([f"{entry.folder}/{SUMMARY}"])
    bucket.delete([found.key for found in bucket.objects(f"{entry.folder}/")])
