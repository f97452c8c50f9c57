"""Extending a chain: a full backup where there is none, then an increment of what changed since the last one.

Everything between two runs is in the chain's position. What a run that was cut short has stored is left out and read
again; a run that had all of it stored is sealed by the next one.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from dynamodb_copy.aws.tables import Table
from dynamodb_copy.catalogue import entries, newest
from dynamodb_copy.errors import ChangesLostError, TargetBusyError, TargetRefusedError
from dynamodb_copy.formats.manifest_writer import instant
from dynamodb_copy.formats.marks import Mark, stream_mark
from dynamodb_copy.model import Tally
from dynamodb_copy.phases import backing_up
from dynamodb_copy.phases.backing_up import bucket_of, folder_of, id_of, place_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.exported import exported_full
from dynamodb_copy.phases.feeds import Feed, feed_of
from dynamodb_copy.phases.full_exports import (
    check_recovery_for_base,
    full_is_exported,
    renew_failed_full,
    seal_exported_full,
)
from dynamodb_copy.phases.gaps import identity_gap
from dynamodb_copy.phases.moments import end_of_scan
from dynamodb_copy.phases.positioning import left_behind, moved, required_position
from dynamodb_copy.phases.prepare import may_be_scanned, readable_source
from dynamodb_copy.phases.sealing_increments import abandon, begin_increment, mark_after, sealed_on
from dynamodb_copy.state.plans import Plan, find_plan, store_plan
from dynamodb_copy.state.positions import Position, move, position_of

_log = logging.getLogger(__name__)


def prepare(context: AnyContext) -> str:
    """Check source and bucket, take the place, and mark where the changes begin; return what the run will make.

    Raises TableError, BucketRefusedError, AccessError, TargetRefusedError, and ChangesLostError for a gap unless the
    job says `on_gap: full`; then nothing was written.
    """
    source = readable_source(context)
    feed = feed_of(context, source)
    feed.check(place_of(context))
    if context.job.base == "scan":
        may_be_scanned(context, source)
    bucket_of(context).check_private()
    _check_place(context, source)
    reason = chain_gap(context, feed, source)
    check_recovery_for_base(context, source, None if reason else position_of(context.rows, place_of(context)))
    context.ensure_state()
    context.run_lease(place_of(context)).acquire(wait_while_alive=False)
    feed.ready(place_of(context))
    position = _begun(context, feed, source, reason)
    renew_failed_full(context, place_of(context), position)
    if warning := feed.warning(position):
        _log.warning("%s: %s", context.job.name, warning)
    if position.based is not None:
        return f"an increment of {place_of(context)}, complete up to {instant(position.up_to)}"
    if context.job.base == "export":
        return f"a new full backup in {place_of(context)}, which the service exports"
    folder = folder_of(context)
    backing_up.begin_folder(context, folder, source)
    return f"the full backup {id_of(folder)} in {place_of(context)}" + (f", a new chain: {reason}" if reason else "")


def base_is_exported(context: AnyContext) -> bool:
    """Whether the service's export of the chain's full backup is done, or none is needed."""
    position = required_position(context, place_of(context))
    return position.based is not None or full_is_exported(context, place_of(context), position)


def plan(context: AnyContext) -> Plan:
    """Return the plan of the full backup; it has no segments when the chain goes on, or when the service exports."""
    stored = find_plan(context.rows, context.run)
    if stored is not None:
        return stored
    position = required_position(context, place_of(context))
    made = backing_up.make_plan(context, readable_source(context), folder_of(context))
    if position.based is not None:
        made = replace(made, segment_count=0, reason="no full backup: the chain has one, and goes on")
    elif context.job.base == "export":
        backup = exported_full(context, made.target_arn, position)
        made = replace(made, target_id=backup.folder, segment_count=0, reason="the service exports the full backup")
    return store_plan(context.rows, context.run, made)


def hand_over(context: AnyContext, base: Plan) -> Plan:
    """Return the plan of the run's increment, which begins where the chain ends, once its full backup is sealed.

    Raises RunIncompleteError before every segment of a full backup is done.
    """
    changes = replace(context, stage="changes")
    stored = find_plan(changes.rows, changes.run)
    if stored is not None:
        return stored
    context.run_lease(base.target_arn).acquire(wait_while_alive=False)
    position = required_position(context, base.target_arn)
    if position.under_way != changes.run:
        feed = feed_of(context, readable_source(context))
        if position.based is None:
            position = _based(context, base, position)
        position = _taken_over(changes, base, position)
        position = moved(context, base, replace(feed.follow(position), under_way=changes.run), position)
    if position.by == "stream":
        begin_increment(changes, readable_source(context))
    return store_plan(changes.rows, changes.run, _plan_of_changes(changes, base, position))


def _begun(context: AnyContext, feed: Feed, source: Table, reason: str) -> Position:
    """The position to go on from: a new one without one or after a gap, with a new full backup when one is due."""
    place = place_of(context)
    position = position_of(context.rows, place)
    if position is None or reason:
        bases = 1 if position is None else position.bases + 1
        blank = Position(source.arn, source.table_id, place, context.job.changes.by, 0.0, 0.0, bases=bases)
        begun = feed.begin(blank)
    elif is_full_due(context, feed, position):
        begun = replace(position, based=None, bases=position.bases + 1)
    else:
        return position
    there = move(context.rows, place, begun, in_place_of=position)
    if there is None:
        raise TargetBusyError(f"to.s3: {place}: another run began in this moment; try again")
    return there


def is_full_due(context: AnyContext, feed: Feed, position: Position) -> bool:
    """Whether the chain's newest full backup is as old as the job lets it be."""
    every = context.job.full_every
    return bool(every and position.based is not None and feed.now() - position.based >= every.total_seconds())


