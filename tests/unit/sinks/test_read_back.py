"""What was written is read back from the target: what a page may count, and what is said when it may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dynamodb_copy.errors import ContentDiffersError
from dynamodb_copy.formats.dynamodb_json import key_hash, sorted_line
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Change, Delete, Durable, Item, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.read_back import ReadBack
from dynamodb_copy.sinks.table import TableSink
from fakes import AlwaysHeld, CountingLimiter, FakeWire, MemoryTable

KEYS = KeySchema("id")
SEGMENT = Segment(0, 4)

Alter = Callable[[Item], Item | None]
"""An item of the target to what somebody makes of it; None: it is gone."""


def item_of(number: int, **attributes: Any) -> Item:
    return {"id": {"S": f"secret {number}"}, **attributes}


def puts(count: int) -> list[Change]:
    return [Put(item_of(number)) for number in range(count)]


def delete_of(number: int) -> Delete:
    return Delete(item_of(number))


def page_of(*changes: Change, cursor: dict[str, Any] | None = None, is_distinct: bool = False) -> Page:
    return Page(list(changes), cursor, Tally(items=len(changes), pages=1, read_units=0.5), is_distinct)


class Target:
    """A table of which reads, so many or all, may show something else than what was written, and ghosts besides."""

    def __init__(
        self, *, shows: Alter = lambda item: item, reads: int | None = None, ghosts: Sequence[Item] = ()
    ) -> None:
        self.table = MemoryTable("orders", KEYS)
        self.wire = FakeWire(self._answer)
        self.limiter = CountingLimiter()
        self._shows = shows
        self._reads_left = reads
        self._ghosts = ghosts

    def sink(self, *, ttl_attribute: str | None = None) -> ReadBack:
        """A sink of this table, read back."""
        writer = BatchWriter(self.wire, "orders", fence=AlwaysHeld(), budget=CapacityBudget({}))
        fingerprints = Fingerprints(KEYS, ttl_attribute, 1_800_000_000)
        return ReadBack(TableSink(writer, KEYS), self.wire, "orders", fingerprints, self.limiter)

    def asked(self) -> list[list[Item]]:
        """The keys of each read."""
        return [
            request["RequestItems"]["orders"]["Keys"]
            for operation, request in self.wire.requests
            if operation == "BatchGetItem"
        ]

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        reply = self.table.answer(operation, request)
        if operation != "BatchGetItem" or self._reads_left == 0:
            return reply
        if self._reads_left is not None:
            self._reads_left -= 1
        shown = [self._shows(item) for item in reply["Responses"]["orders"]]
        return reply | {"Responses": {"orders": [*self._ghosts, *[item for item in shown if item is not None]]}}


def absorbed(target: Target, *pages: Page, ttl_attribute: str | None = None) -> list[Durable]:
    return list(target.sink(ttl_attribute=ttl_attribute).absorb(SEGMENT, pages))


def altered(item: Item) -> Item:
    return item | {"note": {"S": "of somebody else"}}


def test_each_page_says_how_many_keys_were_read_back_besides_what_the_sink_says() -> None:
    target = Target()

    first, second = absorbed(
        target, page_of(Put(item_of(1)), Put(item_of(2)), cursor={"at": 1}), page_of(delete_of(1), is_distinct=True)
    )

    assert (first.cursor, second.cursor) == ({"at": 1}, None)
    assert first.tally == Tally(items=2, pages=1, read_units=0.5, write_units=2.0, checked=2)
    assert second.tally.checked == 1


@pytest.mark.parametrize("shows", [altered, lambda _: None], ids=["altered", "missing"])
def test_a_page_of_which_the_target_shows_something_else_does_not_count(shows: Alter) -> None:
    target = Target(shows=shows)

    with pytest.raises(ContentDiffersError, match="segment 1/4: 1 of 1 keys") as refused:
        absorbed(target, page_of(Put(item_of(1))))

    assert key_hash(item_of(1), KEYS).hex() in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_item_that_is_there_after_its_delete_is_wrong() -> None:
    ghost = item_of(1, note={"S": "back again"})
    target = Target(ghosts=[ghost])

    with pytest.raises(ContentDiffersError, match="1 of 2 keys") as refused:
        absorbed(target, page_of(delete_of(1), delete_of(2)))

    assert key_hash(ghost, KEYS).hex() in str(refused.value)
    assert key_hash(item_of(2), KEYS).hex() not in str(refused.value)


def test_keys_found_wrong_once_are_asked_for_again_alone_and_count_when_they_are_right_then() -> None:
    target = Target(shows=lambda item: None if item["id"]["S"] == "secret 2" else item, reads=1)

    (durable,) = absorbed(target, page_of(*puts(5)))

    assert durable.tally.checked == 5
    assert target.asked()[1:] == [[item_of(2)]]


def test_the_last_change_of_a_key_is_the_one_that_counts() -> None:
    changes: list[Change] = [
        Put(item_of(1, n={"N": "1"})),
        Put(item_of(1, n={"N": "2"})),
        Put(item_of(2)),
        delete_of(2),
    ]
    target = Target()

    (durable,) = absorbed(target, page_of(*changes))

    assert durable.tally.checked == 2
    assert [len(keys) for keys in target.asked()] == [2]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ({"N": "1.0"}, {"N": "1"}),
        ({"N": "12E-1"}, {"N": "1.2"}),
        ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
        ({"NS": ["10", "2.0"]}, {"NS": ["2", "10"]}),
        ({"M": {"b": {"L": [{"BS": ["AQ==", "AA=="]}]}}}, {"M": {"b": {"L": [{"BS": ["AA==", "AQ=="]}]}}}),
    ],
)
@pytest.mark.parametrize("with_line", [False, True])
def test_the_same_content_spelled_otherwise_is_right(written: Any, shown: Any, *, with_line: bool) -> None:
    item = item_of(1, z={"S": "z"}, a=written)
    target = Target(shows=lambda found: {"a": shown} | {"z": found["z"], "id": found["id"]})

    (durable,) = absorbed(target, page_of(Put(item, line=sorted_line(item) if with_line else None)))

    assert durable.tally.checked == 1


def test_what_ttl_may_remove_is_not_asked_for_but_its_delete_is() -> None:
    expiring, lasting = item_of(1, ttl={"N": "1799999999"}), item_of(2, ttl={"N": "1800000000"})
    target = Target()

    (durable,) = absorbed(target, page_of(Put(expiring), Put(lasting), delete_of(3)), ttl_attribute="ttl")

    assert durable.tally.checked == 2
    assert target.asked() == [[item_of(2), item_of(3)]]


def test_a_page_without_changes_is_durable_without_a_read() -> None:
    target = Target()

    durables = absorbed(target, page_of(cursor={"at": 1}), page_of())

    assert [durable.tally.checked for durable in durables] == [0, 0]
    assert target.wire.requests == []


def test_pages_that_change_the_same_key_are_each_read_back_before_the_next_is_written() -> None:
    target = Target()

    absorbed(
        target,
        page_of(Put(item_of(1, n={"N": "1"})), cursor={"at": 1}, is_distinct=True),
        page_of(Put(item_of(1, n={"N": "2"})), cursor={"at": 2}, is_distinct=True),
        page_of(delete_of(1), is_distinct=True),
    )

    assert [operation for operation, _ in target.wire.requests] == ["BatchWriteItem", "BatchGetItem"] * 3


def test_reading_back_is_charged_to_its_own_limit() -> None:
    target = Target()

    absorbed(target, page_of(*puts(130)))

    assert target.limiter.taken == [100, 30]
    assert target.limiter.spent == 130
