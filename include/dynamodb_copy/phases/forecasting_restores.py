"""Forecast of restores and drills: which backup, into what, how long; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dynamodb_copy.aws.tables import Table, describe
from dynamodb_copy.catalogue import Backup, check_parts_are_there, entries, newest
from dynamodb_copy.errors import BackupRefusedError, TableError, TargetRefusedError
from dynamodb_copy.job import S3At
from dynamodb_copy.job.rehearsals import rehearsal_of
from dynamodb_copy.phases.choosing import opened
from dynamodb_copy.phases.context import AnyContext, DrillContext, RestoreContext
from dynamodb_copy.phases.listing import item_bytes
from dynamodb_copy.phases.planning import write_limits
from dynamodb_copy.phases.prepare import check_encryption, check_keys
from dynamodb_copy.phases.restoring import check_ownership, described_by, segments_of
from dynamodb_copy.phases.scratch import scratch_name

_BYTES_PER_WRITE_UNIT = 1024
_IMPORTED = "engine: import: the service makes the table, and no write capacity is used"


@dataclass(frozen=True, slots=True)
class RestoreForecast:
    """A restore or a drill before it runs; items are counted by the backup, bytes are of the items."""

    id: str  # of the backup that would be chosen
    uri: str
    consistent: str  # ISO 8601
    age_seconds: float
    table: str  # ARN of the table that was backed up
    items: int
    bytes: int
    target: str  # where the items would go
    creates_target: bool
    segments: int  # none for an import
    seconds: float | None  # at the write limit; None when nothing limits, or the service imports
    write_units: float  # of the table; those of indexes come on top
    notes: list[str]


def forecast_restore(context: RestoreContext, as_of: datetime | None) -> RestoreForecast:
    """Check what can be checked without writing, and estimate; raises what choose and prepare would raise."""
    backup, notes = newest_backup(context, as_of)
    sum(check_parts_are_there(backup))
    return _forecast(context, backup, notes)


def forecast_drill(context: DrillContext) -> RestoreForecast:
    """Check what can be checked without writing, and estimate; raises what choose and create would raise."""
    backup, notes = newest_backup(context, None)
    size, objectives = max(item_bytes(backup), sum(check_parts_are_there(backup))), context.job.drill
    if size > objectives.max_bytes:
        raise BackupRefusedError(
            f"drill.max_bytes: {backup.uri} holds {size:,} bytes, allowed are {objectives.max_bytes:,}; raise "
            "max_bytes if the costs of such a restore are meant"
        )
    table = backup.summary.table_arn.rpartition("/")[2]
    of_any: AnyContext = context
    restore: RestoreContext = replace(of_any, job=rehearsal_of(context.job, scratch_name(table, context.run)))
    forecast = _forecast(restore, backup, notes)
    if forecast.age_seconds > objectives.rpo.total_seconds():
        forecast.notes.append(f"drill.rpo: the backup is older than {objectives.rpo}: a drill would miss its objective")
    return replace(forecast, target=f"a scratch table in {context.job.target.region}")


def newest_backup(context: AnyContext, as_of: datetime | None) -> tuple[Backup, list[str]]:
    """The backup that a run would choose, checked, and what it would pass over; unlike `choose`, it remembers nothing.

    Raises BackupRefusedError when there is none.
    """
    place: S3At = context.job.source
    found = entries(context.bucket(place), place.prefix)
    entry = newest(found, until=as_of)
    if entry is None:
        until = "" if as_of is None else f" at or before {as_of.isoformat()}"
        raise BackupRefusedError(
            f"from.s3: {place.s3} holds no sealed full backup{until}; let a backup job seal one, or correct from.s3 to "
            "the prefix above AWSDynamoDB/: `backups` lists what is there"
        )
    passed_over = [f"passed over: {each.problem}" for each in found if each.kind == "damaged"]
    return opened(context, entry.folder), passed_over


def _forecast(context: RestoreContext, backup: Backup, notes: list[str]) -> RestoreForecast:
    source = described_by(context, backup)
    target = describe(context.target_client, context.job.target.table)
    _check(context, source, target)
    is_loaded = context.job.engine == "load"
    segments, reason = segments_of(context.job, backup) if is_loaded else (0, _IMPORTED)
    items, size = backup.summary.items, item_bytes(backup)
    average = size / max(1, items)
    write = items * max(1.0, -(-average // _BYTES_PER_WRITE_UNIT)) if is_loaded else 0.0
    limit = write_limits(context.job.write, target or source).get("")
    return RestoreForecast(
        id=backup.id,
        uri=backup.uri,
        consistent=backup.consistent.isoformat(),
        age_seconds=context.wall() - backup.consistent.timestamp(),
        table=backup.summary.table_arn,
        items=items,
        bytes=size,
        target=context.job.target.where,
        creates_target=target is None,
        segments=segments,
        seconds=write / limit if is_loaded and limit else None,
        write_units=write,
        notes=[reason, *notes],
    )


def _check(context: RestoreContext, source: Table, target: Table | None) -> None:
    if context.job.engine == "import":
        _check_import(source, target)
    if target is None:
        check_encryption(context, source)
    else:
        check_keys(source, target)
        check_ownership(context, target)


def _check_import(source: Table, target: Table | None) -> None:
    """What ImportTable cannot do."""
    if source.description.get("LocalSecondaryIndexes"):
        raise TableError(
            "engine: ImportTable makes no local secondary indexes, and the table had some; say engine: load"
        )
    if target is not None:
        raise TargetRefusedError(
            f"to.table: {target.arn} exists, and ImportTable only makes new tables; name another one, or say "
            "engine: load"
        )
