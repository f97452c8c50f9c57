"""Items of a window of time: what is asked for, how moments are spelled, and where reading goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from dynamodb_copy.errors import ServiceUnavailableError
from dynamodb_copy.model import Cursor, Item, KeySchema, Page, Put, Segment
from dynamodb_copy.sources import attribute_window
from dynamodb_copy.sources.attribute_window import Attribute, AttributeWindow, Index
from fakes import CountingLimiter, FakeWire, scripted
from indexed_table import IndexedTable

KEYS = KeySchema("id")
SECONDS = Attribute("at", "epoch_seconds")
ONE = Segment(0, 1)
NOW = 1_795_572_000.5  # 2026-11-25T02:00:00.5Z
THROTTLED = ServiceUnavailableError("Query: slowly", throttled=True)


def item_of(number: int, share: str = "a", at: float = 100.0) -> Item:
    return {"id": {"S": f"{number:03}"}, "share": {"S": share}, "at": {"N": str(at)}, "note": {"S": "n"}}


def window_of(
    wire: FakeWire,
    *,
    window: tuple[float, float] = (100.0, 200.0),
    partitions: Sequence[str] | None = None,
    segments: int = 1,
    limiter: CountingLimiter | None = None,
) -> AttributeWindow:
    index = None if partitions is None else Index("by_time", ("share", "S"), partitions)
    made = limiter or CountingLimiter()
    return AttributeWindow(wire, "orders", KEYS, SECONDS, window, segments, lambda: made, index)


def ids(pages: Sequence[Page]) -> list[str]:
    return sorted(change.item["id"]["S"] for page in pages for change in page.changes if isinstance(change, Put))


def read(source: AttributeWindow, segment: Segment = ONE, after: Cursor | None = None) -> list[Page]:
    return list(source.pages(segment, after))


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys a page."""
    monkeypatch.setattr(attribute_window, "_KEYS_PER_PAGE", 2)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute("at", "epoch_seconds"), {"N": "1795572000.500"}),
        (Attribute("at", "epoch_millis"), {"N": "1795572000500"}),
        (Attribute("at", "iso8601"), {"S": "2026-11-25T02:00:00"}),
    ],
)
def test_a_moment_is_spelled_as_the_attribute_holds_it(attribute: Attribute, value: dict[str, str]) -> None:
    assert attribute.value(NOW) == value


@pytest.mark.parametrize("text", ["2026-11-25T02:00:00Z", "2026-11-25T02:00:00.5Z", "2026-11-25T02:00:00.000Z"])
def test_text_of_a_second_lies_in_the_window_that_begins_with_it_however_it_goes_on(text: str) -> None:
    attribute = Attribute("at", "iso8601")

    assert attribute.value(NOW)["S"] <= text < attribute.value(NOW + 1)["S"]


def test_a_scan_asks_for_the_window_strongly_consistently() -> None:
    wire = FakeWire(scripted({"Items": [item_of(1)], "Count": 1, "ScannedCount": 9}))

    (page,) = read(window_of(wire))

    assert ids([page]) == ["001"]
    request = wire.requests[0][1]
    assert (request["FilterExpression"], request["ConsistentRead"]) == ("#a >= :start AND #a < :end", True)
    assert request["ExpressionAttributeNames"] == {"#a": "at"}
    assert request["ExpressionAttributeValues"] == {":start": {"N": "100.000"}, ":end": {"N": "200.000"}}
    assert (request["Segment"], request["TotalSegments"]) == (0, 1)


def test_a_query_asks_for_keys_of_one_partition_of_the_window() -> None:
    wire = FakeWire(scripted({"Items": []}))

    read(window_of(wire, partitions=["a"]))

    ((operation, request),) = wire.requests
    assert operation == "Query"
    assert (request["IndexName"], request["Limit"]) == ("by_time", 100)
    assert request["KeyConditionExpression"] == "#p = :p AND #a BETWEEN :start AND :end"
    assert request["ProjectionExpression"] == "#k0"
    assert request["ExpressionAttributeNames"] == {"#p": "share", "#a": "at", "#k0": "id"}
    assert request["ExpressionAttributeValues"][":p"] == {"S": "a"}
    assert "ConsistentRead" not in request  # no index can do that


