"""Many keys at once: all of them are read, in whatever order, and each unit is accounted for."""

from __future__ import annotations

from contextlib import closing
from random import Random
from typing import Any

import pytest

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.batch_get import BatchGet
from dynamodb_copy.errors import AccessError, ServiceUnavailableError
from dynamodb_copy.model import Item, Key, KeySchema
from fakes import CountingLimiter, FakeWire, MemoryTable, StoppedClock, scripted

KEYS = KeySchema("id")
CUT = ServiceUnavailableError("BatchGetItem: cut")
THROTTLED = ServiceUnavailableError("BatchGetItem: slowly", throttled=True)


def key(number: int) -> Key:
    return {"id": {"S": f"{number:05}"}}


def item(number: int) -> Item:
    return {**key(number), "note": {"S": "n"}}


def held(numbers: range) -> MemoryTable:
    return MemoryTable("orders", KEYS, [item(number) for number in numbers])


def got(wire: FakeWire, keys: list[Key], limiter: CountingLimiter | None = None) -> list[str]:
    """The ids of what was found, in order."""
    found = list(BatchGet(wire, "orders", limiter or CountingLimiter()).items(keys))
    return sorted(each["id"]["S"] for each in found)


def ids(numbers: range) -> list[str]:
    return [f"{number:05}" for number in numbers]


def left_over(table: MemoryTable, most: int, random: Random) -> Any:
    """Answer for so many keys of each request, any of them, and say that the others are left."""

    def answer(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        asked = request["RequestItems"]["orders"]
        keys = random.sample(asked["Keys"], len(asked["Keys"]))
        reply = table.answer(operation, {"RequestItems": {"orders": asked | {"Keys": keys[:most]}}})
        random.shuffle(reply["Responses"]["orders"])
        left = {"orders": asked | {"Keys": keys[most:]}} if keys[most:] else {}
        return reply | {"UnprocessedKeys": left}

    return answer


def test_whole_items_are_read_strongly_consistently() -> None:
    wire = FakeWire(held(range(3)).answer)

    found = list(BatchGet(wire, "orders", CountingLimiter()).items([key(1), key(7)]))

    assert found == [item(1)]
    asked = wire.requests[0][1]["RequestItems"]["orders"]
    assert asked == {"Keys": [key(1), key(7)], "ConsistentRead": True}


def test_keys_alone_are_read_where_that_is_enough() -> None:
    wire = FakeWire(held(range(3)).answer)

    list(BatchGet(wire, "orders", CountingLimiter(), only_keys=KEYS).items([key(1)]))

    asked = wire.requests[0][1]["RequestItems"]["orders"]
    assert (asked["ProjectionExpression"], asked["ExpressionAttributeNames"]) == ("#0", {"#0": "id"})


def test_more_than_a_hundred_keys_are_several_requests_on_their_way_at_once() -> None:
    wire = FakeWire(held(range(2500)).answer)

    assert got(wire, [key(number) for number in range(2500)]) == ids(range(2500))

    sizes = [len(request["RequestItems"]["orders"]["Keys"]) for _, request in wire.requests]
    assert (sizes, wire.most_in_flight, wire.in_flight) == ([100] * 25, 10, 0)


@pytest.mark.parametrize("most", [1, 33, 99])
def test_keys_that_are_left_are_asked_for_again_in_whatever_order_they_come(most: int) -> None:
    wire = FakeWire(left_over(held(range(250)), most, Random(3)))  # noqa: S311 - repeatable, no secrets

    assert got(wire, [key(number) for number in range(250)]) == ids(range(250))


def test_throttled_and_failed_requests_are_sent_again_after_a_wait() -> None:
    wire = FakeWire(scripted(THROTTLED, CUT, {"Responses": {"orders": [item(1)]}, "UnprocessedKeys": {}}))

    assert got(wire, [key(1)]) == ["00001"]

    assert isinstance(wire.clock, StoppedClock)
    assert len(wire.clock.slept) == 2


def test_patience_ends_when_nothing_gets_through() -> None:
    def throttles(*_: object) -> dict[str, Any]:
        raise THROTTLED

    wire = FakeWire(throttles)

    with pytest.raises(ServiceUnavailableError, match="slowly"):
        got(wire, [key(1)])

    assert wire.clock.now() > Patience.total_seconds


def test_a_unit_for_each_key_is_taken_and_corrected_by_what_was_used() -> None:
    limiter = CountingLimiter()
    reply = {"Responses": {"orders": []}, "ConsumedCapacity": [{"TableName": "orders", "CapacityUnits": 12.5}]}
    reads = BatchGet(FakeWire(scripted(reply)), "orders", limiter)

    list(reads.items([key(1), key(2)]))

    assert (limiter.taken, limiter.settled, reads.units) == ([2], [10.5], 12.5)


def test_what_was_throttled_is_given_back_and_what_was_cut_is_not() -> None:
    reply = {"Responses": {"orders": []}, "ConsumedCapacity": [{"TableName": "orders", "CapacityUnits": 1.0}]}
    throttled, cut = CountingLimiter(), CountingLimiter()

    got(FakeWire(scripted(THROTTLED, reply)), [key(1)], throttled)
    got(FakeWire(scripted(CUT, reply)), [key(1)], cut)

    assert (throttled.spent, cut.spent) == (1.0, 2.0)  # a request that was cut may have read


def test_units_of_keys_that_are_asked_for_again_count_once_each() -> None:
    limiter = CountingLimiter()
    wire = FakeWire(left_over(held(range(100)), 40, Random(3)))  # noqa: S311 - repeatable, no secrets

    got(wire, [key(number) for number in range(100)], limiter)

    assert limiter.spent == 100.0


def test_a_reader_that_stops_leaves_no_request_on_its_way() -> None:
    wire = FakeWire(held(range(500)).answer)

    with closing(BatchGet(wire, "orders", CountingLimiter()).items([key(n) for n in range(500)])) as items:  # type: ignore[type-var]  # it is a generator
        next(items)

    assert (wire.in_flight, wire.abandoned) == (0, 4)


def test_a_permanent_error_gives_up_the_other_requests() -> None:
    wire = FakeWire(scripted(AccessError("no"), {"Responses": {}}, {"Responses": {}}))

    with pytest.raises(AccessError):
        got(wire, [key(number) for number in range(250)])

    assert (wire.in_flight, wire.abandoned) == (0, 2)


def test_no_keys_are_no_request() -> None:
    wire = FakeWire(scripted())

    assert got(wire, []) == []
    assert wire.requests == []
