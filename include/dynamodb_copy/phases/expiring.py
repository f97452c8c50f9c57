"""Keep: which backups a job no longer needs, and their deletion."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from dynamodb_copy.catalogue import Entry, entries
from dynamodb_copy.errors import ExpirySuspendedError
from dynamodb_copy.formats.manifest import DETAILS, SUMMARY
from dynamodb_copy.job import Keep
from dynamodb_copy.phases.backing_up import bucket_of
from dynamodb_copy.phases.context import BackupContext
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.state.seals import condemn, forget, is_condemned, proof_of


def expire(context: BackupContext) -> list[str]:
    """Delete the backups that the job no longer keeps; return their addresses.

    Raises ExpirySuspendedError, and deletes nothing, when the newest backup holds less than half of the one before it.
    """
    if context.job.keep is None:
        return []
    _end_deletions(context)
    ours = own_backups(context)
    check_not_shrunk(ours)
    gone = _expendable(context, ours, context.job.keep)
    for entry in gone:
        condemn(context.rows, entry.id, _uri(context, entry))
        _delete(context, entry)
    return [_uri(context, entry) for entry in gone]


def would_expire(context: BackupContext) -> list[str]:
    """The addresses of what `expire` would delete now."""
    if context.job.keep is None:
        return []
    ours = own_backups(context)
    return [] if has_shrunk(ours) else [_uri(context, entry) for entry in _expendable(context, ours, context.job.keep)]


def _uri(context: BackupContext, entry: Entry) -> str:
    return f"s3://{context.job.target.bucket}/{entry.folder}"


def _expendable(context: BackupContext, ours: Sequence[Entry], keep: Keep) -> list[Entry]:
    return expendable(ours, keep, datetime.fromtimestamp(context.wall(), UTC), proven(context, ours))


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
    if has_shrunk(ours):
        newest, before = ours[:2]
        raise ExpirySuspendedError(
            f"keep: {newest.id} holds {newest.items} items, {before.id} before it held {before.items}; nothing is "
            "deleted until a backup holds at least half of the one before: find out where the items went, and delete "
            "backups by hand if that is meant"
        )


def has_shrunk(ours: Sequence[Entry]) -> bool:
    """Whether the newest backup holds less than half of the one before it."""
    return len(ours) > 1 and 2 * ours[0].items < ours[1].items


def _end_deletions(context: BackupContext) -> None:
    """Delete what is left of backups whose deletion was cut short."""
    for entry in entries(bucket_of(context), context.job.target.prefix):
        if entry.kind == "unsealed" and is_condemned(context.rows, entry.id, _uri(context, entry)):
            _delete(context, entry)


def _delete(context: BackupContext, entry: Entry) -> None:
    """The summary goes first: from then on the backup does not exist."""
    bucket = bucket_of(context)
    bucket.delete([f"{entry.folder}/{SUMMARY}"])
    bucket.delete([found.key for found in bucket.objects(f"{entry.folder}/")])
    forget(context.rows, entry.id)
