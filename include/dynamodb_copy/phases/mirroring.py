"""Mirror: the target loses what the source does not have, within guards."""

from __future__ import annotations

from dynamodb_copy.errors import LeaseLostError, MirrorRefusedError
from dynamodb_copy.job import Mirror
from dynamodb_copy.model import Key, Tally
from dynamodb_copy.phases.comparing import Tables, keeping
from dynamodb_copy.phases.context import RunContext
from dynamodb_copy.phases.copying import check_tables, fence_out_segments, leased, mirror_key, target_writer
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.key_lookup import absent
from dynamodb_copy.sources.table_scan import only_keys
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.rows import RUN_DAYS, expiry
from dynamodb_copy.steps.selecting import deleting, selecting


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
    with leased(context, plan, mirror_key(context)) as (fence, holder):
        tables = Tables(context, plan, keeping(context, plan))
        there = tables.survey(tables.target())
        buckets = read.digest.differing(there.digest)
        if buckets:
            _delete(tables, _extra(tables, buckets, there.items), fence, holder)
    return deleted_by(context)


def deleted_by(context: RunContext) -> int:
    """How many keys the run's mirror has deleted so far; a kill may leave out the last page's."""
    row = context.rows.get(mirror_key(context))
    return int(row["deleted"]["N"]) if row and "deleted" in row else 0


def _extra(tables: Tables, buckets: frozenset[int], target_items: int) -> frozenset[bytes]:
    """The key hashes that only the target has, if the run deletes no more than the job allows, all attempts together."""
    setting = tables.context.job.target.mirror
    before = deleted_by(tables.context)
    allowed = setting.max_deletes.limit(target_items + before) if isinstance(setting, Mirror) else 0
    extra = tables.differences(buckets).extra
    if before + len(extra) > allowed:
        done = f"{before} were deleted before" if before else "nothing was"
        raise MirrorRefusedError(
            f"to.mirror.max_deletes: {len(extra)} of the target's {target_items} items are not in the source, "
            f"{allowed} may be deleted, {done}; find out why the source lost them, then raise max_deletes"
        )
    return extra


def _delete(tables: Tables, extra: frozenset[bytes], fence: Fence, holder: str) -> None:
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
            owner = {":me": {"S": holder}}
            if not context.rows.update(mirror_key(context), changes, only_if="holder = :me", values=owner):
                raise LeaseLostError("mirror: another attempt works on it now; this one stops")
