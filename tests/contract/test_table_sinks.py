"""What sinks promise that hold the last change of each key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random

import orjson
import pytest

from arbitrary_items import KEYS
from contract.emulated_table import STRING_KEY, KeyTypes, schema_of
from contract.example_items import bulky, key_of_number, largest
from contract.sink_cases import (
    SEGMENT,
    TABLES,
    SinkCase,
    absorb,
    building,
    delete,
    item_of,
    meanings,
    pages_of,
    put,
    table_sink,
)
from dynamodb_copy.errors import ItemRefusedError
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import Change, Delete, Item, Page, Put
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.table import TableSink
from fakes import AlwaysHeld, FakeWire, MemoryTable, in_pages

pytestmark = pytest.mark.integration


@pytest.fixture(params=TABLES, ids=lambda builder: builder.__name__)
def case_of(request: pytest.FixtureRequest, ministack_endpoint: str) -> Iterator[Callable[[KeyTypes], SinkCase]]:
    """Builds an empty sink for given key types; each sink in turn."""
    yield from building(request, ministack_endpoint)


@pytest.fixture
def case(case_of: Callable[[KeyTypes], SinkCase]) -> SinkCase:
    """An empty sink with a string key."""
    return case_of(STRING_KEY)


def test_a_put_replaces_the_whole_item(case: SinkCase) -> None:
    absorb(case.sink, [Put({**item_of(1), "old": {"S": "x"}})], [put(1, "new")])

    assert case.stored() == [item_of(1, "new")]


def test_a_delete_removes_the_item_and_one_of_nothing_is_fine(case: SinkCase) -> None:
    absorb(case.sink, [put(1), put(2)], [delete(1), delete(9)])

    assert case.stored() == [item_of(2)]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([put(1, "a"), put(1, "b")], [item_of(1, "b")]),
        ([put(1, "a"), delete(1), put(1, "b")], [item_of(1, "b")]),
        ([put(1, "a"), delete(1)], []),
        ([delete(1), put(1, "a")], [item_of(1, "a")]),
        ([put(1, "a"), put(2, "b"), delete(1), put(1, "c"), delete(2)], [item_of(1, "c")]),
    ],
)
@pytest.mark.parametrize("page_size", [1, 5])
def test_the_last_change_of_a_key_wins_within_a_page_and_over_pages(
    case: SinkCase, changes: list[Change], left: list[Item], page_size: int
) -> None:
    absorb(case.sink, *in_pages(changes, page_size))

    assert meanings(case.stored()) == meanings(left)


def test_a_key_is_the_same_key_however_its_number_is_spelled(case_of: Callable[[KeyTypes], SinkCase]) -> None:
    case = case_of({"id": "N"})
    put_then_deleted: list[Change] = [Put({"id": {"N": "1"}}), Delete({"id": {"N": "1.0"}})]
    put_twice = [Put({"id": {"N": "25E-1"}, "value": {"S": "a"}}), Put({"id": {"N": "2.5"}, "value": {"S": "b"}})]

    absorb(case.sink, [*put_then_deleted, *put_twice])

    assert meanings(case.stored()) == meanings([{"id": {"N": "2.5"}, "value": {"S": "b"}}])


def test_many_pages_of_random_changes_leave_what_the_last_change_of_each_key_says(case: SinkCase) -> None:
    random = Random(7)  # noqa: S311 - the same changes every time, no secrets
    pages = [[_random_change(random, page) for _ in range(random.randrange(120))] for page in range(12)]
    expected: dict[str, Change] = {}
    for change in [change for page in pages for change in page]:
        expected[str((change.item if isinstance(change, Put) else change.key)["id"])] = change

    absorb(case.sink, *pages)

    assert meanings(case.stored()) == meanings([c.item for c in expected.values() if isinstance(c, Put)])


def _random_change(random: Random, page: int) -> Change:
    number = random.randrange(90)
    return delete(number) if random.random() < 0.3 else put(number, f"page {page} {random.random()}")


def test_the_same_pages_stored_again_change_nothing(case: SinkCase) -> None:
    contents: list[list[Change]] = [[put(1, "a"), put(2)], [put(1, "b"), delete(2)]]
    absorb(case.sink, *contents)
    once = meanings(case.stored())

    absorb(case.sink, *contents)

    assert meanings(case.stored()) == once == meanings([item_of(1, "b")])


def test_a_page_of_the_largest_items_is_stored(case: SinkCase) -> None:
    """25 items of 400 KB: the most items and bytes that a batch may have, which as JSON are still more."""
    items = [largest(f"{number:02}") for number in range(25)]

    absorb(case.sink, [Put(item) for item in items[:1]], [Put(item) for item in items])

    assert meanings(case.stored()) == meanings(items)


@pytest.mark.parametrize(
    "key_types",
    [{"id": "N"}, {"id": "B"}, {"id": "S", "at": "N"}, {"id": "B", "at": "B"}, {"id": "N", "at": "S"}],
    ids=str,
)
def test_keys_of_any_type_are_put_and_deleted(case_of: Callable[[KeyTypes], SinkCase], key_types: KeyTypes) -> None:
    case, keys = case_of(key_types), schema_of(key_types)
    items = [{**key_of_number(number, keys, key_types), "value": {"S": "x"}} for number in range(30)]

    absorb(case.sink, [Put(item) for item in items], [Delete(key_of_number(n, keys, key_types)) for n in range(20)])

    assert meanings(case.stored()) == meanings(items[20:])


def test_an_item_that_the_table_refuses_is_named_by_its_key_hash_and_the_others_are_stored(
    ministack_endpoint: str,
) -> None:
    too_large = largest("secret key")
    too_large["value"]["S"] += "x"
    with ExitStack() as stack:
        case = table_sink(STRING_KEY, ministack_endpoint, stack)

        with pytest.raises(ItemRefusedError, match="refuses 1 items") as refused:
            absorb(case.sink, [put(1), Put(too_large), *[put(number) for number in range(2, 60)]], [put(99)])

        assert meanings(case.stored()) == meanings([item_of(number) for number in range(1, 60)])
    assert key_hash(too_large, KEYS).hex() in str(refused.value)
    assert "secret key" not in str(refused.value)


def test_a_sink_pulls_no_page_before_all_but_the_last_one_are_durable(ministack_endpoint: str) -> None:
    pulled: list[int] = []

    def pages() -> Iterator[Page]:
        for number, page in enumerate(pages_of(*[[Put(item)] for item in bulky(5, KEYS, STRING_KEY)])):
            pulled.append(number)
            yield page

    with ExitStack() as stack:
        durables = table_sink(STRING_KEY, ministack_endpoint, stack).sink.absorb(SEGMENT, pages())

        assert [len(pulled) for _ in durables] == [2, 3, 4, 5, 5]


def test_no_request_holds_more_than_the_service_takes() -> None:
    wire = FakeWire(MemoryTable("orders", KEYS).answer)
    writer = BatchWriter(wire, "orders", fence=AlwaysHeld(), budget=CapacityBudget({}))
    too_much_as_json: list[Change] = [Put(item_of(n, "\x00" * 300_000)) for n in range(100, 115)]  # 1.8 MB each

    absorb(TableSink(writer, KEYS), [put(number) for number in range(60)], too_much_as_json)

    batches = [request["RequestItems"]["orders"] for _, request in wire.requests]
    assert max(len(batch) for batch in batches) == 25
    assert max(len(orjson.dumps(batch)) for batch in batches) < 16_000_000
    assert sum(len(batch) for batch in batches) == 75
