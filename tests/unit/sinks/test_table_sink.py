"""Pages into a table: what is counted, and what is said about items that the table refuses."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import pytest

from dynamodb_copy.errors import CopyError, ItemRefusedError, LeaseLostError, RequestRefusedError
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import Change, Delete, Durable, Page, Put, Segment, Tally
from dynamodb_copy.sinks.table import TableSink
from fakes import CountingLimiter, LostAfter, StoppedClock
from unit.sinks.written_table import KEYS, THROTTLED, WrittenTable, happens, item_of, nothing

SEGMENT = Segment(2, 16)


def page_of(*changes: Change, cursor: dict[str, Any] | None = None) -> Page:
    return Page(list(changes), cursor, Tally(items=len(changes), pages=1, read_units=0.5))


def refusing(*numbers: int) -> Any:
    """A service that does not take these items, and says so with its reason."""
    refused = {f"{number:05}" for number in numbers}

    def mishap(request: dict[str, Any]) -> CopyError | None:
        items = [write["PutRequest"]["Item"] for write in request["RequestItems"]["orders"]]
        found = any(item["id"]["S"] in refused for item in items)
        return RequestRefusedError("ValidationException: Type mismatch for Index Key") if found else None

    return repeat(mishap)


def test_the_tally_holds_what_was_read_and_what_the_writes_cost() -> None:
    orders = WrittenTable([nothing, happens(THROTTLED)])
    sink = TableSink(orders.writer({"": CountingLimiter()}), KEYS)

    first, second = sink.absorb(
        SEGMENT, [page_of(*[Put(item_of(n)) for n in range(30)], cursor={"at": 1}), page_of(Put(item_of(99)))]
    )

    assert (first.cursor, second.cursor) == ({"at": 1}, None)
    assert first.tally == Tally(
        items=30, pages=1, read_units=0.5, write_units=30.0, throttles=1, retries=1, seconds=first.tally.seconds
    )
    assert second.tally == Tally(items=1, pages=1, read_units=0.5, write_units=1.0)


def test_the_seconds_of_all_pages_add_up_to_the_time_that_passed_reading_included() -> None:
    orders = WrittenTable([happens(THROTTLED)])
    clock = orders.wire.clock
    assert isinstance(clock, StoppedClock)

    def slowly_read() -> Any:
        for number in range(3):
            clock.pass_by(7.0)
            yield page_of(Put(item_of(number)), cursor={"at": number})

    durables = list(TableSink(orders.writer(), KEYS).absorb(SEGMENT, slowly_read()))

    assert sum(durable.tally.seconds for durable in durables) == pytest.approx(clock.now())
    assert clock.now() > 21.0


def test_within_a_page_the_last_change_of_a_key_is_the_one_that_is_sent() -> None:
    orders = WrittenTable()
    changes: list[Change] = [
        Put(item_of(1, v={"N": "1"})),
        Delete(item_of(2)),
        Put(item_of(2)),
        Put(item_of(1, v={"N": "2"})),
    ]

    list(TableSink(orders.writer(), KEYS).absorb(SEGMENT, [page_of(*changes)]))

    assert orders.batch_sizes == [2]
    assert sorted(orders.table.items, key=str) == sorted([item_of(1, v={"N": "2"}), item_of(2)], key=str)


def test_refused_items_are_counted_and_named_by_key_hash_and_their_page_is_not_durable() -> None:
    orders = WrittenTable(refusing(13, 14))
    pages = [page_of(*[Put(item_of(n, secret={"S": "hush"})) for n in range(25)], cursor={"at": 1}), page_of()]

    with pytest.raises(ItemRefusedError) as caught:
        list(TableSink(orders.writer(), KEYS).absorb(SEGMENT, pages))

    message = str(caught.value)
    assert message.startswith("segment 3/16: the target refuses 2 items of a page")
    assert "Type mismatch for Index Key" in message
    assert "verify --show-keys" in message
    named = message.partition("hashes: ")[2].partition(". ")[0].split(", ")
    assert set(named) == {key_hash(item_of(number), KEYS).hex() for number in (13, 14)}
    assert len(orders.ids) == 23


def test_the_message_about_refused_items_shows_nothing_of_them() -> None:
    orders = WrittenTable(refusing(13))
    page = page_of(*[Put(item_of(n, secret={"S": "hush"})) for n in range(25)])

    with pytest.raises(ItemRefusedError) as caught:
        list(TableSink(orders.writer(), KEYS).absorb(SEGMENT, [page]))

    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "00013" not in str(caught.value)


def test_of_very_many_refused_items_all_are_counted_and_ten_named() -> None:
    orders = WrittenTable(refusing(*range(100)))

    with pytest.raises(ItemRefusedError, match="refuses 100 items") as caught:
        list(TableSink(orders.writer(), KEYS).absorb(SEGMENT, [page_of(*[Put(item_of(n)) for n in range(200)])]))

    named = str(caught.value).partition("hashes: ")[2].partition(". ")[0].split(", ")
    assert len(set(named)) == 10
    assert len(orders.ids) == 100


def test_after_a_refused_item_no_page_is_durable_and_only_the_next_may_have_been_written() -> None:
    orders = WrittenTable(refusing(1))
    pages = iter([page_of(Put(item_of(n)), cursor={"at": n})._replace(is_distinct=True) for n in range(1, 5)])
    durables: list[Durable] = []

    with pytest.raises(ItemRefusedError):
        durables.extend(TableSink(orders.writer(), KEYS).absorb(SEGMENT, pages))

    assert durables == []
    assert orders.ids == ["00002"]
    assert [page.cursor for page in pages] == [{"at": 3}, {"at": 4}]


def test_the_writes_of_two_pages_of_distinct_keys_share_a_round_trip() -> None:
    orders = WrittenTable()
    pages = [page_of(Put(item_of(n)), cursor={"at": n})._replace(is_distinct=True) for n in range(4)]
    durables = TableSink(orders.writer(), KEYS).absorb(SEGMENT, pages)

    written = [len(orders.batches) for _ in durables]

    assert written == [2, 3, 4, 4]


def test_pages_that_may_hold_the_same_key_never_overlap() -> None:
    orders = WrittenTable()
    pages = [page_of(Put(item_of(n)), cursor={"at": n}) for n in range(4)]
    durables = TableSink(orders.writer(), KEYS).absorb(SEGMENT, pages)

    written = [len(orders.batches) for _ in durables]

    assert written == [1, 2, 3, 4]


def test_closing_sees_out_what_is_on_its_way_and_sends_nothing_more() -> None:
    orders = WrittenTable()
    pages = [page_of(Put(item_of(n)), cursor={"at": n})._replace(is_distinct=True) for n in range(4)]
    durables = TableSink(orders.writer(), KEYS).absorb(SEGMENT, pages)

    next(durables)
    assert orders.wire.in_flight == 1
    durables.close()

    assert orders.wire.in_flight == 0
    assert orders.ids == ["00000", "00001"]


def test_a_lost_lease_makes_no_page_durable() -> None:
    orders = WrittenTable(repeat(nothing), fence=LostAfter(3))
    pages = [page_of(*[Put(item_of(100 * p + n)) for n in range(50)], cursor={"at": p}) for p in range(4)]
    durables = TableSink(orders.writer(), KEYS).absorb(SEGMENT, pages)

    assert next(durables).cursor == {"at": 0}
    with pytest.raises(LeaseLostError):
        next(durables)
    assert len(orders.batches) == 3
