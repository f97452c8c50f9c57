"""Counts of changes, and what changes do to a table as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, items, thorough
from dynamodb_copy.formats.dynamodb_json import key_of, sorted_line
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Change, Delete, Item, Page, Put, Tally
from dynamodb_copy.steps.tallying import tallying
from dynamodb_copy.steps.weighing import weighing

FINGERPRINTS = Fingerprints(KEYS)
COST = Tally(pages=1, read_units=2.5)
ONE, TWO = {"id": {"S": "1"}, "a": {"N": "1"}}, {"id": {"S": "2"}}
NAMES = ["ä", "b", "c", "d"]

histories = st.lists(st.sampled_from(NAMES).flatmap(lambda name: st.none().map(lambda _: name) | items(name)))
"""An item is put, a name alone is deleted."""

STEPS = [tallying, weighing(FINGERPRINTS)]


def page_of(*changes: Change) -> Page:
    return Page(list(changes), {"at": 1}, COST)


def changes_of(history: Sequence[str | Item], before: Sequence[Item]) -> tuple[list[Change], dict[str, Item]]:
    """The changes with their old images, as a stream tells them, and the table after them."""
    table = {str(item["id"]["S"]): item for item in before}
    changes: list[Change] = []
    for each in history:
        name = each if isinstance(each, str) else str(each["id"]["S"])
        old = table.pop(name, None)
        if not isinstance(each, str):
            table[name] = each
            changes.append(Put(each, old=old))
        elif old is not None:
            changes.append(Delete({"id": {"S": name}}, old=old))
    return changes, table


@pytest.mark.parametrize("step", STEPS)
def test_changes_and_those_that_delete_are_counted_beside_what_reading_them_cost(
    step: Callable[[list[Page]], Iterator[Page]],
) -> None:
    (page,) = step([page_of(Put(ONE), Put(TWO), Delete(key_of(ONE, KEYS)))])

    tally = page.tally
    assert (tally.items, tally.deletes, tally.pages, tally.read_units) == (3, 1, 1, 2.5)
    assert tally.bytes == len(sorted_line(ONE)) + len(sorted_line(TWO))


@pytest.mark.parametrize("step", STEPS)
def test_changes_pass_in_their_order_and_items_get_their_lines(step: Callable[[list[Page]], Iterator[Page]]) -> None:
    made: list[Change] = [Put(ONE, 5, b"a line", TWO), Put(ONE, 6, None, TWO), Delete(key_of(TWO, KEYS), 7, TWO)]

    (page,) = step([page_of(*made)])

    assert page.changes == [made[0], Put(ONE, 6, sorted_line(ONE), TWO), made[2]]
    assert page.cursor == {"at": 1}


@pytest.mark.parametrize("step", STEPS)
def test_an_empty_page_passes_as_it_is(step: Callable[[list[Page]], Iterator[Page]]) -> None:
    assert list(step([page_of()])) == [page_of()]


def test_counts_alone_say_nothing_of_the_table() -> None:
    (page,) = tallying([page_of(Put(ONE))])

    assert page.tally == COST + Tally(items=1, bytes=len(sorted_line(ONE)))


@pytest.mark.parametrize(
    ("change", "growth"),
    [
        (Put(ONE), 1),
        (Put(ONE, old={**ONE, "a": {"N": "2"}}), 0),
        (Delete(key_of(ONE, KEYS), old=ONE), -1),
        (Delete(key_of(ONE, KEYS)), 0),
    ],
)
def test_a_table_grows_by_what_came_less_what_went(change: Change, growth: int) -> None:
    (page,) = weighing(FINGERPRINTS)([page_of(change)])

    assert page.tally.growth == growth


def test_a_line_that_is_there_already_weighs_the_same() -> None:
    (one,) = weighing(FINGERPRINTS)([page_of(Put(ONE))])
    (other,) = weighing(FINGERPRINTS)([page_of(Put(ONE, line=sorted_line(ONE)))])

    assert one.tally == other.tally
    assert one.tally.digest == FINGERPRINTS.tally([ONE]).digest


@thorough
@given(before=st.lists(items(), max_size=3), history=histories, page_size=st.integers(1, 4))
def test_the_digest_of_a_table_and_of_what_changed_is_that_of_the_table_after(
    before: list[Item], history: list[str | Item], page_size: int
) -> None:
    before = list({str(item["id"]["S"]): item for item in before}.values())
    changes, after = changes_of(history, before)
    pages = [page_of(*changes[at : at + page_size]) for at in range(0, len(changes), page_size)]

    weighed = sum([page.tally for page in weighing(FINGERPRINTS)(pages)], Tally())

    start, end = FINGERPRINTS.tally(before), FINGERPRINTS.tally(list(after.values()))
    assert start.digest + weighed.digest == end.digest
    assert start.items + weighed.growth == end.items
    assert weighed.items == len(changes)
