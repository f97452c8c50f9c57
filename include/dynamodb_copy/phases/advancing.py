"""Advance: the position after a run's segments have come so far. Nothing is asked of the source, which may be dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dynamodb_copy.model import Checkpoint
from dynamodb_copy.state.positions import Position


def advanced(position: Position, reached: Sequence[Checkpoint]) -> Position:
    """The position after the segments of the run under way have come so far, all of them or not."""
    if position.by == "stream":
        return _drained(position, reached)
    if not (reached and all(checkpoint.done for checkpoint in reached)):
        return position  # what was cut short is read again from its begin, which changes nothing
    if position.by == "export":
        return replace(position, up_to=float(position.windows[-1][1]), windows=()) if position.windows else position
    return replace(position, up_to=position.until)


def _drained(position: Position, reached: Sequence[Checkpoint]) -> Position:
    """Each segment where it has come to; the target holds what all of them have passed on."""
    ends = [(checkpoint.cursor or {}).get("frontier") for checkpoint in reached]
    drained = [(checkpoint.cursor or {}).get("drained", position.up_to) for checkpoint in reached]
    starts = tuple([end or start for end, start in zip(ends, position.starts, strict=True)])
    return replace(position, starts=starts, up_to=max(position.up_to, min(drained, default=position.up_to)))
