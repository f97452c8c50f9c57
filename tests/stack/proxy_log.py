"""What went through the proxy: one entry per request that arrived, answered or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["read", "write"]
KINDS: dict[str, Kind] = {
    "Scan": "read",
    "Query": "read",
    "GetItem": "read",
    "BatchGetItem": "read",
    "TransactGetItems": "read",
    "PutItem": "write",
    "UpdateItem": "write",
    "DeleteItem": "write",
    "BatchWriteItem": "write",
    "TransactWriteItems": "write",
}

# a digit after the colon occurs at the top level only: attributes are objects, and quotes inside strings are escaped
_SCANNED = re.compile(rb'"ScannedCount": *(\d+)')


@dataclass(slots=True)
class Exchange:
    """One request and what became of it."""

    at: float  # arrival, seconds of the monotonic clock
    operation: str
    table: str = ""  # the first one of a batch
    items: int = 0  # sent or asked for; of a Scan or Query: scanned
    units: float = 0.0  # capacity units, where a table's capacity is enforced
    status: int = 0  # HTTP status code; 0 until something is sent

    def note_request(self, content: dict[str, Any]) -> None:
        """Take table and items from the request's body."""
        batch = content.get("RequestItems")
        if batch is None:
            self.table = content.get("TableName", "")
            self.items = int("Item" in content or "Key" in content)
        else:
            self.table = next(iter(batch), "")
            self.items = sum(len(entry["Keys"] if isinstance(entry, dict) else entry) for entry in batch.values())

    def note_reply(self, body: bytes) -> None:
        """Take what only the answer tells: how many items a page was made from."""
        if self.operation in {"Scan", "Query"} and (scanned := _SCANNED.search(body)):
            self.items = int(scanned[1])


def consumed(exchanges: Iterable[Exchange], kind: Kind, table: str | None = None) -> list[tuple[float, float]]:
    """The (monotonic seconds, capacity units) of all requests of that kind that cost something, by arrival."""
    return sorted(
        (exchange.at, exchange.units)
        for exchange in exchanges
        if exchange.units and KINDS.get(exchange.operation) == kind and table in {None, exchange.table}
    )


def max_units_in_window(events: Sequence[tuple[float, float]], window_s: float) -> float:
    """The most units that any half-open window of `window_s` seconds holds; the events are sorted by time."""
    most = total = 0.0
    oldest = 0
    for at, units in events:
        total += units
        while events[oldest][0] <= at - window_s:
            total -= events[oldest][1]
            oldest += 1
        most = max(most, total)
    return most
