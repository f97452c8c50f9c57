"""Repair: write only what differs."""

from __future__ import annotations

from dynamodb_copy.differences import Differences
from dynamodb_copy.phases.comparing import Tables, compare, keeping
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import leased
from dynamodb_copy.phases.ends import target_writer
from dynamodb_copy.phases.planning import plan
from dynamodb_copy.phases.prepare import existing_target, prepare
from dynamodb_copy.report import Verdict
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.steps.selecting import selecting


def repair(context: AnyContext) -> Verdict:
    """Write the items that the target lacks or holds otherwise, then compare again; extra items stay.

    Raises TableError when there is no target, TargetRefusedError when it is not this job's to write.
    """
    existing_target(context)
    prepare(context)
    repair_plan = plan(context)
    with leased(context, repair_plan, RowKey(context.run, "repair")) as (fence, _):
        tables = Tables(context, repair_plan, keeping(context, repair_plan))
        buckets = tables.survey(tables.source()).digest.differing(tables.survey(tables.target()).digest)
        found = tables.differences(buckets) if buckets else Differences()
        scan = tables.source()
        sink = TableSink(target_writer(context, repair_plan, fence), repair_plan.keys)
        step = selecting(repair_plan.keys, found.missing | found.changed)
        for segment in scan.segments():
            for _durable in sink.absorb(segment, step(scan.pages(segment, after=None))):
                fence.check()
        verdict = compare(tables, show_keys=False)
    context.run_lease(repair_plan.target_arn).release()
    return verdict
