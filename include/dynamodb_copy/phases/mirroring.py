"""Mirror: the target loses what the source does not have, within guards."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from dynamodb_copy.differences import HASH_BYTES, Differences
from dynamodb_copy.errors import LeaseLostError, MirrorRefusedError, RunIncompleteError
from dynamodb_copy.job import Mirror
from dynamodb_copy.model import BUCKETS, Key, Tally
from dynamodb_copy.phases.comparing import Tables, keeping
from dynamodb_copy.phases.context import CopyContext
from dynamodb_copy.phases.copying import check_tables, fence_out_segments, leased, mirror_key
from dynamodb_copy.phases.ends import target_writer
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.key_lookup import absent
from dynamodb_copy.sources.table_scan import only_keys
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, expiry
from dynamodb_copy.steps.selecting import deleting, selecting

_DELETED = "mirror#deleted#"
_MOST_REMEMBERED = 15_000  # a row of 240 KB, of the service's 400


def mirror(context: CopyContext, plan: Plan) -> int:
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
            extra = _extra(tables, buckets, there.items)
            _remember(context, extra, holder)
            _delete(tables, extra.extra, fence, holder)
        _note(context, holder, {"done": {"BOOL": True}})
    return deleted_by(context)


def deleted_by(context: CopyContext) -> int:
    """How many keys the run's mirror has deleted so far; a kill may leave out the last page's."""
    row = context.rows.get(mirror_key(context))
    return int(row["deleted"]["N"]) if row and "deleted" in row else 0


def mirrored_items(context: CopyContext) -> Mapping[int, set[int]]:
    """The hashes of the items that the run's mirror deleted, or meant to, for each key bucket; empty without a mirror.

    Raises RunIncompleteError when the job mirrors and its mirror did not come to its end.
    """
    if not context.job.target.mirror:
        return {}
    row = context.rows.get(mirror_key(context))
    if row is None or "done" not in row:
        raise RunIncompleteError(
            "the run's mirror did not come to its end; let its task run: marking it as success deletes nothing"
        )
    deleted: dict[int, set[int]] = {bucket: set() for bucket in range(BUCKETS)}
    for row in context.rows.query(context.run, _DELETED):
        packed = base64.b64decode(row["items"]["B"])
        items = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        deleted[int(row["bucket"]["N"])].update(int.from_bytes(item, "big") for item in items)
    return deleted


def _extra(tables: Tables, buckets: frozenset[int], target_items: int) -> Differences:
    """What only the target has, if the run deletes no more than the job allows, all its attempts together."""
    setting = tables.context.job.target.mirror
    before = deleted_by(tables.context)
    allowed = setting.max_deletes.limit(target_items + before) if isinstance(setting, Mirror) else 0
    found = tables.differences(buckets)
    if before + len(found.extra) > allowed:
        done = f"{before} were deleted before" if before else "nothing was"
        raise MirrorRefusedError(
            f"to.mirror.max_deletes: {len(found.extra)} of the target's {target_items} items are not in the source, "
            f"{allowed} may be deleted, {done}; find out why the source lost them, then raise max_deletes"
        )
    return found


def _remember(context: CopyContext, extra: Differences, holder: str) -> None:
    """Keep what is deleted as hashes: verify has to tell what was read and deleted later from what is missing."""
    for bucket, here in extra.buckets.items():
        packed = b"".join(item.to_bytes(HASH_BYTES, "big") for item in here.extra_items[:_MOST_REMEMBERED])
        row = {"bucket": {"N": str(bucket)}, "items": {"B": base64.b64encode(packed).decode()}}
        if packed:
            context.rows.put(
                RowKey(context.run, f"{_DELETED}{bucket}#{holder}"), row | {"expires_at": expiry(RUN_DAYS)}
            )


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
            _note(context, holder, {"deleted": {"N": str(deleted)}, "expires_at": expiry(RUN_DAYS)})


def _note(context: CopyContext, holder: str, changes: Row) -> None:
    if not context.rows.update(mirror_key(context), changes, only_if="holder = :me", values={":me": {"S": holder}}):
        raise LeaseLostError("mirror: another attempt works on it now; this one stops")
