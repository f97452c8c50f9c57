"""The position of a run's target: read, moved under its version, and taken over from a run that was cut short."""

from __future__ import annotations

from dynamodb_copy.errors import RunIncompleteError, TargetBusyError
from dynamodb_copy.model import Checkpoint, Segment
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.plans import Plan, find_plan
from dynamodb_copy.state.positions import Position, move, position_of


def required_position(context: AnyContext, target_arn: str) -> Position:
    """The target's position; raises RunIncompleteError when no run has prepared it."""
    position = position_of(context.rows, target_arn)
    if position is None:
        raise RunIncompleteError(
            f"{target_arn} has no position; let the run's prepare task succeed first: marking it as success does not "
            "begin anything"
        )
    return position


def moved(context: AnyContext, plan: Plan, to: Position, position: Position) -> Position:
    """Move the target's position; raises TargetBusyError when another run has moved it."""
    if to == position:
        return position
    there = move(context.rows, plan.target_arn, to, in_place_of=position)
    if there is None:
        raise TargetBusyError(f"{plan.target_arn}: another run moved the position in this moment; try again")
    return there


def reached(context: AnyContext, run: str, segments: int) -> list[Checkpoint]:
    """How far each segment of a run's changes has come."""
    checkpoints = StateCheckpoints(context.rows, run, "")
    return [checkpoints.load(Segment(index, segments)) for index in range(segments)]


def left_behind(context: AnyContext, position: Position) -> list[Checkpoint]:
    """How far the run that was under way has come, once none of its attempts can send any more."""
    plan = find_plan(context.rows, position.under_way) if position.under_way else None
    count = 0 if plan is None else plan.segment_count
    for index in range(count):
        context.attempt_lease(segment_key(position.under_way, Segment(index, count))).end()
    return reached(context, position.under_way, count)
