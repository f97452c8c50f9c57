"""BatchGetItem, several requests on their way, until the service has answered for every key."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.raw_json import Pending, Wire
from dynamodb_copy.errors import ServiceUnavailableError
from dynamodb_copy.model import Item, Key, KeySchema
from dynamodb_copy.ports import Limiter

_BATCH_KEYS = 100
"""BatchGetItem's most.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

_MOST_IN_FLIGHT = 10


class _Flight(NamedTuple):
    pending: Pending
    keys: Sequence[Key]


class BatchGet:
    """Strongly consistent reads of keys of one table, under one limit."""

    def __init__(self, wire: Wire, table: str, limiter: Limiter, *, only_keys: KeySchema | None = None) -> None:
        self._wire = wire
        self._table = table
        self._limiter = limiter
        self._projection = {} if only_keys is None else _projection(only_keys)
        self.units = 0.0  # that the reads have used

    def items(self, keys: Sequence[Key]) -> Iterator[Item]:
        """Yield the items that there are, in no order; the keys are distinct.

        Raises ServiceUnavailableError when nothing gets through for as long as patience lasts.
        """
        patience = Patience(self._wire.clock)
        waiting = deque(keys[at : at + _BATCH_KEYS] for at in range(0, len(keys), _BATCH_KEYS))
        flying: deque[_Flight] = deque()
        self._wire.pool.grow(min(len(waiting), _MOST_IN_FLIGHT))
        try:
            while waiting or flying:
                while waiting and len(flying) < _MOST_IN_FLIGHT:
                    flying.append(self._sent(waiting.popleft()))
                flight = flying.popleft()
                found, left = self._received(flight, patience)
                yield from found
                if left:
                    waiting.append(left)
        finally:
            for flight in flying:
                flight.pending.abandon()

    def _sent(self, keys: Sequence[Key]) -> _Flight:
        self._limiter.take(len(keys))
        asked = {"Keys": keys, "ConsistentRead": True, **self._projection}
        request = {"RequestItems": {self._table: asked}, "ReturnConsumedCapacity": "TOTAL"}
        return _Flight(self._wire.post("BatchGetItem", orjson.dumps(request)), keys)

    def _received(self, flight: _Flight, patience: Patience) -> tuple[list[Item], Sequence[Key]]:
        """What was found, and the keys that have to be asked for again."""
        keys = flight.keys
        try:
            reply = flight.pending.reply()
        except ServiceUnavailableError as error:
            if error.throttled:
                self._limiter.settle(-len(keys))  # it read nothing
            patience.wait(error)
            return [], keys
        units = sum(used["CapacityUnits"] for used in reply.get("ConsumedCapacity", []))
        self.units += units
        self._limiter.settle(units - len(keys))
        left: list[Key] = reply.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        if len(left) < len(keys):
            patience.renew()
        if left:
            patience.wait(ServiceUnavailableError(f"{self._table}: {len(left)} keys of a BatchGetItem were not read"))
        return reply["Responses"].get(self._table, []), left


def _projection(keys: KeySchema) -> dict[str, Any]:
    names = {f"#{n}": name for n, name in enumerate(keys) if name is not None}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
