"""A batch writer before a table in memory, with failures between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from dynamodb_copy.errors import CopyError, ServiceUnavailableError
from dynamodb_copy.model import Item, KeySchema
from dynamodb_copy.ports import Fence, Limiter
from dynamodb_copy.sinks.batch_writer import BatchWriter, Written
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from fakes import AlwaysHeld, FakeWire, MemoryTable

KEYS = KeySchema("id")
THROTTLED = ServiceUnavailableError("BatchWriteItem: ThrottlingException: slowly", throttled=True)
CUT = ServiceUnavailableError("BatchWriteItem: does not answer: cut")


def item_of(number: int, **attributes: Any) -> Item:
    return {"id": {"S": f"{number:05}"}, **attributes}


def puts(numbers: Iterable[int], **attributes: Any) -> list[bytes]:
    """Write requests for items of these numbers."""
    return [b'{"PutRequest":{"Item":%b}}' % orjson.dumps(item_of(number, **attributes)) for number in numbers]


def write(writer: BatchWriter, requests: list[bytes]) -> Written:
    """Write one page to its end, as the table sink does."""
    try:
        written = writer.begin(requests)
        writer.finish(written)
    finally:
        writer.see_out()
    return written


Mishap = Callable[[dict[str, Any]], CopyError | None]
"""Gets a request; returns what happens to it instead of an answer."""


class WrittenTable:
    """The table and the writer; each request meets the next mishap, as long as there are any."""

    def __init__(self, mishaps: Iterable[Mishap] = (), *, fence: Fence | None = None) -> None:
        self._mishaps: Iterator[Mishap] = iter(mishaps)
        self.table = MemoryTable("orders", KEYS)
        self.wire = FakeWire(self._answer)
        self.fence = fence or AlwaysHeld()

    def writer(self, limiters: dict[str, Limiter] | None = None) -> BatchWriter:
        """A writer with its window and its budget as they are at the beginning."""
        return BatchWriter(self.wire, "orders", fence=self.fence, budget=CapacityBudget(limiters or {}))

    @property
    def ids(self) -> list[str]:
        """What the table holds."""
        return sorted(item["id"]["S"] for item in self.table.items)

    @property
    def batches(self) -> list[list[dict[str, Any]]]:
        """The write requests of each request, in the order of their sending."""
        return [request["RequestItems"]["orders"] for _, request in self.wire.requests]

    @property
    def batch_sizes(self) -> list[int]:
        """How many write requests each request held."""
        return [len(batch) for batch in self.batches]

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        mishap = next(self._mishaps, None)
        error = mishap(request) if mishap else None
        if error is not None:
            raise error
        return self.table.answer(operation, request)


def happens(error: CopyError) -> Mishap:
    """Fail the request; nothing of it reaches the table."""
    return lambda _request: error


def nothing(_request: dict[str, Any]) -> None:
    """Let the request pass."""
