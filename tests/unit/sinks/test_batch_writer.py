"""Batches on their way, against a table in memory."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

import orjson
import pytest

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.errors import (
    AccessError,
    CopyError,
    LeaseLostError,
    RequestRefusedError,
    ServiceUnavailableError,
    TableError,
)
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from fakes import Answer, CountingLimiter, FakeWire, LostAfter, StoppedClock
from unit.sinks.written_table import CUT, THROTTLED, WrittenTable, happens, item_of, nothing, puts, write


def ids(numbers: range) -> list[str]:
    return [f"{number:05}" for number in numbers]


def slept(wire: FakeWire) -> list[float]:
    assert isinstance(wire.clock, StoppedClock)
    return wire.clock.slept


def test_every_write_reaches_the_table_in_batches_of_25() -> None:
    orders = WrittenTable()

    write(orders.writer(), puts(range(60)))

    assert orders.ids == ids(range(60))
    assert orders.batch_sizes == [25, 25, 10]


def test_a_request_asks_for_what_it_cost_in_table_and_indexes() -> None:
    orders = WrittenTable()

    written = write(orders.writer(), puts(range(30)))

    assert [request["ReturnConsumedCapacity"] for _, request in orders.wire.requests] == ["INDEXES"] * 2
    assert written.units == 30.0


def test_a_page_without_changes_sends_nothing() -> None:
    orders = WrittenTable()

    write(orders.writer(), [])

    assert orders.batches == []


def test_a_request_stays_within_what_the_service_takes() -> None:
    orders = WrittenTable()
    large = {"padding": {"S": "é" * 199_000}}

    write(orders.writer(), puts(range(50), **large))

    sizes = [len(orjson.dumps(request)) for _, request in orders.wire.requests]
    assert max(sizes) < 16_000_000
    assert orders.ids == ids(range(50))


def test_a_request_of_items_that_wire_json_makes_very_large_is_split_by_size() -> None:
    orders = WrittenTable()
    escaped = {"padding": {"S": "\x01" * 390_000}}  # six bytes of JSON for each

    write(orders.writer(), puts(range(25), **escaped))

    assert max(len(orjson.dumps(request)) for _, request in orders.wire.requests) < 16_000_000
    assert orders.batch_sizes == [5, 5, 5, 5, 5]


def test_many_requests_are_on_their_way_at_once() -> None:
    orders = WrittenTable()
    writer = orders.writer()

    for _ in range(5):
        write(writer, puts(range(5_000)))

    assert orders.wire.most_in_flight == 64


class LeavingUnprocessed:
    """A table that leaves writes of a batch unprocessed, by the number of the request."""

    def __init__(self, orders: WrittenTable, *leaving: int) -> None:
        self._orders = orders
        self._leaving = iter(leaving)

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Write all but the last ones."""
        writes = request["RequestItems"]["orders"]
        kept = len(writes) - min(len(writes), next(self._leaving, 0))
        reply: dict[str, Any] = {"ConsumedCapacity": []}
        if kept:
            reply = self._orders.table.answer(operation, {"RequestItems": {"orders": writes[:kept]}})
        return reply | {"UnprocessedItems": {"orders": writes[kept:]} if writes[kept:] else {}}


def writer_to(answer: Answer) -> tuple[BatchWriter, FakeWire]:
    wire = FakeWire(answer)
    return BatchWriter(wire, "orders", fence=LostAfter(10_000), budget=CapacityBudget({})), wire


def test_unprocessed_writes_are_sent_again_until_none_is_left() -> None:
    orders = WrittenTable()
    writer, wire = writer_to(LeavingUnprocessed(orders, 24, 20, 3, 1).answer)

    written = write(writer, puts(range(50)))

    assert orders.ids == ids(range(50))
    assert (written.throttles, written.retries) == (4, 4)
    assert slept(wire)


def test_a_table_that_processes_nothing_for_a_while_gets_everything_in_the_end() -> None:
    orders = WrittenTable()
    writer, wire = writer_to(LeavingUnprocessed(orders, *repeat(25, 40)).answer)

    write(writer, puts(range(100)))

    assert orders.ids == ids(range(100))
    assert len(wire.requests) == 44


