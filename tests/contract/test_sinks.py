"""What every sink promises. A new one joins by adding its builder to a list in sink_cases.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice, pairwise

import pytest

from arbitrary_items import KEYS, meaning
from contract.emulated_table import STRING_KEY, KeyTypes, schema_of
from contract.example_items import EVERY_TYPE, key_of_number, largest
from contract.sink_cases import (
    BACKUPS,
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
)
from dynamodb_copy.errors import LeaseLostError
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Durable, Page, Put, Tally

pytestmark = pytest.mark.integration


@pytest.fixture(params=TABLES + BACKUPS, ids=lambda builder: builder.__name__)
def case_of(request: pytest.FixtureRequest, ministack_endpoint: str) -> Iterator[Callable[[KeyTypes], SinkCase]]:
    """Builds an empty sink for given key types; each sink in turn."""
    yield from building(request, ministack_endpoint)


@pytest.fixture
def case(case_of: Callable[[KeyTypes], SinkCase]) -> SinkCase:
    """An empty sink with a string key."""
    return case_of(STRING_KEY)


def test_a_yielded_cursor_means_the_page_and_all_before_it_can_be_read_back(case: SinkCase) -> None:
    pages = [[put(10 * page + at) for at in range(10)] for page in range(4)]
    durables = case.sink.absorb(SEGMENT, pages_of(*pages))

    for durable in durables:
        number = 3 if durable.cursor is None else durable.cursor["page"]
        due = meanings([change.item for page in pages[: number + 1] for change in page])

        assert due <= meanings(case.stored())


def test_cursors_come_in_the_order_of_their_pages_and_the_last_is_the_end(case: SinkCase) -> None:
    durables = absorb(case.sink, [put(0)], [put(1), put(2)], [delete(1)], [put(3)])

    cursors = [durable.cursor for durable in durables]
    assert cursors[-1] is None
    numbers = [cursor["page"] for cursor in cursors[:-1] if cursor is not None]
    assert all(one < next_one for one, next_one in pairwise(numbers))
    assert len(numbers) == len(cursors) - 1


def test_the_tallies_add_up_to_those_of_the_pages_besides_what_writing_cost(case: SinkCase) -> None:
    fingerprints = Fingerprints(KEYS)
    contents = [[put(0), put(1)], [put(2)], [], [put(3)]]
    pages = [
        page._replace(tally=page.tally + fingerprints.tally([change.item for change in content]))
        for page, content in zip(pages_of(*contents), contents, strict=True)
    ]

    total = sum((durable.tally for durable in case.sink.absorb(SEGMENT, pages)), Tally())

    expected = sum((page.tally for page in pages), Tally())
    assert (total.items, total.bytes, total.expiring, total.digest) == (4, expected.bytes, 0, expected.digest)
    assert (total.pages, total.read_units, total.throttles, total.retries) == (4, 10.0, 4, 4)
    assert total.write_units >= (4 if case.costs_units else 0)
    assert total.seconds >= 0


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4])
def test_what_a_killed_attempt_left_over_is_stored_once_by_the_next_one(case: SinkCase, kept: int) -> None:
    pages = pages_of(*[[put(10 * page + at) for at in range(10)] for page in range(4)])
    with closing(case.sink.absorb(SEGMENT, pages)) as durables:
        cursors = [durable.cursor or {"page": 3} for durable in islice(durables, kept)]

    list(case.sink.absorb(SEGMENT, pages[cursors[-1]["page"] + 1 if cursors else 0 :]))

    assert meanings(case.stored()) == meanings([item_of(number) for number in range(40)])


def test_empty_pages_pass_their_cursors(case: SinkCase) -> None:
    durables = absorb(case.sink, [], [put(1)], [], [])

    assert durables[-1].cursor is None
    assert sum((durable.tally for durable in durables), Tally()).pages == 4
    assert case.stored() == [item_of(1)]


def test_an_empty_segment_is_durable_too(case: SinkCase) -> None:
    assert [durable.cursor for durable in absorb(case.sink, [])] == [None]


def test_no_pages_are_nothing_to_store(case: SinkCase) -> None:
    assert list(case.sink.absorb(SEGMENT, [])) == []
    assert case.stored() == []


def test_what_the_pages_raise_is_raised_and_what_was_durable_stays(case: SinkCase) -> None:
    def pages() -> Iterator[Page]:
        yield from pages_of([put(1)], [put(2)])[:1]
        raise LeaseLostError("another attempt works on this segment now")

    durables: list[Durable] = []
    with pytest.raises(LeaseLostError):
        durables.extend(case.sink.absorb(SEGMENT, pages()))

    was_durable = [item_of(1)][: len(durables)]
    assert meanings(was_durable) <= meanings(case.stored()) <= meanings([item_of(1)])


def test_items_of_every_type_are_stored_as_they_are(case: SinkCase) -> None:
    absorb(case.sink, [Put(item) for item in EVERY_TYPE])

    stored = {str(item["id"]): meaning(item) for item in case.stored()}
    assert stored == {str(item["id"]): meaning(item) for item in EVERY_TYPE}


def test_a_page_of_the_largest_items_is_stored(case: SinkCase) -> None:
    """25 items of 400 KB: the most items and bytes that a batch may have, which as JSON are still more."""
    items = [largest(f"{number:02}") for number in range(26)]

    absorb(case.sink, [Put(item) for item in items[:1]], [Put(item) for item in items[1:]])

    assert meanings(case.stored()) == meanings(items)


@pytest.mark.parametrize(
    "key_types",
    [{"id": "N"}, {"id": "B"}, {"id": "S", "at": "N"}, {"id": "B", "at": "B"}, {"id": "N", "at": "S"}],
    ids=str,
)
def test_items_with_keys_of_any_type_are_stored(case_of: Callable[[KeyTypes], SinkCase], key_types: KeyTypes) -> None:
    case, keys = case_of(key_types), schema_of(key_types)
    items = [{**key_of_number(number, keys, key_types), "value": {"S": "x"}} for number in range(30)]

    absorb(case.sink, [Put(item) for item in items])

    assert meanings(case.stored()) == meanings(items)
