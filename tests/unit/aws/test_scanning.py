"""A scan as a chain of requests, against a wire without a network."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.scanning import REQUEST_BYTES, Scan, ScanReply
from dynamodb_copy.errors import AccessError, ServiceUnavailableError
from dynamodb_copy.model import Item, KeySchema
from fakes import Answer, CountingLimiter, FakeWire, MemoryTable, StoppedClock, scripted

THROTTLED = ServiceUnavailableError("Scan: ThrottlingException: slowly", throttled=True)
CUT = ServiceUnavailableError("Scan: cut")
REQUEST = {"TableName": "orders", "Segment": 0, "TotalSegments": 1}


def page(number: int, *, units: float = 0.5, is_last: bool = False, size_bytes: int = 100) -> dict[str, Any]:
    item = {"id": {"S": str(number)}, "padding": {"S": "x" * size_bytes}}
    reply = {"Items": [item], "Count": 1, "ScannedCount": 1, "ConsumedCapacity": {"CapacityUnits": units}}
    return reply if is_last else reply | {"LastEvaluatedKey": {"id": {"S": str(number)}}}


def scan_of(answer: Answer, limiter: CountingLimiter | None = None) -> tuple[Scan, FakeWire]:
    wire = FakeWire(answer)
    return Scan(wire, REQUEST, limiter or CountingLimiter()), wire


def starts(wire: FakeWire) -> list[str | None]:
    """Where each request resumed."""
    return [request.get("ExclusiveStartKey", {}).get("id", {}).get("S") for _, request in wire.requests]


def ids(replies: list[ScanReply]) -> list[str]:
    return [item["id"]["S"] for reply in replies for item in reply.items]


def test_replies_follow_one_another_to_the_end() -> None:
    scan, wire = scan_of(scripted(page(1), page(2), page(3, is_last=True)))

    replies = list(scan.replies(after=None))

    assert ids(replies) == ["1", "2", "3"]
    assert [reply.cursor for reply in replies] == [{"id": {"S": "1"}}, {"id": {"S": "2"}}, None]
    assert starts(wire) == [None, "1", "2"]
    assert wire.requests[0][1] | REQUEST == wire.requests[0][1]


def test_a_scan_resumes_after_its_cursor() -> None:
    scan, wire = scan_of(scripted(page(8, is_last=True)))

    list(scan.replies(after={"id": {"S": "7"}}))

    assert starts(wire) == ["7"]


def test_one_request_is_on_its_way_while_a_reply_is_in_work_and_never_more() -> None:
    scan, wire = scan_of(scripted(page(1), page(2), page(3), page(4, is_last=True)))

    in_flight = [wire.in_flight for _ in scan.replies(after=None)]

    assert in_flight == [1, 1, 1, 0]
    assert wire.most_in_flight == 1


def test_what_was_read_ahead_is_given_up_when_nobody_wants_it() -> None:
    scan, wire = scan_of(scripted(page(1), page(2)))
    replies = scan.replies(after=None)
    next(replies)

    replies.close()  # type: ignore[attr-defined]  # a generator behind the Iterator

    assert (wire.abandoned, wire.in_flight) == (1, 0)


@pytest.mark.parametrize("item_bytes", [40, 400, 4_000, 40_000])
def test_requests_come_to_aim_at_a_fixed_number_of_bytes_whatever_the_items(item_bytes: int) -> None:
    keys = KeySchema("id")
    count = 5 * REQUEST_BYTES // (item_bytes + 40)
    items: list[Item] = [{"id": {"S": str(n)}, "padding": {"S": "x" * item_bytes}} for n in range(count)]
    wire = FakeWire(MemoryTable("orders", keys, items).answer)

    replies = list(Scan(wire, REQUEST, CountingLimiter()).replies(after=None))

    sizes = [len(orjson.dumps(reply.items)) for reply in replies]
    assert len(ids(replies)) == count
    assert all(size <= REQUEST_BYTES for size in sizes[1:])
    assert all(size >= REQUEST_BYTES / 2 for size in sizes[1:-2])


def test_the_requests_that_are_not_yet_durable_are_about_one_full_page() -> None:
    item_share = 0.75  # of an item's wire JSON, what the service counts towards its 1 MB

    assert 4 * REQUEST_BYTES * item_share <= 1 << 20


def test_a_page_of_large_items_makes_the_next_request_small_at_once() -> None:
    scan, wire = scan_of(scripted(page(1), page(2, size_bytes=390_000), page(3), page(4, is_last=True)))

    list(scan.replies(after=None))

    limits = [request["Limit"] for _, request in wire.requests]
    assert limits[2] == 1
    assert limits[3] > 1_000


def test_an_empty_page_is_passed_on_because_its_cursor_is_progress() -> None:
    empty = {"Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": {"id": {"S": "5"}}}
    scan, _ = scan_of(scripted(empty, page(6, is_last=True)))

    replies = list(scan.replies(after=None))

    assert [(len(reply.items), reply.cursor) for reply in replies] == [(0, {"id": {"S": "5"}}), (1, None)]


def test_a_count_has_no_items() -> None:
    scan, _ = scan_of(scripted({"Count": 17, "ScannedCount": 20}))

    assert [(reply.counted, reply.items) for reply in scan.replies(after=None)] == [(17, [])]


def test_the_limiter_is_asked_for_what_the_last_request_cost_and_told_what_this_one_did() -> None:
    limiter = CountingLimiter()
    scan, _ = scan_of(scripted(page(1, units=12.0), page(2, units=20.0), page(3, units=3.5, is_last=True)), limiter)

    replies = list(scan.replies(after=None))

    assert limiter.taken == [1.0, 12.0, 20.0]
    assert limiter.spent == 35.5
    assert [reply.units for reply in replies] == [12.0, 20.0, 3.5]


def test_a_failed_request_is_sent_again_after_a_wait() -> None:
    scan, wire = scan_of(scripted(page(1), CUT, CUT, page(2, is_last=True)))

    replies = list(scan.replies(after=None))

    assert ids(replies) == ["1", "2"]
    assert starts(wire) == [None, "1", "1", "1"]
    assert isinstance(wire.clock, StoppedClock)
    assert len(wire.clock.slept) == 2
    assert [(reply.throttles, reply.retries) for reply in replies] == [(0, 0), (0, 2)]


def test_throttled_requests_are_counted_and_cost_nothing() -> None:
    limiter = CountingLimiter()
    scan, _ = scan_of(scripted(THROTTLED, THROTTLED, page(1, units=8.0, is_last=True)), limiter)

    (reply,) = scan.replies(after=None)

    assert (reply.throttles, reply.retries) == (2, 2)
    assert limiter.spent == 8.0


def test_what_a_request_without_an_answer_may_have_cost_stays_charged() -> None:
    limiter = CountingLimiter()
    scan, _ = scan_of(scripted(page(1, units=8.0), CUT, page(2, units=8.0, is_last=True)), limiter)

    list(scan.replies(after=None))

    assert limiter.spent == 24.0


def test_patience_ends_with_the_transient_error() -> None:
    scan, wire = scan_of(lambda _operation, _request: (_ for _ in ()).throw(THROTTLED))

    with pytest.raises(ServiceUnavailableError, match="slowly"):
        list(scan.replies(after=None))

    assert wire.clock.now() > Patience.total_seconds


def test_a_permanent_error_is_raised_at_once() -> None:
    scan, wire = scan_of(scripted(AccessError("dynamodb:Scan is not permitted")))

    with pytest.raises(AccessError):
        list(scan.replies(after=None))

    assert len(wire.requests) == 1
