"""Items whose attribute lies in a window of time: what the legacy pipelines called incremental. Deletes do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from dynamodb_copy.aws.backoff import patiently
from dynamodb_copy.aws.batch_get import BatchGet
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.formats.dynamodb_json import key_bytes, key_of, sorted_line
from dynamodb_copy.model import Change, Cursor, Key, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.ports import Limiter
from dynamodb_copy.sources.table_scan import TableScan, whole_items

Format = Literal["epoch_seconds", "epoch_millis", "iso8601"]

_KEYS_PER_PAGE = 100
"""Of an index: their items are read whole, up to 40 MB of them."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that holds a moment, and how; an item where it has another type is in no window.

    `iso8601` is compared as text, so that one spelling has to be kept to: `2026-12-01T02:00:00Z`, or with a fraction.
    """

    name: str
    format: Format

    def value(self, moment: float) -> dict[str, str]:
        """A moment, in epoch seconds, as the attribute would hold it."""
        match self.format:
            case "epoch_seconds":
                return {"N": f"{moment:.3f}"}
            case "epoch_millis":
                return {"N": f"{moment * 1000:.0f}"}
        # without Z: both 02:00:00Z and 02:00:00.5Z come after it
        return {"S": datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S")}


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index that has the attribute as its sort key, and the partitions that are asked for."""

    name: str
    partition_key: tuple[str, str]  # name and type
    partitions: Sequence[str]


@dataclass(frozen=True, slots=True)
class AttributeWindow:
    """Reads the window [start, end) by a scan with a filter, or by queries of an index; moments in epoch seconds.

    A scan is strongly consistent. An index is not, but each item that it names is read from the table, strongly
    consistent. Several threads may read segments at the same time.
    """

    wire: Wire
    table: str
    keys: KeySchema
    attribute: Attribute
    window: tuple[float, float]
    total_segments: int
    limiter: Callable[[], Limiter]  # a new one for each segment that is read
    index: Index | None = None

    def segments(self) -> Sequence[Segment]:
        """Scan segments, or shares of the index's partitions."""
        return [Segment(index, self.total_segments) for index in range(self.total_segments)]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor."""
        if self.index is None:
            yield from TableScan(self.wire, self._scan(), self.total_segments, self.limiter).pages(segment, after)
            return
        wire = self.wire.sibling()
        try:
            yield from self._queried(wire, self.index, segment, after)
        finally:
            wire.close()

    def _scan(self) -> dict[str, Any]:
        return whole_items(self.table, consistent=True) | {
            "FilterExpression": "#a >= :start AND #a < :end",
            "ExpressionAttributeNames": {"#a": self.attribute.name},
            "ExpressionAttributeValues": self._bounds,
        }

    @property
    def _bounds(self) -> dict[str, Any]:
        start, end = [self.attribute.value(moment) for moment in self.window]
        return {":start": start, ":end": end}

    def _queried(self, wire: Wire, index: Index, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        share = list(index.partitions)[segment.index :: segment.total]
        first, key = (0, None) if after is None else (after["partition"], after["key"])
        limiter = self.limiter()
        reads = BatchGet(wire, self.table, limiter)
        for number in range(first, len(share)):
            while True:
                limiter.take(1.0)
                request = self._query(index, share[number], key)
                reply = patiently(partial(wire.call, "Query", request), wire.clock)
                units = float(reply.get("ConsumedCapacity", {}).get("CapacityUnits", 1.0))
                limiter.settle(units - 1.0)
                key = reply.get("LastEvaluatedKey")
                found = {key_bytes(item, self.keys): key_of(item, self.keys) for item in reply["Items"]}
                is_last = key is None and number + 1 == len(share)
                following = {"partition": number if key is not None else number + 1, "key": key}
                yield self._page(reads, [*found.values()], None if is_last else following, units)
                if key is None:
                    break
        if not share:
            yield Page([], None, Tally(pages=1))

    def _page(self, reads: BatchGet, keys: list[Key], cursor: Cursor | None, units: float) -> Page:
        """The items as the table has them: an index may hold only some attributes; one that is gone is left out."""
        before = reads.units
        puts: list[Change] = [Put(item, line=sorted_line(item)) for item in reads.items(keys)]
        return Page(puts, cursor, Tally(pages=1, read_units=units + reads.units - before))

    def _query(self, index: Index, partition: str, after: Key | None) -> dict[str, Any]:
        name, kind = index.partition_key
        names = {f"#k{n}": key for n, key in enumerate(self.keys) if key is not None}
        return {
            "TableName": self.table,
            "IndexName": index.name,
            # a condition on a sort key is one comparison: what lies on the end itself is read by the next window, too
            "KeyConditionExpression": "#p = :p AND #a BETWEEN :start AND :end",
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": {"#p": name, "#a": self.attribute.name, **names},
            "ExpressionAttributeValues": {":p": {kind: partition}, **self._bounds},
            "Limit": _KEYS_PER_PAGE,
            "ReturnConsumedCapacity": "TOTAL",
            **({} if after is None else {"ExclusiveStartKey": after}),
        }
