"""The concrete source and sink of a run's segments, by the kind of its job."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from dynamodb_copy.catalogue import Backup
from dynamodb_copy.job import BackupJob, RestoreJob
from dynamodb_copy.phases.choosing import backup_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.ports import Fence, Sink, Source
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.s3_backup import S3Backup
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.native_export import DataFile, NativeExport
from dynamodb_copy.sources.table_scan import TableScan, whole_items
from dynamodb_copy.state.plans import Plan


def source_of(
    context: AnyContext, plan: Plan, *, segments: int | None = None, consistent: bool | None = None
) -> Source:
    """What the run reads, in the plan's segments and consistency unless said otherwise."""
    total = segments or plan.segment_count
    if isinstance(context.job, RestoreJob):
        return export_source(backup_of(context), plan, total)
    is_consistent = context.job.consistent if consistent is None else consistent
    request = whole_items(context.job.source.table, consistent=is_consistent)
    return table_source(context, context.source_client, request, segments=total, limit=("read", plan.read_units))


def table_source(
    context: AnyContext, client: Any, request: dict[str, Any], *, segments: int, limit: tuple[str, float | None]
) -> TableScan:
    """A table behind a client, under one of the run's limits (its name, and units per second)."""
    return TableScan(context.wire(client), request, segments, lambda: context.limiter(*limit))


def export_source(backup: Backup, plan: Plan, segments: int) -> NativeExport:
    """The items of a backup."""
    sha256 = {part.name: part.sha256 for part in backup.details.parts} if backup.details else {}
    files = [DataFile(backup.key_of(part.name), part.items, part.md5, sha256.get(part.name)) for part in backup.files]
    return NativeExport(backup.bucket, files, plan.keys, segments)


def sink_of(context: AnyContext, plan: Plan, fence: Fence) -> Sink:
    """What the run writes to, for one attempt."""
    if isinstance(context.job, BackupJob):
        bucket = context.bucket(context.job.target, kms_key=context.job.target.kms_key)
        folder = plan.target_id
        return S3Backup(bucket, folder, uuid4().hex[:8], fence=fence, now=context.clock.now)
    return TableSink(target_writer(context, plan, fence), plan.keys)


def target_writer(context: AnyContext, plan: Plan, fence: Fence) -> BatchWriter:
    """Writes to the target table, under the run's write limits and a fence."""
    limiters = {name: context.limiter(f"write/{name}", units) for name, units in plan.write_units.items()}
    wire = context.wire(context.target_client)
    return BatchWriter(wire, context.job.target.table, fence=fence, budget=CapacityBudget(limiters))
