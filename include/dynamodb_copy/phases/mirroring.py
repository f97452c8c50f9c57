"""Mirror: the target loses what the source does not have, within guards."""

from __future__ import annotations

from dynamodb_copy.errors import MirrorRefusedError
from dynamodb_copy.job import Mirror
from dynamodb_copy.model import BUCKETS, Key, Tally
from dynamodb_copy.phases.comparing import Tables, keeping
from dynamodb_copy.phases.context import RunContext
from dynamodb_copy.phases.copying import check_tables, fence_out_segments, leased, target_writer
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.key_lookup import absent
from dynamodb_copy.sources.table_scan import only_counts, only_keys
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.steps.selecting import deleting, selecting
from dynamodb_copy.verify import survey


def mirror(context: RunContext, plan: Plan) -> int:
    """Delete from the target exactly the keys that the source does not have; return how many this run deleted.

    Raises MirrorRefusedError, before anything is deleted, when a guard holds.
    """
    check_tables(context, plan)
    read = sum(fence_out_segments(context, plan), Tally())
    if read.items == 0:
        raise MirrorRefusedError(
            "the source is empty: mirror would delete every item of the target; empty it by hand if that is meant"
        )
    with leased(context, plan, _key(context)) as (fence, _):
        tables = Tables(context, plan, keeping(context, plan))
        there = survey(tables.target(only_counts(context.job.target.table, None, 0)), [], on_page=tables.on_page)
        if there.items > read.items:
            _delete(tables, _extra(tables, there.items), fence)
    return deleted_by(context)


def deleted_by(context: RunContext) -> int:
    """How many keys the run's mirror has deleted so far."""
    row = context.rows.get(_key(context))
    return int(row["deleted"]["N"]) if row and "deleted" in row else 0


def _key(context: RunContext) -> RowKey:
    return RowKey(context.run, "mirror")


def _extra(tables: Tables, target_items: int) -> frozenset[bytes]:
    """The key hashes that only the target has, if they are no more than the job allows to delete."""
    setting = tables.context.job.target.mirror
    allowed = setting.max_deletes.limit(target_items) if isinstance(setting, Mirror) else 0
    extra = tables.differences(range(BUCKETS)).extra
    if len(extra) > allowed:
        raise MirrorRefusedError(
            f"to.mirror.max_deletes: {len(extra)} of the target's {target_items} items are not in the source, "
            f"{allowed} may be deleted, nothing was; look why the source lost them, and raise max_deletes if that is right"
        )
    return extra


def _delete(tables: Tables, extra: frozenset[bytes], fence: Fence) -> None:
    """Delete these keys, each after a consistent read of the source found nothing under it."""
    context, plan = tables.context, tables.plan
    wire = context.wire(context.source_client)
    limiter = context.limiter("read", plan.read_units)

    def gone(keys: list[Key]) -> list[Key]:
        return absent(wire, context.job.source.table, plan.keys, keys, limiter)

    scan = tables.target(only_keys(context.job.target.table, plan.keys))
    sink = TableSink(target_writer(context, plan, fence), plan.keys)
    deleted = deleted_by(context)
    for segment in scan.segments():
        pages = deleting(plan.keys, gone)(selecting(plan.keys, extra)(scan.pages(segment, after=None)))
        for durable in sink.absorb(segment, pages):
            deleted += durable.tally.items
            changes = {"deleted": {"N": str(deleted)}, "expires_at": expiry(RUN_DAYS)}
            context.rows.update(_key(context), changes)
