"""Changes by an attribute that the application keeps: puts only, as the legacy pipelines had it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dynamodb_copy.aws.tables import Table
from dynamodb_copy.errors import TableError
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.moments import time_at_source
from dynamodb_copy.phases.planning import resolved, segment_count
from dynamodb_copy.ports import Source
from dynamodb_copy.sources.attribute_window import Attribute, AttributeWindow, Index
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position


class AttributeFeed:
    """Items whose attribute lies in a window of time; a position is the window's end."""

    def __init__(self, context: AnyContext, table: Table) -> None:
        self._context = context
        self._table = table

    def check(self, target_arn: str) -> None:  # noqa: ARG002 - anyone may read a table
        """Refuse an index that the table does not have, or that is not sorted by the attribute."""
        changes = self._context.job.changes
        if changes.index is None:
            return
        known = {each["IndexName"]: each for each in self._table.indexes}
        if changes.index.name not in known:
            raise TableError(
                f"changes.index: {self._table.arn} has no global index {changes.index.name!r}; it has "
                f"{', '.join(known) or 'none'}: correct the name, or remove index to scan"
            )
        found = self._keys_of(known[changes.index.name]).get("RANGE")
        wanted = (changes.attribute, "S" if changes.format == "iso8601" else "N")
        if found != wanted:
            raise TableError(
                f"changes.index: {changes.index.name} of {self._table.arn} is sorted by {_shown(found)}; allowed: "
                f"{_shown(wanted)}, as attribute and format say: correct these, or remove index to scan"
            )

    def ready(self, target_arn: str) -> None:
        """Nothing has to be switched on."""

    def now(self) -> float:
        """The moment that the service's clock shows."""
        return time_at_source(self._context)

    def begin(self, position: Position) -> Position:
        """What changes from now on lies in later windows."""
        now = self.now()
        return replace(position, began=now, up_to=now)

    def lost(self, position: Position) -> str:  # noqa: ARG002 - a table forgets nothing but deletes
        """Nothing: what changed is still in the table."""
        return ""

    def warning(self, position: Position) -> str:  # noqa: ARG002 - as above
        """Nothing is ever lost by waiting."""
        return ""

    def follow(self, position: Position) -> Position:
        """One window up to now, however many runs were missed."""
        return replace(position, until=self.now())

    def segments(self, position: Position) -> int:  # noqa: ARG002 - the table decides
        """As many as a copy of the whole table has: all of it is read."""
        index = self._context.job.changes.index
        if index is not None:
            return min(int(self._context.job.parallel), len(index.partitions))
        units = resolved(self._context.job.read, self._table.read_capacity())
        return segment_count(self._context.job, self._table.size_bytes, units)[0]

    def source(self, position: Position, plan: Plan) -> Source:
        """The window, and what overlaps of the one before it."""
        changes = self._context.job.changes
        return AttributeWindow(
            wire=self._context.wire(self._context.source_client),
            table=self._table.name,
            keys=plan.keys,
            attribute=Attribute(changes.attribute, changes.format),
            window=(position.up_to - changes.overlap.total_seconds(), position.until),
            total_segments=plan.segment_count,
            limiter=lambda: self._context.limiter("read", plan.read_units),
            index=self._index(),
        )

    def _index(self) -> Index | None:
        """The index that is queried, if one is."""
        index = self._context.job.changes.index
        if index is None:
            return None
        (described,) = [each for each in self._table.indexes if each["IndexName"] == index.name]
        return Index(index.name, self._keys_of(described)["HASH"], index.partitions)

    def _keys_of(self, index: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """Name and type of an index's key attributes, by their roles, `HASH` and `RANGE`."""
        definitions = self._table.description["AttributeDefinitions"]
        types = {each["AttributeName"]: each["AttributeType"] for each in definitions}
        return {key["KeyType"]: (key["AttributeName"], types[key["AttributeName"]]) for key in index["KeySchema"]}


def _shown(key: tuple[str, str] | None) -> str:
    return "nothing" if key is None else f"{key[0]} ({key[1]})"