def chain_gap(context: AnyContext, feed: Feed, source: Table) -> str:
    """Why the chain cannot go on and a new one begins; empty when it can, or when there is none."""
    place = place_of(context)
    position = position_of(context.rows, place)
    if position is None:
        return ""
    reason = identity_gap(position, source, place, context.job.changes.by) or feed.lost(position)
    if reason and context.job.changes.on_gap == "fail":
        raise ChangesLostError(
            f"to.s3: {place}: {reason}; the chain ends at {instant(position.up_to)} and stays restorable: say changes: "
            "{on_gap: full} to begin a new one"
        )
    return reason


def _check_place(context: AnyContext, source: Table) -> None:
    """Refuse a prefix that holds another table's backups: restores from it would."""
    found = newest(entries(bucket_of(context), context.job.target.prefix))
    if found is not None and found.table_arn != source.arn:
        raise TargetRefusedError(
            f"to.s3: {place_of(context)} holds backups of {found.table_arn}; name a prefix of this table's own"
        )


def _based(context: AnyContext, base: Plan, position: Position) -> Position:
    """The position once its full backup is sealed, with the mark at which the increments after it begin."""
    mark = _mark(context, position)
    if context.job.base == "export":
        backup = seal_exported_full(context, base.target_arn, position, mark)
        sealed_id, items, based = backup.id, backup.summary.items, backup.consistent.timestamp()
    else:
        items = sum(backing_up.seal_full(context, base, mark), Tally()).items
        sealed_id, based = id_of(base.target_id), end_of_scan(context)
    chain = position.chain or sealed_id
    return moved(context, base, replace(position, based=based, base_items=items, full=sealed_id, chain=chain), position)


def _mark(context: AnyContext, position: Position) -> Mark:
    """Where the next increment begins."""
    if position.chain:
        return mark_after(context, position.chain)
    time = instant(position.up_to)
    return stream_mark(time, position.frontier) if position.by == "stream" else Mark(time)


def _taken_over(changes: AnyContext, base: Plan, position: Position) -> Position:
    """Seal what an earlier run had stored to its end; leave out, and delete, what it had not."""
    if not position.under_way:
        return position
    checkpoints = left_behind(changes, position)
    if checkpoints and all(checkpoint.done for checkpoint in checkpoints):
        earlier = replace(changes, part_of=position.under_way, stage="")
        plan = find_plan(changes.rows, position.under_way)
        if plan is not None:
            position = sealed_on(earlier, plan, position)
    else:
        abandon(changes, position.under_way)
    return moved(changes, base, replace(position, under_way=""), position)


def _plan_of_changes(changes: AnyContext, base: Plan, position: Position) -> Plan:
    is_stream = position.by == "stream"
    feed, count = feed_of(changes, readable_source(changes)), len(position.windows)
    windows = f"{count} windows that the service exports" if count else "nothing to read yet: no window has ended"
    return replace(
        base,
        segment_count=feed.segments(position) if is_stream else 0,
        reason="changes by stream" if is_stream else windows,
        notes=(),
        planned_at=changes.wall(),
    )
