"""A table as a source: a segment is a scan segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.aws.scanning import Scan
from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.model import Change, Cursor, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.ports import Limiter


@dataclass(frozen=True, slots=True)
class TableScan:
    """Reads a table by a parallel scan; several threads may read segments at the same time."""

    wire: Wire
    request: dict[str, Any]  # of `whole_items`, `only_keys` or `only_counts`
    total_segments: int
    limiter: Callable[[], Limiter]  # a new one for each segment that is read

    def segments(self) -> Sequence[Segment]:
        """Split the table as the service splits a parallel scan: by ranges of the hashed partition key."""
        return [Segment(index, self.total_segments) for index in range(self.total_segments)]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor."""
        request = self.request | {"Segment": segment.index, "TotalSegments": segment.total}
        wire = self.wire.sibling()
        try:
            for reply in Scan(wire, request, self.limiter()).replies(after):
                cost = Tally(pages=1, read_units=reply.units, throttles=reply.throttles, retries=reply.retries)
                if "Select" in self.request:
                    cost += Tally(items=reply.counted)
                puts: list[Change] = [Put(item, line=sorted_line(item)) for item in reply.items]
                yield Page(puts, reply.cursor, cost, is_distinct=True)
        finally:
            wire.close()


def whole_items(table: str, *, consistent: bool) -> dict[str, Any]:
    """The scan that reads items as they are."""
    return {"TableName": table, "ConsistentRead": consistent}


def only_keys(table: str, keys: KeySchema) -> dict[str, Any]:
    """The strongly consistent scan that reads keys."""
    names = {f"#{n}": name for n, name in enumerate(keys) if name is not None}
    projection = ", ".join(names)
    return whole_items(table, consistent=True) | {"ProjectionExpression": projection, "ExpressionAttributeNames": names}


def only_counts(table: str, ttl_attribute: str | None, expires_before: int) -> dict[str, Any]:
    """The strongly consistent scan that counts the items which TTL leaves alone; pages hold no items."""
    request = whole_items(table, consistent=True) | {"Select": "COUNT"}
    if ttl_attribute is None:
        return request
    return request | {
        "FilterExpression": "attribute_not_exists(#ttl) OR NOT attribute_type(#ttl, :number) OR #ttl >= :horizon",
        "ExpressionAttributeNames": {"#ttl": ttl_attribute},
        "ExpressionAttributeValues": {":number": {"S": "N"}, ":horizon": {"N": str(expires_before)}},
    }
