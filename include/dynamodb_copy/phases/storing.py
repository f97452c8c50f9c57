"""Store: one segment of the changes of a chain's next increment, under its lease, from its last checkpoint on."""

from __future__ import annotations

from uuid import uuid4

from dynamodb_copy.engine import copy_segment
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases.backing_up import bucket_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import Progress, announced, check_tables, fingerprints, leased
from dynamodb_copy.phases.feeds import feed_of
from dynamodb_copy.phases.positioning import required_position
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.phases.sealing_increments import data_folder, increment_id
from dynamodb_copy.sinks.s3_increment import S3Increment
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.steps.weighing import weighing


def store_changes(context: AnyContext, plan: Plan, segment: Segment, on_progress: Progress) -> Tally:
    """Store the changes of a segment that earlier attempts left; return its cumulative tally.

    Does nothing for a run whose position another one has taken over.
    """
    check_tables(context, plan)
    with leased(context, plan, segment_key(context.run, segment)) as held, announced(context, held, on_progress) as to:
        position = required_position(context, plan.target_arn)
        if position.under_way != context.run:
            return StateCheckpoints(context.rows, context.run, held.holder).load(segment).tally
        source = feed_of(context, readable_source(context)).source(position, plan)
        sink = S3Increment(
            bucket_of(context),
            data_folder(context),
            increment_id(context),
            uuid4().hex[:8],
            plan.keys,
            fence=held.fence,
            now=context.clock.now,
        )
        return copy_segment(source, sink, segment, to, [weighing(fingerprints(plan))])
