"""The concrete source and sink of a run's segments, by the kind of its job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

from dynamodb_copy.catalogue import Backup
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.job import BackupJob, IncrementalBackupJob, IncrementalJob, RestoreJob
from dynamodb_copy.phases.choosing import backup_of, chosen, increments_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.exported import exported_full
from dynamodb_copy.phases.positioning import required_position
from dynamodb_copy.ports import Fence, Sink, Source
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.read_back import ReadBack
from dynamodb_copy.sinks.s3_backup import S3Backup
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.chain_state import ChainState
from dynamodb_copy.sources.data_files import DataFile
from dynamodb_copy.sources.increments import Increments
from dynamodb_copy.sources.native_export import NativeExport
from dynamodb_copy.sources.table_scan import TableScan, whole_items
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.stored_increment import Increment


def source_of(
    context: AnyContext, plan: Plan, *, segments: int | None = None, consistent: bool | None = None
) -> Source:
    """What the run reads, in the plan's segments and consistency unless said otherwise."""
    total = segments or plan.segment_count
    if isinstance(context.job, RestoreJob):
        return export_source(backup_of(context), plan, total)
    if isinstance(context.job, IncrementalJob) and context.job.base == "export":
        position = required_position(context, plan.target_arn)
        return export_source(exported_full(context, plan.target_arn, position), plan, total)
    is_consistent = context.job.consistent if consistent is None else consistent
    request = whole_items(context.job.source.table, consistent=is_consistent)
    return table_source(context, context.source_client, request, segments=total, limit=("read", plan.read_units))


def state_source_of(context: AnyContext, plan: Plan, *, segments: int, on_block: Callable[[], None]) -> Source:
    """What the run's target has to hold: what the run reads, or what a backup and its increments lead to."""
    if isinstance(context.job, RestoreJob) and chosen(context).increments:
        return chain_state(context, stored_of(context), plan, segments=segments, on_block=on_block)
    return source_of(context, plan, segments=segments, consistent=True)


class Stored(NamedTuple):
    """A full backup, and what follows it."""

    full: Backup
    increments: Sequence[Increment]
    until: int | None  # epoch microseconds: of their changes, later ones are left out


def stored_of(context: AnyContext) -> Stored:
    """What the run restores."""
    return Stored(backup_of(context), increments_of(context), chosen(context).until_micros)


def chain_state(
    context: AnyContext, stored: Stored, plan: Plan, *, segments: int, on_block: Callable[[], None]
) -> ChainState:
    """What a backup and its increments lead to; `on_block` is called whenever some changes were read."""
    folder = Path(context.opened.enter_context(TemporaryDirectory(prefix="dynamodb-copy-")))
    full = export_source(stored.full, plan, segments)
    return ChainState(full, stored.increments, until=stored.until, folder=folder, on_block=on_block)


def changes_source(context: AnyContext, plan: Plan) -> Increments:
    """The changes of the run's increments, in the plan's segments."""
    return Increments(increments_of(context), plan.keys, plan.segment_count, chosen(context).until_micros)


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
    if isinstance(context.job, BackupJob | IncrementalBackupJob):
        bucket = context.bucket(context.job.target, kms_key=context.job.target.kms_key)
        return S3Backup(bucket, plan.target_id, uuid4().hex[:8], fence=fence, now=context.clock.now)
    return _read_back(context, plan, TableSink(target_writer(context, plan, fence), plan.keys))


def _read_back(context: AnyContext, plan: Plan, sink: Sink) -> Sink:
    """The same, with each key read back from the target, where the job asks for that."""
    if context.job.verify != "changed":
        return sink
    wire, limiter = context.wire(context.target_client), context.limiter("verify", plan.verify_read_units)
    fingerprints = Fingerprints(plan.keys, plan.ttl_attribute, plan.expires_before)
    return ReadBack(sink, wire, context.job.target.table, fingerprints, limiter)


def target_writer(context: AnyContext, plan: Plan, fence: Fence) -> BatchWriter:
    """Writes to the target table, under the run's write limits and a fence."""
    limiters = {name: context.limiter(f"write/{name}", units) for name, units in plan.write_units.items()}
    wire = context.wire(context.target_client)
    return BatchWriter(wire, context.job.target.table, fence=fence, budget=CapacityBudget(limiters))
