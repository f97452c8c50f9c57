"""Plan: how many segments, how fast, and what is compared; written once per run."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from typing import Any

from dynamodb_copy.aws.tables import Table, ttl_attribute
from dynamodb_copy.errors import RunIncompleteError, TableError
from dynamodb_copy.job import Rate, Share, Units
from dynamodb_copy.phases.context import AnyContext, CopyContext
from dynamodb_copy.phases.prepare import existing_target, readable_source
from dynamodb_copy.state.claims import claim_on
from dynamodb_copy.state.plans import Plan, find_plan, store_plan

MOST_SEGMENTS = 256

_GIB = 1 << 30
_MIB = 1 << 20
_SMALLEST_SEGMENT_BYTES = 64 * _MIB
_SEGMENT_BYTES_PER_SECOND = 4 * _MIB
_BYTES_PER_READ_UNIT = 8192  # eventually consistent


def plan(context: CopyContext) -> Plan:
    """Return the run's plan, making and storing it on the first call."""
    stored = find_plan(context.rows, context.run)
    return store_plan(context.rows, context.run, checked_plan(context)) if stored is None else stored


def checked_plan(context: AnyContext) -> Plan:
    """Make a plan for tables that were prepared; stores nothing."""
    source = readable_source(context)
    target = existing_target(context)
    if not target.is_active:
        raise TableError(f"to.table: {target.arn} is {target.status}; wait until it and its indexes are ACTIVE")
    found = claim_on(context.rows, target.arn)
    if found is None or (found.source_arn, found.target_id) != (source.arn, target.table_id):
        raise RunIncompleteError(
            f"to.table: {target.arn} was not prepared to be filled from {source.arn}; let the run's prepare task "
            "succeed first: marking it as success checks nothing"
        )
    return make_plan(context, source, target)


def make_plan(context: AnyContext, source: Table, target: Table) -> Plan:
    """Decide everything that the run's tasks need to know; stores nothing."""
    job = context.job
    ttl = ttl_attribute(context.source_client, source.name)
    read_units = resolved(job.read, source.read_capacity())
    segments, reason = segment_count(job, source.size_bytes, read_units)
    planned_at = context.wall()
    return Plan(
        job_name=job.name,
        job_text=job.text,
        source_arn=source.arn,
        source_id=source.table_id,
        target_arn=target.arn,
        target_id=target.table_id,
        key_names=tuple(name for name in source.keys if name is not None),
        ttl_attribute=ttl,
        expires_before=int(planned_at + job.timeout.total_seconds()) if ttl else 0,
        segment_count=segments,
        read_units=read_units,
        verify_read_units=resolved(job.read, target.read_capacity()),
        write_units=write_limits(job.write, target),
        reason=reason,
        notes=tuple(differing_settings(source, target)),
        planned_at=planned_at,
    )


def resolved(rate: Rate, capacity: float) -> float | None:
    """Units per second that the rate allows; None is unlimited."""
    match rate:
        case Share(share):
            return max(1.0, share * capacity)
        case Units(units):
            return units
    return None


def write_limits(write: Rate, target: Table) -> dict[str, float]:
    """Units per second by index name, the table itself under ""; empty when unlimited."""
    capacities = {"": target.write_capacity(), **target.index_write_capacity()}
    limits = {name: resolved(write, capacity) for name, capacity in capacities.items()}
    return {name: units for name, units in limits.items() if units is not None}


def segment_count(job: Any, size_bytes: int, read_units: float | None) -> tuple[int, str]:
    """How many segments, and why, in words."""
    if isinstance(job.segments, int):
        return job.segments, f"segments: {job.segments}, as the job says"
    by_size = ceil(size_bytes / _GIB)
    most_useful = ceil(size_bytes / _SMALLEST_SEGMENT_BYTES)
    bytes_per_second = inf if read_units is None else read_units * _BYTES_PER_READ_UNIT
    by_speed = ceil(min(bytes_per_second / _SEGMENT_BYTES_PER_SECOND, MOST_SEGMENTS))
    count = min(MOST_SEGMENTS, max(1, by_size, min(by_speed, most_useful)))
    limit = "no read limit" if read_units is None else f"a read limit of {read_units:,.0f} units/s"
    return count, (
        f"segments: {count} for {size_bytes / _MIB:,.0f} MiB and {limit} (1 GiB each at most: {by_size}; 64 MiB each "
        f"at least: {most_useful}; to use the limit at 4 MiB/s each: {by_speed})"
    )


def differing_settings(source: Table, target: Table) -> list[str]:
    """What the target does not share with the source because no copy takes it along."""
    settings: dict[str, Callable[[Table], Any]] = {
        "stream": lambda table: bool(table.description.get("StreamSpecification", {}).get("StreamEnabled")),
        "deletion protection": lambda table: bool(table.description.get("DeletionProtectionEnabled")),
        "global table replicas": lambda table: bool(table.description.get("Replicas")),
        "billing on demand": lambda table: table.on_demand,
        "global indexes": lambda table: sorted(index["IndexName"] for index in table.indexes),
    }
    return [
        f"{name}: source {shown(source)}, target {shown(target)} (left as it is)"
        for name, shown in settings.items()
        if shown(source) != shown(target)
    ]
