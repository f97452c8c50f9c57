"""One scan as a chain of requests, the next one on its way while the caller works on the last reply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.raw_json import Pending, Wire
from dynamodb_copy.errors import ServiceUnavailableError
from dynamodb_copy.model import Cursor
from dynamodb_copy.ports import Limiter

REQUEST_BYTES = 340_000
"""Wire JSON that one request aims at.

Four are not yet durable at the most: one whose checkpoint is on its way, two that are being written and one read ahead.
Together they are about one full page of 1 MB as the service counts, which wire JSON exceeds by a third.
"""

_FIRST_LIMIT = 500


class ScanReply(NamedTuple):
    """What one request read, and what it took to get it."""

    items: list[dict[str, Any]]  # empty with Select COUNT
    counted: int
    cursor: Cursor | None
    units: float
    throttles: int
    retries: int


class Scan:
    """A Scan of one segment; the request holds TableName, Segment, TotalSegments, filters and the like."""

    def __init__(self, wire: Wire, request: dict[str, Any], limiter: Limiter) -> None:
        self._wire = wire
        self._request = request | {"ReturnConsumedCapacity": "TOTAL"}
        self._limiter = limiter
        self._limit = _FIRST_LIMIT
        self._units = 1.0  # what the last request cost: the estimate for the next
        self._throttles = self._retries = 0

    def replies(self, after: Cursor | None) -> Iterator[ScanReply]:
        """Yield the replies that follow `after`, in order, until the segment ends."""
        pending: Pending | None = self._post(after)
        try:
            while pending is not None:
                reply = self._await(pending, after)
                after = reply.get("LastEvaluatedKey")
                pending = None if after is None else self._post(after)
                yield self._counted(reply, after)
        finally:
            if pending is not None:
                pending.abandon()

    def _post(self, after: Cursor | None) -> Pending:
        self._limiter.take(self._units)
        request = self._request | {"Limit": self._limit}
        if after is not None:
            request["ExclusiveStartKey"] = after
        return self._wire.post("Scan", orjson.dumps(request))

    def _await(self, pending: Pending, after: Cursor | None) -> dict[str, Any]:
        patience = Patience(self._wire.clock)
        while True:
            try:
                reply = pending.reply()
            except ServiceUnavailableError as error:
                self._throttles += error.throttled
                self._retries += 1
                if error.throttled:
                    self._limiter.settle(-self._units)  # it read nothing
                patience.wait(error)
                pending = self._post(after)
            else:
                self._learn(reply, pending.reply_bytes)
                return reply

    def _learn(self, reply: dict[str, Any], reply_bytes: int) -> None:
        units = float(reply.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
        self._limiter.settle(units - self._units)
        self._units = units
        bytes_per_item = max(1.0, reply_bytes / max(1, reply.get("ScannedCount", 1)))
        self._limit = max(1, int(REQUEST_BYTES / bytes_per_item))

    def _counted(self, reply: dict[str, Any], cursor: Cursor | None) -> ScanReply:
        counted = ScanReply(reply.get("Items", []), reply["Count"], cursor, self._units, self._throttles, self._retries)
        self._throttles = self._retries = 0
        return counted