def test_a_table_that_processes_nothing_for_good_is_a_transient_error_that_says_throttled() -> None:
    orders = WrittenTable()
    writer, wire = writer_to(LeavingUnprocessed(orders, *repeat(25, 10_000)).answer)

    with pytest.raises(ServiceUnavailableError, match="orders: 25 writes of a batch were left unprocessed") as caught:
        write(writer, puts(range(100)))

    assert caught.value.throttled
    assert wire.clock.now() > Patience.total_seconds


@pytest.mark.parametrize(("error", "throttles"), [(THROTTLED, 3), (CUT, 0)])
def test_failed_requests_are_sent_again(error: CopyError, throttles: int) -> None:
    orders = WrittenTable([nothing, happens(error), happens(error), nothing, happens(error)])

    written = write(orders.writer(), puts(range(500)))

    assert orders.ids == ids(range(500))
    assert (written.throttles, written.retries) == (throttles, 3)


def test_each_request_that_fails_alone_is_followed_by_a_wait() -> None:
    orders = WrittenTable(repeat(happens(THROTTLED), 10))

    write(orders.writer(), puts(range(10)))

    assert len(orders.batches) == 11
    assert len(slept(orders.wire)) == 10


def test_a_round_of_failures_is_one_reason_to_wait_not_one_for_each_request() -> None:
    orders = WrittenTable(repeat(happens(THROTTLED), 16))

    write(orders.writer(), puts(range(400)))

    assert len(slept(orders.wire)) == 1


def test_failures_narrow_the_window_and_it_comes_back_slowly() -> None:
    orders = WrittenTable(chain(repeat(happens(THROTTLED), 40), repeat(nothing)))
    writer = orders.writer()
    write(writer, puts(range(400)))
    widths = []

    for _ in range(4):
        orders.wire.most_in_flight = 0
        write(writer, puts(range(1_000)))
        widths.append(orders.wire.most_in_flight)

    assert widths == sorted(widths)
    assert widths[0] < widths[-1] < 32


def test_patience_ends_with_the_transient_error() -> None:
    orders = WrittenTable(repeat(happens(CUT)))

    with pytest.raises(ServiceUnavailableError, match="cut"):
        write(orders.writer(), puts(range(100)))

    assert Patience.total_seconds < orders.wire.clock.now() < 2 * Patience.total_seconds


def test_progress_of_any_write_renews_patience() -> None:
    mishaps = chain.from_iterable(repeat([*repeat(happens(CUT), 30), nothing], 20))
    orders = WrittenTable(mishaps)

    write(orders.writer(), puts(range(20 * 25)))

    assert orders.wire.clock.now() > Patience.total_seconds
    assert orders.ids == ids(range(500))


@pytest.mark.parametrize(
    "error", [AccessError("no"), TableError("gone"), LeaseLostError("lost")], ids=lambda error: type(error).__name__
)
def test_what_concerns_the_whole_table_ends_the_work_at_once(error: CopyError) -> None:
    orders = WrittenTable([nothing, happens(error), *repeat(nothing, 100)])

    with pytest.raises(type(error)):
        write(orders.writer(), puts(range(2_000)))

    assert len(orders.batches) == 17  # the first window, and one more for the reply before
    assert slept(orders.wire) == []


def refuses(poison: set[str]) -> Any:
    """A service that refuses a batch whole when one of its items is among these."""

    def mishap(request: dict[str, Any]) -> CopyError | None:
        writes = request["RequestItems"]["orders"]
        found = any(write["PutRequest"]["Item"]["id"]["S"] in poison for write in writes)
        return RequestRefusedError("BatchWriteItem: ValidationException: Type mismatch") if found else None

    return mishap


def test_one_refused_item_among_25_leaves_the_24_others_written() -> None:
    orders = WrittenTable(repeat(refuses({"00013"})))

    written = write(orders.writer(), puts(range(25)))

    assert orders.ids == [number for number in ids(range(25)) if number != "00013"]
    (refusal,) = written.refusals
    assert orjson.loads(refusal.request) == {"PutRequest": {"Item": item_of(13)}}
    assert "Type mismatch" in refusal.message
    assert len(orders.batches) <= 11
    assert slept(orders.wire) == []


