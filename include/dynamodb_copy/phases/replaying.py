"""Replay: the second stage of a restore, which applies the increments after the full backup to the loaded table."""

from __future__ import annotations

from dataclasses import replace

from dynamodb_copy.engine import copy_segment
from dynamodb_copy.formats.change_lines import KEY_BUCKETS
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases.choosing import chosen
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.copying import Progress, announced, check_tables, fence_out_segments, leased
from dynamodb_copy.phases.ends import changes_source, sink_of
from dynamodb_copy.phases.sealing import segment_report
from dynamodb_copy.report import SegmentReport
from dynamodb_copy.state.checkpoints import segment_key
from dynamodb_copy.state.plans import Plan, find_plan, load_plan, store_plan
from dynamodb_copy.steps.tallying import tallying


def of_changes(context: RestoreContext) -> RestoreContext:
    """The same run in its second stage."""
    return replace(context, stage="changes")


def hand_over(context: RestoreContext, base: Plan) -> Plan:
    """Return the plan of the increments, once the full backup is loaded; without increments it has no segments.

    Raises RunIncompleteError before every segment of the full backup is done.
    """
    changes = of_changes(context)
    stored = find_plan(changes.rows, changes.run)
    if stored is not None:
        return stored
    context.run_lease(base.target_arn).acquire(wait_while_alive=False)
    fence_out_segments(context, base)
    count, reason = replay_segments(context)
    made = replace(base, segment_count=count, reason=reason, notes=(), planned_at=context.wall())
    return store_plan(changes.rows, changes.run, made)


def apply(changes: RestoreContext, plan: Plan, segment: Segment, on_progress: Progress) -> Tally:
    """Replay what earlier attempts left of a segment; return its cumulative tally. `changes` is the second stage."""
    check_tables(changes, plan)
    source = changes_source(changes, plan)
    with leased(changes, plan, segment_key(changes.run, segment)) as held, announced(changes, held, on_progress) as to:
        return copy_segment(source, sink_of(changes, plan, held.fence), segment, to, [tallying])


def replay_segments(context: RestoreContext) -> tuple[int, str]:
    """How many segments the increments are replayed in, and why, in words."""
    job, choice = context.job, chosen(context)
    if not choice.increments:
        return 0, "nothing to replay: the full backup is all"
    count = min(KEY_BUCKETS, job.segments if isinstance(job.segments, int) else job.parallel)
    until = f"up to the second {choice.until}" if choice.until else "to their end"
    return count, f"replay: {len(choice.increments)} increments {until} in {count} segments"


def replayed(context: RestoreContext) -> Tally:
    """What was replayed, once no attempt can send any more; raises RunIncompleteError unless all of it was."""
    return sum([tally for _, tally in _fenced_out(context)], Tally())


def replay_reports(context: RestoreContext) -> list[SegmentReport]:
    """What each segment of the replay took; raises RunIncompleteError unless all is replayed."""
    return [segment_report(f"replay {segment.label}", tally) for segment, tally in _fenced_out(context)]


def _fenced_out(context: RestoreContext) -> list[tuple[Segment, Tally]]:
    if not chosen(context).increments:
        return []
    changes = of_changes(context)
    plan = load_plan(changes.rows, changes.run)
    return list(zip(plan.segments, fence_out_segments(changes, plan), strict=True))
