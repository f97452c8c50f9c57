"""Purge: a base that starts over deletes from its target what the source does not have any more."""

from __future__ import annotations

from dynamodb_copy.errors import MirrorRefusedError
from dynamodb_copy.model import Key, Tally
from dynamodb_copy.phases.comparing import Tables, keeping
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import leased
from dynamodb_copy.phases.ends import target_writer
from dynamodb_copy.phases.prepare import holds_items, readable_source
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.key_lookup import absent
from dynamodb_copy.sources.table_scan import only_keys
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.steps.selecting import deleting


def purge(context: AnyContext, plan: Plan) -> int:
    """Delete each key of the target that a strongly consistent read of the source does not find; return how many.

    Whatever the source holds later comes with its changes, which are replayed from before the base on. Raises
    MirrorRefusedError when the source is empty.
    """
    with leased(context, plan, RowKey(context.run, "purge")) as (fence, _):
        tables = Tables(context, plan, keeping(context, plan))
        if not holds_items(context, context.source_client, readable_source(context)):
            raise MirrorRefusedError(
                f"{plan.source_arn} is empty: starting over would delete every item of {plan.target_arn}; empty it by "
                "hand if that is meant"
            )
        wire, limiter = context.wire(context.source_client), context.limiter("read", plan.read_units)

        def gone(keys: list[Key]) -> list[Key]:
            return absent(wire, context.job.source.table, plan.keys, keys, limiter)

        scan = tables.target(only_keys(context.job.target.table, plan.keys))
        sink = TableSink(target_writer(context, plan, fence), plan.keys)
        deleted = Tally()
        for segment in scan.segments():
            for durable in sink.absorb(segment, deleting(plan.keys, gone)(scan.pages(segment, after=None))):
                deleted += durable.tally
        return deleted.items