def test_every_refused_item_is_found_and_all_others_are_written() -> None:
    poison = {f"{number:05}" for number in range(0, 300, 7)}
    orders = WrittenTable(repeat(refuses(poison)))

    written = write(orders.writer(), puts(range(300)))

    refused = {orjson.loads(refusal.request)["PutRequest"]["Item"]["id"]["S"] for refusal in written.refusals}
    assert refused == poison
    assert orders.ids == sorted(set(ids(range(300))) - poison)


@pytest.mark.parametrize("held_for", [0, 1, 5, 16, 17, 30])
def test_a_fence_that_falls_stops_everything_and_no_request_follows(held_for: int) -> None:
    fence = LostAfter(held_for)
    orders = WrittenTable(repeat(nothing), fence=fence)

    with pytest.raises(LeaseLostError):
        write(orders.writer(), puts(range(2_000)))

    assert len(orders.batches) == held_for
    assert fence.checks == held_for + 1
    assert orders.wire.in_flight == 0


def test_the_fence_is_checked_for_every_retry() -> None:
    fence = LostAfter(4)
    orders = WrittenTable(repeat(happens(THROTTLED)), fence=fence)

    with pytest.raises(LeaseLostError):
        write(orders.writer(), puts(range(10)))

    assert len(orders.batches) == 4


def test_requests_on_their_way_are_seen_out_when_the_work_ends_with_an_error() -> None:
    orders = WrittenTable([happens(AccessError("no"))])

    with pytest.raises(AccessError):
        write(orders.writer(), puts(range(2_000)))

    assert orders.wire.abandoned == 15  # those behind the one that failed
    assert len(orders.batches) == 16


class Unreachable(FakeWire):
    """A host that no connection can be made to; each try takes its time."""

    def post(self, operation: str, body: bytes, **_: Any) -> Any:  # noqa: ARG002 - the wire's own signature
        """Fail before anything is sent."""
        assert isinstance(self.clock, StoppedClock)
        self.clock.pass_by(3.0)
        return Unsent()


class Unsent:
    """A request that did not reach the network."""

    was_sent = False

    def reply(self) -> None:
        """Say so."""
        raise CUT

    def see_out(self, seconds: float) -> None:
        """There is nothing to see."""


def test_a_host_that_cannot_be_reached_is_not_tried_by_a_whole_window_at_a_time() -> None:
    wire = Unreachable(lambda _operation, _request: {})
    writer = BatchWriter(wire, "orders", fence=LostAfter(10_000), budget=CapacityBudget({}))

    with pytest.raises(ServiceUnavailableError):
        write(writer, puts(range(2_000)))

    assert wire.clock.now() < Patience.total_seconds + Patience.cap_seconds + 2 * 3.0


def test_under_a_limit_the_first_request_goes_alone_because_nobody_knows_its_cost() -> None:
    orders = WrittenTable()
    in_flight: list[int] = []
    limiter = Watched(orders.wire, in_flight)

    write(orders.writer({"": limiter}), puts(range(100)))

    assert in_flight[:2] == [0, 0]
    assert max(in_flight) == 2


class Watched(CountingLimiter):
    """Notes how many requests are on their way whenever it is asked for units."""

    def __init__(self, wire: FakeWire, in_flight: list[int]) -> None:
        super().__init__()
        self._wire = wire
        self._in_flight = in_flight

    def take(self, units: float) -> None:
        """Note."""
        super().take(units)
        self._in_flight.append(self._wire.in_flight)


def test_every_request_is_charged_before_it_is_sent_and_settled_by_its_reply() -> None:
    limiter = CountingLimiter()
    orders = WrittenTable()

    write(orders.writer({"": limiter}), puts(range(100)))

    assert len(limiter.taken) == 4
    assert limiter.spent == 100.0


@pytest.mark.parametrize("mishap", [happens(THROTTLED), refuses({"00003"})], ids=["throttled", "an item of it refused"])
def test_a_request_that_was_turned_down_whole_costs_nothing(mishap: Any) -> None:
    limiter = CountingLimiter()
    orders = WrittenTable([nothing, mishap])

    write(orders.writer({"": limiter}), puts([10]))
    write(orders.writer({"": limiter}), puts([3]))

    assert limiter.spent == float(len(orders.ids))


def test_a_request_without_an_answer_stays_charged_because_it_may_have_been_written() -> None:
    limiter = CountingLimiter()
    orders = WrittenTable([happens(CUT)])

    write(orders.writer({"": limiter}), puts(range(10)))

    assert limiter.spent == 20.0
