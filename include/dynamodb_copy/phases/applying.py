"""Apply: one segment of a run's changes, under its lease, from its last checkpoint on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from dynamodb_copy.engine import copy_segment
from dynamodb_copy.model import Checkpoint, Segment, Tally
from dynamodb_copy.phases.advancing import advanced
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import Progress, announced, check_tables, fence_out_segments, leased
from dynamodb_copy.phases.ends import sink_of
from dynamodb_copy.phases.feeds import feed_of
from dynamodb_copy.phases.positioning import moved, reached, required_position
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.phases.sealing import enable_ttl_after_verify, segment_report, store
from dynamodb_copy.ports import CheckpointStore
from dynamodb_copy.report import Report, Verdict
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position
from dynamodb_copy.steps.tallying import tallying

Drained = Callable[[float], None]
"""Told the moment (epoch seconds) up to which a segment's changes are in the target, after each checkpoint."""

_log = logging.getLogger(__name__)
_READ_BACK = (
    "Each key that this run wrote was read back, strongly consistent, and is as it was written. Keys that did not "
    "change were not read: `verify` compares both tables whole."
)
_UNPROVEN = "The job says `verify: none`: nothing was read back."


def apply(context: AnyContext, plan: Plan, segment: Segment, on_progress: Progress, on_drained: Drained) -> Tally:
    """Write the changes of a segment that earlier attempts left; return its cumulative tally.

    Does nothing for a run whose position another one has taken over.
    """
    check_tables(context, plan)
    with leased(context, plan, segment_key(context.run, segment)) as held, announced(context, held, on_progress) as to:
        position = required_position(context, plan.target_arn)
        if position.under_way != context.run:
            _log.info("%s: another run has taken over from here, or this one was sealed", segment.label)
            return StateCheckpoints(context.rows, context.run, held.holder).load(segment).tally
        source = feed_of(context, readable_source(context)).source(position, plan)
        sink = sink_of(context, plan, held.fence)
        return copy_segment(source, sink, segment, _Telling(to, on_drained), [tallying])


def seal(context: AnyContext, base: Plan, plan: Plan) -> Report:
    """Move the target's position on to what the run has applied, and write its report.

    Raises RunIncompleteError unless every segment is done, or another run has taken over.
    """
    position = required_position(context, plan.target_arn)
    is_mine = position.under_way == context.run
    checkpoints = reached(context, context.run, plan.segment_count)
    if is_mine:
        if plan.segment_count:
            fence_out_segments(context, plan)
        position = moved(context, plan, replace(advanced(position, checkpoints), under_way=""), position)
    whole = replace(context, stage="")
    if position.is_consistent:
        enable_ttl_after_verify(whole, base)
    before = reached(whole, whole.run, base.segment_count)
    shown = [
        *[segment_report(f"base {s.label}", c.tally) for s, c in zip(base.segments, before, strict=True)],
        *[segment_report(s.label, c.tally) for s, c in zip(plan.segments, checkpoints, strict=True)],
    ]
    verdict = _verdict(context, [checkpoint.tally for checkpoint in (*before, *checkpoints)])
    notes = [*([] if is_mine else ["another run had taken over, or this one was sealed before"]), *_told(position)]
    deletes = sum(checkpoint.tally.deletes for checkpoint in checkpoints)
    base = replace(base, reason=plan.reason)
    return store(whole, base, shown, verdict, notes, up_to=position.up_to, deletes=deletes)


@dataclass(frozen=True, slots=True)
class _Telling:
    """Checkpoints that also tell how far a stream is drained."""

    checkpoints: CheckpointStore
    on_drained: Drained

    def load(self, segment: Segment) -> Checkpoint:
        """As the store beneath."""
        return self.checkpoints.load(segment)

    def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
        """As the store beneath, then tell."""
        self.checkpoints.save(segment, checkpoint)
        drained = (checkpoint.cursor or {}).get("drained")
        if drained is not None:
            self.on_drained(drained)


def _verdict(context: AnyContext, tallies: list[Tally]) -> Verdict:
    total = sum(tallies, Tally())
    if context.job.verify == "none":
        return Verdict("not verified", "none", 0, 0, 0, 0, 0, 0, "", "", (), (), _UNPROVEN)
    return Verdict("equal", "changed", total.checked, total.checked, 0, 0, 0, 0, "", "", (), (), _READ_BACK)


def _told(position: Position) -> list[str]:
    if position.is_consistent:
        return []
    return ["not consistent yet: the base ended after the last moment whose changes are in; the next run settles that"]
