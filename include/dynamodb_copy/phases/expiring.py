"""Keep: which backups a job no longer needs, and their deletion."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import Entry, entries, open_backup
from dynamodb_copy.chain import mark_of
from dynamodb_copy.errors import ExpirySuspendedError
from dynamodb_copy.formats.manifest import DETAILS, FILE_BYTES, FILES, SUMMARY, read_files
from dynamodb_copy.job import IncrementalBackupJob, Keep
from dynamodb_copy.phases.backing_up import bucket_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.state.seals import condemn, forget, is_condemned, proof_of


def expire(context: AnyContext) -> list[str]:
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


def would_expire(context: AnyContext) -> list[str]:
    """The addresses of what `expire` would delete now."""
    if context.job.keep is None:
        return []
    ours = own_backups(context)
    return [] if has_shrunk(ours) else [_uri(context, entry) for entry in _expendable(context, ours, context.job.keep)]


def _uri(context: AnyContext, entry: Entry) -> str:
    return f"s3://{context.job.target.bucket}/{entry.folder}"


def _expendable(context: AnyContext, ours: Sequence[Entry], keep: Keep) -> list[Entry]:
    now, chained = datetime.fromtimestamp(context.wall(), UTC), isinstance(context.job, IncrementalBackupJob)
    gone = expendable(ours, keep, now, proven(context, ours), chained=chained)
    return [*gone, *_increments_before(context, [entry for entry in ours if entry not in gone])] if chained else gone


def _increments_before(context: AnyContext, kept: Sequence[Entry]) -> list[Entry]:
    """Increments of ours that no full backup that is kept has after it; the newest of them lead to no state alone."""
    bucket = bucket_of(context)
    begin = mark_of(open_backup(bucket, kept[-1].folder, lambda _: None)).moment
    found = [entry for entry in entries(bucket, context.job.target.prefix) if entry.increment is not None]
    return [
        entry
        for entry in found
        if entry.table_arn == kept[-1].table_arn
        and entry.increment is not None
        and datetime.fromisoformat(entry.increment.to_time) <= begin
        and bucket.head(f"{entry.folder}/{DETAILS}") is not None
    ]


def own_backups(context: AnyContext) -> list[Entry]:
    """The sealed backups of the job's source that this product made, the newest first."""
    bucket, table_arn = bucket_of(context), readable_source(context).arn
    full = [entry for entry in entries(bucket, context.job.target.prefix) if entry.kind == "full"]
    ours = [
        entry for entry in full if entry.table_arn == table_arn and bucket.head(f"{entry.folder}/{DETAILS}") is not None
    ]
    return sorted(ours, key=lambda entry: (entry.consistent, entry.id), reverse=True)


def proven(context: AnyContext, ours: Sequence[Entry]) -> frozenset[str]:
    """The ids of those that a drill restored and found whole."""
    return frozenset(entry.id for entry in ours if proof_of(context.rows, entry.id) is not None)


def expendable(
    ours: Sequence[Entry], keep: Keep, now: datetime, proven_ids: Collection[str], *, chained: bool = False
) -> list[Entry]:
    """Those that neither `full` nor `days` keeps, of backups sorted by time, the newest first.

    Never the newest one, nor the newest that a drill proved. Each is as old as its end: `chained` ones end where the
    next one begins.
    """
    newest_proven = next((entry.id for entry in ours if entry.id in proven_ids), None)
    oldest = now - timedelta(days=keep.days) if keep.days else now
    kept_by_count = keep.full or 1
    ends = [entry.consistent for entry in ours[kept_by_count - 1 if chained else kept_by_count :]]
    return [
        entry
        for entry, end in zip(ours[kept_by_count:], ends, strict=False)
        if entry.id != newest_proven and end < oldest
    ]


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


def _end_deletions(context: AnyContext) -> None:
    """Delete what is left of backups whose deletion was cut short."""
    for entry in entries(bucket_of(context), context.job.target.prefix):
        if entry.kind == "unsealed" and is_condemned(context.rows, entry.id, _uri(context, entry)):
            _delete(context, entry)


def _delete(context: AnyContext, entry: Entry) -> None:
    """The summary goes first: from then on the backup does not exist."""
    bucket = bucket_of(context)
    bucket.delete([f"{entry.folder}/{SUMMARY}"])
    bucket.delete(_shared_parts(bucket, entry.folder))
    bucket.delete([found.key for found in bucket.objects(f"{entry.folder}/")])
    forget(context.rows, entry.id)


def _shared_parts(bucket: Bucket, folder: str) -> list[str]:
    """The keys of parts in the data folder that an increment shares with others; a full backup's lie in its own."""
    name = f"{folder}/{FILES}"
    content = bucket.read(name, most_bytes=FILE_BYTES)
    if content is None or next(bucket.objects(f"{folder}/data/"), None) is not None:
        return []
    return [f"{folder.rpartition('/')[0]}/data/{part.name}" for part in read_files(content, name)]
