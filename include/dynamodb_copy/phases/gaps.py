"""Gaps: why a target cannot be brought up to date from where it stands."""

from __future__ import annotations

from dynamodb_copy.aws.tables import Table
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.feeds import Feed
from dynamodb_copy.phases.prepare import holds_items
from dynamodb_copy.state.claims import claim_on
from dynamodb_copy.state.positions import Position, position_of


def gap(context: AnyContext, feed: Feed, source: Table, target: Table | None) -> str:
    """What lies between the target and its source that cannot be read any more; empty when nothing does.

    A target that was never filled, or was dropped and is empty again, has no gap: it gets its base.
    """
    if target is None:
        return ""
    position = position_of(context.rows, target.arn)
    if position is None:
        return _without_position(context, target)
    if position.target_id != target.table_id and _is_empty(context, target):
        return ""
    return identity_gap(position, source, target.table_id, context.job.changes.by) or feed.lost(position)


def standing(context: AnyContext, target: Table | None) -> Position | None:
    """The position of this very table: one that takes the place of a dropped one stands nowhere yet."""
    if target is None:
        return None
    position = position_of(context.rows, target.arn)
    return position if position is not None and position.target_id == target.table_id else None


def identity_gap(position: Position, source: Table, target_id: str, by: str) -> str:
    """Whether these are still the two that the position is of."""
    if position.source_id != source.table_id:
        return f"{source.arn} was dropped and created again"
    if position.target_id != target_id:
        return "the target was dropped and created again"
    if position.by != by:
        return f"the target was kept up to date by {position.by}, which leaves no position by {by}"
    return ""


def _without_position(context: AnyContext, target: Table) -> str:
    """A job of another kind may have filled the target; whom it belongs to is checked elsewhere."""
    if context.job.target.existing == "allow":
        return ""
    claimed = claim_on(context.rows, target.arn)
    if claimed is None or _is_empty(context, target):
        return ""
    return f"{target.arn} holds items, filled by job {claimed.job_name!r}, and nothing says up to when"


def _is_empty(context: AnyContext, target: Table) -> bool:
    return target.status == "CREATING" or not holds_items(context, context.target_client, target)
