"""Forecast of restores and drills: which backup, into what, how long; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dynamodb_copy.aws.tables import Table, describe
from dynamodb_copy.catalogue import Backup
from dynamodb_copy.errors import BackupRefusedError, TableError, TargetRefusedError
from dynamodb_copy.job.rehearsals import rehearsal_of
from dynamodb_copy.phases.context import AnyContext, DrillContext, RestoreContext
from dynamodb_copy.phases.finding import Found, bytes_to_restore, find
from dynamodb_copy.phases.listing import item_bytes
from dynamodb_copy.phases.planning import write_limits
from dynamodb_copy.phases.prepare import check_encryption, check_keys
from dynamodb_copy.phases.restoring import check_ownership, described_by, segments_of
from dynamodb_copy.phases.scratch import scratch_name
from dynamodb_copy.stored_increment import Increment

_BYTES_PER_WRITE_UNIT = 1024
_IMPORTED = "engine: import: the service makes the table, and no write capacity is used"


@dataclass(frozen=True, slots=True)
class RestoreForecast:
    """A restore or a drill before it runs; items are counted by the full backup, bytes are of items and changes."""

    id: str  # of the full backup that would be chosen
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
    increments: int = 0  # that follow it
    changes: int = 0  # in them


def forecast_restore(context: RestoreContext, as_of: datetime | None) -> RestoreForecast:
    """Check what can be checked without writing, and estimate; raises what choose and prepare would raise."""
    found = find(context, as_of)
    bytes_to_restore(found.full, found.increments)
    return _forecast(context, found)


def forecast_drill(context: DrillContext) -> RestoreForecast:
    """Check what can be checked without writing, and estimate; raises what choose and create would raise."""
    found, objectives = find(context, None), context.job.drill
    size = bytes_to_restore(found.full, found.increments)
    if size > objectives.max_bytes:
        raise BackupRefusedError(
            f"drill.max_bytes: {found.described} holds {size:,} bytes, allowed are {objectives.max_bytes:,}; raise "
            "max_bytes if the costs of such a restore are meant"
        )
    table = found.full.summary.table_arn.rpartition("/")[2]
    of_any: AnyContext = context
    restore: RestoreContext = replace(of_any, job=rehearsal_of(context.job, scratch_name(table, context.run)))
    forecast = _forecast(restore, found)
    if forecast.age_seconds > objectives.rpo.total_seconds():
        forecast.notes.append(f"drill.rpo: the backup is older than {objectives.rpo}: a drill would miss its objective")
    return replace(forecast, target=f"a scratch table in {context.job.target.region}")


def _forecast(context: RestoreContext, found: Found) -> RestoreForecast:
    backup = found.full
    source = described_by(context, backup)
    target = describe(context.target_client, context.job.target.table)
    _check(context, source, target)
    is_loaded = context.job.engine == "load"
    segments, reason = segments_of(context.job, backup) if is_loaded else (0, _IMPORTED)
    write = sum(_write_units(each) for each in found.stored) if is_loaded else 0.0
    limit = write_limits(context.job.write, target or source).get("")
    return RestoreForecast(
        id=backup.id,
        uri=backup.uri,
        consistent=found.consistent.isoformat(),
        age_seconds=context.wall() - found.consistent.timestamp(),
        table=backup.summary.table_arn,
        items=backup.summary.items,
        bytes=sum(item_bytes(each) for each in found.stored),
        target=context.job.target.where,
        creates_target=target is None,
        segments=segments,
        seconds=write / limit if is_loaded and limit else None,
        write_units=write,
        notes=[reason, *_replay(found), *found.notes],
        increments=len(found.increments),
        changes=sum(increment.summary.items for increment in found.increments),
    )


def _replay(found: Found) -> list[str]:
    if not found.increments:
        return []
    changes = sum(increment.summary.items for increment in found.increments)
    return [f"then {changes:,} changes of {len(found.increments):,} increments are replayed"]


def _write_units(stored: Backup | Increment) -> float:
    """Of the table, when all of it is written; an increment's later changes are counted too."""
    items = stored.summary.items
    average = item_bytes(stored) / max(1, items)
    return items * max(1.0, -(-average // _BYTES_PER_WRITE_UNIT))


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
