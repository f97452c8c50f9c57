"""Catching up: a table that is brought up to date by its source's changes, after a base if it has none yet.

Everything between two runs is in the target's position. A run that was cut short leaves it where its segments'
checkpoints are; the next run goes on from there.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from dynamodb_copy.aws.tables import Table, describe
from dynamodb_copy.errors import ChangesLostError, TargetBusyError
from dynamodb_copy.model import Tally
from dynamodb_copy.phases import prepare as preparing
from dynamodb_copy.phases.advancing import advanced
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import fence_out_segments
from dynamodb_copy.phases.exported import exported_full
from dynamodb_copy.phases.feeds import Feed, feed_of
from dynamodb_copy.phases.full_exports import check_recovery_for_base, full_is_exported, renew_failed_full
from dynamodb_copy.phases.gaps import gap, standing
from dynamodb_copy.phases.moments import end_of_scan
from dynamodb_copy.phases.planning import checked_plan
from dynamodb_copy.phases.positioning import left_behind, moved, required_position
from dynamodb_copy.phases.prepare import Prepared, existing_target, readable_source
from dynamodb_copy.phases.purging import purge
from dynamodb_copy.phases.restoring import segments_of
from dynamodb_copy.state.plans import Plan, find_plan, store_plan
from dynamodb_copy.state.positions import Position, move, position_of

_log = logging.getLogger(__name__)


def prepare(context: AnyContext) -> Prepared:
    """Check source, target and what lies between them; create a missing target, mark where its changes begin.

    Raises what a full copy's `prepare` raises, and ChangesLostError for a gap, unless the job says `on_gap: full`;
    then nothing was written.
    """
    source = readable_source(context)
    feed = feed_of(context, source)
    target = describe(context.target_client, context.job.target.table)
    feed.check("" if target is None else target.arn)
    reason = gap(context, feed, source, target)
    if reason and context.job.changes.on_gap == "fail":
        raise ChangesLostError(
            f"{context.job.target.where}: {reason}; changes between the two may be missing for good: say "
            "changes: {on_gap: full} to start over with a full copy, which also deletes what the source does not have"
        )
    position = None if reason else standing(context, target)
    check_recovery_for_base(context, source, position)
    is_based = position is not None and position.based is not None
    prepared = preparing.prepare(context, scans=not is_based and context.job.base == "scan")
    feed.ready(prepared.target_arn)
    position = _begun(context, feed, source, reason)
    renew_failed_full(context, prepared.target_arn, position)
    if warning := feed.warning(position):
        _log.warning("%s: %s", context.job.name, warning)
    notes = [f"starting over with a full copy: {reason}"] if reason else []
    return replace(prepared, notes=[*prepared.notes, *notes, *([warning] if warning else [])])


def plan(context: AnyContext) -> Plan:
    """Return the plan of the run's base, which has no segments when the target has one already."""
    stored = find_plan(context.rows, context.run)
    if stored is not None:
        return stored
    made = checked_plan(context)
    position = required_position(context, made.target_arn)
    if position.based is not None:
        made = replace(made, segment_count=0, notes=(), reason="no base: the target has one, and a position")
    elif context.job.base == "export":
        backup = exported_full(context, made.target_arn, position)
        segments, reason = segments_of(context.job, backup)
        made = replace(made, segment_count=segments, reason=reason)
    return store_plan(context.rows, context.run, made)


def base_is_exported(context: AnyContext) -> bool:
    """Whether the service's export of the base is done, or none is needed."""
    target_arn = existing_target(context).arn
    position = required_position(context, target_arn)
    return position.based is not None or full_is_exported(context, target_arn, position)


def hand_over(context: AnyContext, base: Plan) -> Plan:
    """Return the plan of the run's changes, which begins where the target stands, once its base is whole.

    Raises RunIncompleteError before every segment of a base is done. What an earlier run left over is taken over.
    """
    changes = replace(context, stage="changes")
    stored = find_plan(changes.rows, changes.run)
    if stored is not None:
        return stored
    context.run_lease(base.target_arn).acquire(wait_while_alive=False)
    position = required_position(context, base.target_arn)
    if position.under_way != changes.run:
        feed = feed_of(context, readable_source(context))
        position = moved(context, base, _left_over(changes, position), position)
        if position.based is None:
            position = _based(context, base, position)
        following = replace(feed.follow(position), under_way=changes.run)
        position = moved(context, base, following, position)
    return store_plan(changes.rows, changes.run, _plan_of_changes(context, base, position))


def _begun(context: AnyContext, feed: Feed, source: Table, reason: str) -> Position:
    """The position to go on from; a new one where there is none of this very table, or a gap."""
    target = existing_target(context)
    here = None if reason else standing(context, target)
    if here is not None:
        return here
    position = position_of(context.rows, target.arn)
    bases = 1 if position is None else position.bases + 1
    blank = Position(source.arn, source.table_id, target.table_id, context.job.changes.by, 0.0, 0.0, bases=bases)
    begun = move(context.rows, target.arn, replace(feed.begin(blank), is_fresh=not reason), in_place_of=position)
    if begun is None:
        raise TargetBusyError(f"{target.arn}: another run began in this moment; try again")
    return begun


def _left_over(changes: AnyContext, position: Position) -> Position:
    """Where the run that was under way has come to; none of its attempts can send any more."""
    checkpoints = left_behind(changes, position)
    return replace(advanced(position, checkpoints) if checkpoints else position, under_way="")


def _based(context: AnyContext, base: Plan, position: Position) -> Position:
    """The position once the base is whole: what the source does not have is deleted where a base starts over.

    With `existing: allow` nothing is: the target may hold what was never the source's.
    """
    read = sum(fence_out_segments(context, base), Tally())
    if not position.is_fresh and context.job.target.existing == "refuse":
        purge(context, base)
    if context.job.base == "export":
        based = exported_full(context, base.target_arn, position).consistent.timestamp()
    else:
        based = end_of_scan(context)
    return moved(context, base, replace(position, based=based, base_items=read.items, is_fresh=True), position)


def _plan_of_changes(context: AnyContext, base: Plan, position: Position) -> Plan:
    feed = feed_of(context, readable_source(context))
    count = feed.segments(position)
    return replace(
        base,
        segment_count=count,
        reason=f"changes by {position.by}, segments: {count}" if count else "nothing to read yet: no window has ended",
        notes=(),
        planned_at=context.wall(),
    )
