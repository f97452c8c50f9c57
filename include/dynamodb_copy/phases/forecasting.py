"""Forecast: what a run would do; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from dynamodb_copy.aws.tables import describe
from dynamodb_copy.phases.context import RunContext
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


def forecast(context: RunContext) -> Forecast:
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
