"""Nothing that was written counts before it was read back as it was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dynamodb_copy.errors import ContentDiffersError
from dynamodb_copy.formats.dynamodb_json import key_hash, key_of
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Change, Delete, Durable, Item, Page, Put, Segment, Tally
from dynamodb_copy.sinks.read_back import ReadBack
from dynamodb_copy.sinks.table import TableSink
from fakes import CountingLimiter
from unit.sinks.written_table import KEYS, WrittenTable, item_of

SEGMENT = Segment(2, 16)
COST = Tally(items=1, pages=1)

Reply = dict[str, Any]
Tampering = Callable[[list[Item]], list[Item]]
"""Gets the items that a read finds; returns those that it is to find."""


class Witness(WrittenTable):
    """The table; each read of it meets the next tampering, as long as there are any."""

    def __init__(self, *tamperings: Tampering) -> None:
        super().__init__()
        self._tamperings = iter(tamperings)

    def _answer(self, operation: str, request: dict[str, Any]) -> Reply:
        reply = super()._answer(operation, request)
        if operation == "BatchGetItem":
            tampering = next(self._tamperings, lambda items: items)
            reply["Responses"]["orders"] = tampering(reply["Responses"]["orders"])
        return reply

    @property
    def reads(self) -> list[list[str]]:
        """The ids of the keys that each read asked for, in order."""
        asked = [request for operation, request in self.wire.requests if operation == "BatchGetItem"]
        return [sorted(key["id"]["S"] for key in request["RequestItems"]["orders"]["Keys"]) for request in asked]


def absorbed(witness: Witness, *contents: Sequence[Change], fingerprints: Fingerprints | None = None) -> list[Durable]:
    """Write a segment with these pages."""
    sink = ReadBack(
        TableSink(witness.writer(), KEYS), witness.wire, "orders", fingerprints or Fingerprints(KEYS), CountingLimiter()
    )
    pages = [Page(list(changes), {"at": at}, COST, is_distinct=True) for at, changes in enumerate(contents)]
    return list(sink.absorb(SEGMENT, pages))


def altered(items: list[Item]) -> list[Item]:
    return [{**items[0], "secret": {"S": "hush, altered"}}, *items[1:]]


def emptied(_items: list[Item]) -> list[Item]:
    return []


def back(items: list[Item]) -> list[Item]:
    return [*items, item_of(2, secret={"S": "hush"})]


def test_each_key_is_read_back_once_and_counted() -> None:
    witness = Witness()

    durables = absorbed(witness, [Put(item_of(1)), Put(item_of(2))], [Delete(item_of(1))])

    assert [durable.tally.checked for durable in durables] == [2, 1]
    assert [durable.cursor for durable in durables] == [{"at": 0}, {"at": 1}]
    assert witness.reads == [["00001", "00002"], ["00001"]]


def test_what_the_writes_cost_is_counted_as_without_reading_back() -> None:
    (durable,) = absorbed(Witness(), [Put(item_of(1))])

    assert (durable.tally.items, durable.tally.pages, durable.tally.write_units) == (1, 1, 1.0)


def test_reads_are_strongly_consistent() -> None:
    witness = Witness()

    absorbed(witness, [Put(item_of(1))])

    (request,) = [request for operation, request in witness.wire.requests if operation == "BatchGetItem"]
    assert request["RequestItems"]["orders"]["ConsistentRead"] is True


@pytest.mark.parametrize(
    ("tampering", "changes", "wrong"),
    [
        pytest.param(altered, [Put(item_of(1)), Put(item_of(3))], 1, id="an item that was altered"),
        pytest.param(emptied, [Put(item_of(1))], 1, id="an item that is missing"),
        pytest.param(back, [Put(item_of(1)), Delete(item_of(2))], 2, id="an item that is back after a delete"),
    ],
)
def test_what_is_not_as_it_was_written_is_not_durable_and_named_by_its_key_hash_alone(
    tampering: Tampering, changes: list[Change], wrong: int
) -> None:
    witness = Witness(tampering, tampering)

    with pytest.raises(ContentDiffersError) as caught:
        absorbed(witness, changes)

    message = str(caught.value)
    assert message.startswith(f"segment 3/16: 1 of {len(changes)} keys that were written to orders are not there")
    assert f"key hashes: {key_hash(item_of(wrong), KEYS).hex()}. Somebody else writes to the target" in message
    assert "hush" not in message
    assert f"{wrong:05}" not in message


@pytest.mark.parametrize("tampering", [altered, emptied])
def test_what_is_wrong_once_and_right_at_a_second_look_counts(tampering: Tampering) -> None:
    witness = Witness(tampering)

    (durable,) = absorbed(witness, [Put(item_of(1)), Put(item_of(3))])

    assert durable.tally.checked == 2
    assert witness.reads[1] == (["00001"] if tampering is altered else ["00001", "00003"])


def test_of_very_many_wrong_keys_all_are_counted_and_ten_named() -> None:
    with pytest.raises(ContentDiffersError, match="60 of 60 keys") as caught:
        absorbed(Witness(emptied, emptied), [Put(item_of(number)) for number in range(60)])

    assert len(str(caught.value).partition("hashes: ")[2].partition(". ")[0].split(", ")) == 10


def test_of_a_key_that_is_twice_in_a_page_the_last_change_counts() -> None:
    twice: list[Change] = [Put(item_of(1, v={"N": "1"})), Put(item_of(1, v={"N": "2"}))]
    gone: list[Change] = [Put(item_of(2)), Delete(item_of(2))]
    back_again: list[Change] = [Delete(item_of(3)), Put(item_of(3))]

    (durable,) = absorbed(Witness(), [*twice, *gone, *back_again])

    assert durable.tally.checked == 3


def test_pages_that_change_the_same_key_are_each_checked_before_the_next_is_written() -> None:
    durables = absorbed(
        Witness(), [Put(item_of(1, v={"N": "1"}))], [Put(item_of(1, v={"N": "2"}))], [Delete(item_of(1))]
    )

    assert [durable.tally.checked for durable in durables] == [1, 1, 1]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
        ({"BS": ["//79", "AAE="]}, {"BS": ["AAE=", "//79"]}),
        ({"NS": ["2", "1.0"]}, {"NS": ["1", "2"]}),
        ({"N": "1.50"}, {"N": "1.5"}),
        ({"L": [{"M": {"a": {"N": "1E2"}}}]}, {"L": [{"M": {"a": {"N": "100"}}}]}),
    ],
)
def test_sets_in_another_order_and_numbers_in_another_spelling_are_the_same(written: Reply, found: Reply) -> None:
    witness = Witness(lambda _: [item_of(1, value=found)])

    (durable,) = absorbed(witness, [Put(item_of(1, value=written))])

    assert durable.tally.checked == 1
    assert len(witness.reads) == 1


def test_a_list_in_another_order_is_not_the_same() -> None:
    def found(_: list[Item]) -> list[Item]:
        return [item_of(1, value={"L": [{"N": "2"}, {"N": "1"}]})]

    with pytest.raises(ContentDiffersError):
        absorbed(Witness(found, found), [Put(item_of(1, value={"L": [{"N": "1"}, {"N": "2"}]}))])


def test_items_that_ttl_may_have_removed_are_not_looked_at() -> None:
    fingerprints = Fingerprints(KEYS, "ttl", 1_800_000_000)
    expiring, staying = item_of(1, ttl={"N": "1799999999"}), item_of(2, ttl={"N": "1800000000"})
    witness = Witness()

    (durable,) = absorbed(witness, [Put(expiring), Put(staying)], fingerprints=fingerprints)

    assert durable.tally.checked == 1
    assert witness.reads == [["00002"]]


def test_a_delete_is_checked_where_there_is_ttl_too() -> None:
    with pytest.raises(ContentDiffersError):
        absorbed(Witness(back, back), [Delete(key_of(item_of(2), KEYS))], fingerprints=Fingerprints(KEYS, "ttl", 9))


def test_a_page_without_changes_passes_without_a_read() -> None:
    witness = Witness()

    (durable,) = absorbed(witness, [])

    assert (durable.cursor, durable.tally.checked, witness.reads) == ({"at": 0}, 0, [])


def test_after_a_wrong_page_nothing_more_is_written() -> None:
    witness = Witness(emptied, emptied)

    with pytest.raises(ContentDiffersError):
        absorbed(witness, [Put(item_of(1))], [Put(item_of(2))])

    assert witness.ids == ["00001"]
    assert witness.wire.in_flight == 0
