"""Feeds: where the changes of a source come from, from a position on; one for each `changes.by`."""

from __future__ import annotations

from typing import Protocol

from dynamodb_copy.aws.tables import Table
from dynamodb_copy.phases.attribute_feed import AttributeFeed
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.export_feed import ExportFeed
from dynamodb_copy.phases.stream_feed import StreamFeed
from dynamodb_copy.ports import Source
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position


class Feed(Protocol):
    """Changes of one table. Moments are epoch seconds by the source's clock."""

    def check(self, target_arn: str) -> None:
        """Refuse a table whose changes cannot be read for this target (empty: it is missing); writes nothing."""

    def ready(self, target_arn: str) -> None:
        """Switch on what the job lets be switched on, and remember who reads for this target."""

    def now(self) -> float:
        """The latest moment up to which changes can be read."""

    def begin(self, position: Position) -> Position:
        """Mark where the changes begin, before a base is read: they are replayed from there."""

    def lost(self, position: Position) -> str:
        """Why changes after the position cannot be read any more; empty when all of them can."""

    def warning(self, position: Position) -> str:
        """What should be known before changes are lost; empty when there is time enough."""

    def follow(self, position: Position) -> Position:
        """Say what the run under way reads: up to when, and in which shares."""

    def segments(self, position: Position) -> int:
        """How many segments the run under way has; 0 when there is nothing to read yet."""

    def source(self, position: Position, plan: Plan) -> Source:
        """What the run under way reads."""


def feed_of(context: AnyContext, table: Table) -> Feed:
    """The feed that the job names."""
    match context.job.changes.by:
        case "stream":
            return StreamFeed(context, table)
        case "export":
            return ExportFeed(context, table)
    return AttributeFeed(context, table)
