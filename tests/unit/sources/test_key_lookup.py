"""Which keys a table holds: nothing counts as absent that the service did not answer for."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.errors import AccessError, ServiceUnavailableError
from dynamodb_copy.model import Item, Key, KeySchema
from dynamodb_copy.sources.key_lookup import absent
from fakes import CountingLimiter, FakeWire, MemoryTable, StoppedClock, scripted

KEYS = KeySchema("customer", "order")
CUT = ServiceUnavailableError("BatchGetItem: cut")
THROTTLED = ServiceUnavailableError("BatchGetItem: slowly", throttled=True)


def key(number: int) -> Key:
    return {"customer": {"S": "c"}, "order": {"N": str(number)}}


def held(numbers: range) -> MemoryTable:
    items: list[Item] = [key(number) | {"note": {"S": "n"}} for number in numbers]
    return MemoryTable("orders", KEYS, items)


def lookup(wire: FakeWire, keys: list[Key], limiter: CountingLimiter | None = None) -> list[Key]:
    return absent(wire, "orders", KEYS, keys, limiter or CountingLimiter())


def asked(wire: FakeWire) -> list[list[Key]]:
    return [request["RequestItems"]["orders"]["Keys"] for _, request in wire.requests]


class Answering:
    """A table that answers for at most so many keys a time."""

    def __init__(self, table: MemoryTable, most: int) -> None:
        self._table = table
        self._most = most

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Leave the last keys unprocessed."""
        asked_for = request["RequestItems"]["orders"]
        keys = asked_for["Keys"]
        answered = {"RequestItems": {"orders": asked_for | {"Keys": keys[: self._most]}}}
        reply = self._table.answer(operation, answered)
        left = keys[self._most :]
        return reply | {"UnprocessedKeys": {"orders": asked_for | {"Keys": left}} if left else {}}


def test_the_keys_that_the_table_does_not_hold_come_back_in_their_order() -> None:
    wire = FakeWire(held(range(5, 10)).answer)

    assert lookup(wire, [key(number) for number in (1, 6, 12, 9, 3)]) == [key(1), key(12), key(3)]


def test_reads_are_strongly_consistent_and_ask_for_the_keys_alone() -> None:
    wire = FakeWire(held(range(5)).answer)

    lookup(wire, [key(1)])

    request = wire.requests[0][1]["RequestItems"]["orders"]
    assert request["ConsistentRead"] is True
    names = {request["ExpressionAttributeNames"][name] for name in request["ProjectionExpression"].split(", ")}
    assert names == {"customer", "order"}


def test_no_request_asks_for_more_than_a_hundred_keys() -> None:
    wire = FakeWire(held(range(0, 250, 2)).answer)

    missing = lookup(wire, [key(number) for number in range(250)])

    assert missing == [key(number) for number in range(1, 250, 2)]
    assert [len(keys) for keys in asked(wire)] == [100, 100, 50]


def test_no_keys_are_no_request() -> None:
    wire = FakeWire(scripted())

    assert lookup(wire, []) == []


def test_a_number_is_the_same_key_however_the_table_spells_it() -> None:
    wire = FakeWire(held(range(7, 8)).answer)

    assert lookup(wire, [{"customer": {"S": "c"}, "order": {"N": "7.0"}}]) == []


@pytest.mark.parametrize("most", [1, 30, 99])
def test_unprocessed_keys_are_asked_for_until_the_service_has_answered_for_each(most: int) -> None:
    wire = FakeWire(Answering(held(range(0, 100, 2)), most).answer)

    missing = lookup(wire, [key(number) for number in range(100)])

    assert missing == [key(number) for number in range(1, 100, 2)]
    assert len(wire.requests) == -(-100 // most)


def test_keys_that_are_never_answered_for_are_an_error_not_absent() -> None:
    wire = FakeWire(Answering(held(range(0)), 0).answer)

    with pytest.raises(ServiceUnavailableError, match="orders: 3 keys of a BatchGetItem were not read"):
        lookup(wire, [key(1), key(2), key(3)])

    assert wire.clock.now() > Patience.total_seconds


def test_a_failed_request_is_tried_again_after_a_wait() -> None:
    replies = scripted(CUT, THROTTLED, {"Responses": {"orders": [key(1)]}, "UnprocessedKeys": {}})
    wire = FakeWire(replies)

    assert lookup(wire, [key(1), key(2)]) == [key(2)]
    assert isinstance(wire.clock, StoppedClock)
    assert len(wire.clock.slept) == 2


def test_a_permanent_error_is_raised_at_once() -> None:
    wire = FakeWire(scripted(AccessError("dynamodb:BatchGetItem is not permitted")))

    with pytest.raises(AccessError):
        lookup(wire, [key(1)])


def test_reads_are_charged_before_they_are_sent_and_settled_by_what_they_cost() -> None:
    limiter = CountingLimiter()
    reply = {"Responses": {"orders": []}, "ConsumedCapacity": [{"TableName": "orders", "CapacityUnits": 12.5}]}

    lookup(FakeWire(scripted(reply)), [key(1), key(2)], limiter)

    assert limiter.taken == [2]
    assert limiter.spent == 12.5
