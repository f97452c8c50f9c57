"""A table as a source: which requests it makes, and what it leaves behind."""

from __future__ import annotations

from contextlib import closing

import pytest

from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.errors import AccessError, ServiceUnavailableError
from dynamodb_copy.model import KeySchema, Put, Segment
from dynamodb_copy.sources.table_scan import TableScan, only_counts, only_keys, whole_items
from fakes import CountingLimiter, FakeWire, scripted

THROTTLED = ServiceUnavailableError("Scan: slowly", throttled=True)
ITEM = {"id": {"S": "1"}}
MORE = {"LastEvaluatedKey": ITEM}
PAGE = {"Items": [ITEM], "Count": 1, "ScannedCount": 1, "ConsumedCapacity": {"CapacityUnits": 2.0}}
SEGMENT = Segment(3, 8)


def scan_of(wire: Wire, **request: object) -> TableScan:
    return TableScan(wire, {"TableName": "orders", **request}, 8, CountingLimiter)


def test_segments_are_those_of_a_parallel_scan() -> None:
    assert scan_of(FakeWire(scripted())).segments() == [Segment(index, 8) for index in range(8)]


def test_a_segment_asks_for_its_share_of_the_table() -> None:
    wire = FakeWire(scripted(PAGE))

    list(scan_of(wire).pages(SEGMENT, after=None))

    request = wire.requests[0][1]
    assert (request["Segment"], request["TotalSegments"]) == (3, 8)


def test_a_page_says_what_reading_it_took() -> None:
    wire = FakeWire(scripted(THROTTLED, PAGE | MORE, PAGE))

    first, second = scan_of(wire).pages(SEGMENT, after=None)

    assert (first.cursor, second.cursor) == (ITEM, None)
    assert [change.item for change in first.changes if isinstance(change, Put)] == [ITEM]
    assert (first.tally.pages, first.tally.read_units, first.tally.throttles, first.tally.retries) == (1, 2.0, 1, 1)
    assert (second.tally.throttles, second.tally.retries) == (0, 0)


def test_a_count_is_the_tallys_items_and_the_page_is_empty() -> None:
    wire = FakeWire(scripted({"Count": 17, "ScannedCount": 20}))

    (page,) = scan_of(wire, Select="COUNT").pages(SEGMENT, after=None)

    assert (page.changes, page.tally.items) == ([], 17)


class Closing(FakeWire):
    """A wire that says whether it was closed."""

    was_closed = False

    def close(self) -> None:
        """Remember."""
        self.was_closed = True


def test_connections_are_closed_when_the_segment_ends() -> None:
    wire = Closing(scripted(PAGE))

    list(scan_of(wire).pages(SEGMENT, after=None))

    assert wire.was_closed


def test_connections_are_closed_and_the_request_read_ahead_given_up_when_the_reader_stops() -> None:
    wire = Closing(scripted(PAGE | MORE, PAGE))

    with closing(scan_of(wire).pages(SEGMENT, after=None)) as pages:  # type: ignore[type-var]  # it is a generator
        next(pages)

    assert wire.was_closed
    assert (wire.abandoned, wire.in_flight) == (1, 0)


def test_connections_are_closed_when_reading_fails() -> None:
    wire = Closing(scripted(AccessError("no")))

    with pytest.raises(AccessError):
        list(scan_of(wire).pages(SEGMENT, after=None))

    assert wire.was_closed


@pytest.mark.parametrize("consistent", [True, False])
def test_whole_items_are_read_as_consistently_as_asked(consistent: bool) -> None:  # noqa: FBT001 - a parameter's value
    assert whole_items("orders", consistent=consistent) == {"TableName": "orders", "ConsistentRead": consistent}


@pytest.mark.parametrize(("keys", "names"), [(KeySchema("id"), {"id"}), (KeySchema("a", "b"), {"a", "b"})])
def test_keys_alone_are_read_strongly_consistently(keys: KeySchema, names: set[str]) -> None:
    request = only_keys("orders", keys)

    assert request["ConsistentRead"] is True
    shown = request["ProjectionExpression"].split(", ")
    assert {request["ExpressionAttributeNames"][name] for name in shown} == names


def test_a_count_leaves_out_what_ttl_may_remove() -> None:
    request = only_counts("orders", "expires", 1_700_000_000)

    assert (request["Select"], request["ConsistentRead"]) == ("COUNT", True)
    assert request["ExpressionAttributeNames"] == {"#ttl": "expires"}
    assert request["ExpressionAttributeValues"][":horizon"] == {"N": "1700000000"}


def test_a_count_without_ttl_has_no_filter() -> None:
    assert "FilterExpression" not in only_counts("orders", None, 0)
