"""Forecast: what a run would do; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_copy.aws.exports import latest_restorable
from dynamodb_copy.aws.tables import describe
from dynamodb_copy.phases.backing_up import bucket_of
from dynamodb_copy.phases.backing_up import make_plan as make_plan_of_backup
from dynamodb_copy.phases.context import BackupContext, CopyContext
from dynamodb_copy.phases.expiring import would_expire
from dynamodb_copy.phases.planning import make_plan
from dynamodb_copy.phases.prepare import check_encryption, check_shapes, readable_source

_BYTES_PER_READ_UNIT = 8192  # eventually consistent; half of it consistent
_BYTES_PER_WRITE_UNIT = 1024


@dataclass(frozen=True, slots=True)
class Forecast:
    """A run before it runs, by the service's estimates of items and bytes, which are some hours old."""

    segments: int
    items: int
    bytes: int
    seconds: float | None  # at the limits; None when nothing limits
    read_units: float
    write_units: float
    creates_target: bool
    notes: list[str]


@dataclass(frozen=True, slots=True)
class BackupForecast:
    """A backup before it runs."""

    segments: int
    items: int  # as the service last counted them, like the bytes
    bytes: int
    seconds: float | None  # at the limit; None when nothing limits, or an export is made
    read_units: float  # none for an export
    would_delete: list[str]  # what `keep` no longer keeps now
    notes: list[str]


def forecast_backup(context: BackupContext) -> BackupForecast:
    """Check what can be checked without writing, and estimate; raises what prepare would raise."""
    source = readable_source(context)
    bucket_of(context).check_private()
    plan = make_plan_of_backup(context, source, "")
    is_scan = context.job.engine == "scan"
    if not is_scan:
        latest_restorable(context.source_client, source.name)
    read = source.size_bytes / _BYTES_PER_READ_UNIT * (2 if context.job.consistent else 1) if is_scan else 0.0
    return BackupForecast(
        segments=plan.segment_count,
        items=source.item_count,
        bytes=source.size_bytes,
        seconds=read / plan.read_units if is_scan and plan.read_units else None,
        read_units=read,
        would_delete=would_expire(context),
        notes=[
            plan.reason if is_scan else "engine: export: the service makes it, and the table's capacity is not used"
        ],
    )


def forecast(context: CopyContext) -> Forecast:
    """Check what can be checked without writing, and estimate; raises what prepare would raise."""
    source = readable_source(context)
    target = describe(context.target_client, context.job.target.table)
    if target is None:
        check_encryption(context, source)
    else:
        check_shapes(source, target)
    plan = make_plan(context, source, target or source)
    read = source.size_bytes / _BYTES_PER_READ_UNIT * (2 if context.job.consistent else 1)
    average = source.size_bytes / max(1, source.item_count)
    write = source.item_count * max(1.0, -(-average // _BYTES_PER_WRITE_UNIT))
    limits = [(read, plan.read_units), (write, plan.write_units.get(""))]
    seconds = [units / per_second for units, per_second in limits if per_second is not None]
    return Forecast(
        segments=plan.segment_count,
        items=source.item_count,
        bytes=source.size_bytes,
        seconds=max(seconds, default=None),
        read_units=read,
        write_units=write,
        creates_target=target is None,
        notes=[plan.reason, *plan.notes],
    )