def test_items_that_an_index_names_come_whole_from_the_table_with_their_lines() -> None:
    table = IndexedTable("orders", KEYS, [item_of(1), item_of(2, at=99.9), item_of(3, share="b"), item_of(4, at=200.1)])

    (page,) = read(window_of(FakeWire(table.answer), partitions=["a"]))

    (put,) = page.changes
    assert isinstance(put, Put)
    assert put.item == item_of(1)
    assert put.line == orjson.dumps(item_of(1), option=orjson.OPT_SORT_KEYS)


def test_an_item_that_an_index_still_names_and_the_table_has_no_more_is_left_out() -> None:
    gone: dict[str, Any] = {"Responses": {"orders": []}}
    wire = FakeWire(scripted({"Items": [item_of(1)]}, gone))

    (page,) = read(window_of(wire, partitions=["a"]))

    assert (page.changes, page.cursor) == ([], None)


def test_an_item_that_a_page_of_the_index_names_twice_is_read_once() -> None:
    found: dict[str, Any] = {"Responses": {"orders": [item_of(1)]}}
    wire = FakeWire(scripted({"Items": [item_of(1), item_of(1)]}, found))

    read(window_of(wire, partitions=["a"]))

    assert len(wire.requests[1][1]["RequestItems"]["orders"]["Keys"]) == 1


@pytest.mark.usefixtures("small_pages")
def test_after_each_page_of_each_partition_reading_goes_on_exactly_there() -> None:
    items = [*[item_of(n) for n in range(5)], *[item_of(n, "c") for n in range(5, 9)]]
    source = window_of(FakeWire(IndexedTable("orders", KEYS, items).answer), partitions=["a", "empty", "c"])
    pages = read(source)

    assert ids(pages) == [f"{n:03}" for n in range(9)]
    assert [page.cursor for page in pages].index(None) == len(pages) - 1
    assert {"partition": 2, "key": None} in [page.cursor for page in pages]  # between two partitions
    for at, page in enumerate(pages[:-1]):
        rest = read(source, after=orjson.loads(orjson.dumps(page.cursor)))
        assert ids(rest) == ids(pages[at + 1 :])
        assert rest[-1].cursor is None


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_each_partition_is_read_by_one_segment(segments: int) -> None:
    items = [item_of(n, "abc"[n % 3]) for n in range(30)]
    source = window_of(
        FakeWire(IndexedTable("orders", KEYS, items).answer), partitions=["a", "b", "c"], segments=segments
    )

    pages = [read(source, segment) for segment in source.segments()]

    assert sorted(name for of_segment in pages for name in ids(of_segment)) == ids([p for ps in pages for p in ps])
    assert len(ids([page for of_segment in pages for page in of_segment])) == 30
    assert all(of_segment[-1].cursor is None for of_segment in pages)


def test_a_page_says_what_its_query_and_its_reads_took() -> None:
    limiter = CountingLimiter()
    used = {"ConsumedCapacity": {"CapacityUnits": 2.5}}
    read_used = {"Responses": {"orders": [item_of(1)]}, "ConsumedCapacity": [{"CapacityUnits": 3.0}]}
    wire = FakeWire(scripted({"Items": [item_of(1)], **used}, read_used))

    (page,) = read(window_of(wire, partitions=["a"], limiter=limiter))

    assert (page.tally.pages, page.tally.read_units) == (1, 5.5)
    assert limiter.spent == 5.5


def test_a_query_that_is_throttled_is_sent_again() -> None:
    wire = FakeWire(scripted(THROTTLED, {"Items": []}))

    (page,) = read(window_of(wire, partitions=["a"]))

    assert page.cursor is None
    assert len(wire.requests) == 2
