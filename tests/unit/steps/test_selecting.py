from __future__ import annotations

import pytest

from arbitrary_items import KEYS
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import Delete, Item, Key, KeySchema, Page, Put, Tally
from dynamodb_copy.steps.selecting import deleting, selecting

ONE, TWO, THREE = ({"id": {"S": text}, "n": {"N": "1"}} for text in ("1", "2", "3"))
COST = Tally(pages=1, read_units=2.5)


def hashes(*items: Item) -> frozenset[bytes]:
    return frozenset(key_hash(item, KEYS) for item in items)


def pages_of(*contents: list[Item]) -> list[Page]:
    last = len(contents) - 1
    return [
        Page([Put(item) for item in items], {"at": at} if at < last else None, COST)
        for at, items in enumerate(contents)
    ]


def test_only_items_with_the_given_key_hashes_pass() -> None:
    selected = list(selecting(KEYS, hashes(ONE, THREE))(pages_of([ONE, TWO], [THREE])))

    assert [page.changes for page in selected] == [[Put(ONE)], [Put(THREE)]]


def test_a_page_that_is_emptied_still_passes_its_cursor_and_cost() -> None:
    selected = list(selecting(KEYS, hashes())(pages_of([ONE], [TWO])))

    assert selected == [Page([], {"at": 0}, COST), Page([], None, COST)]


def test_a_key_is_selected_by_all_its_attributes_and_however_its_number_is_spelled() -> None:
    keys = KeySchema("id", "n")
    wanted = frozenset({key_hash({"id": {"S": "1"}, "n": {"N": "10"}}, keys)})
    page = pages_of([{"id": {"S": "1"}, "n": {"N": "1E1"}}, {"id": {"S": "1"}, "n": {"N": "1"}}])

    (selected,) = selecting(keys, wanted)(page)

    assert selected.changes == [Put({"id": {"S": "1"}, "n": {"N": "1E1"}})]


def test_items_become_deletes_of_the_keys_that_are_gone() -> None:
    asked: list[list[Key]] = []

    def without(keys: list[Key]) -> list[Key]:
        asked.append(keys)
        return keys[1:]

    deleted = list(deleting(KEYS, without)(pages_of([ONE, TWO, THREE])))

    assert asked == [[{"id": {"S": "1"}}, {"id": {"S": "2"}}, {"id": {"S": "3"}}]]
    assert deleted == [Page([Delete({"id": {"S": "2"}}), Delete({"id": {"S": "3"}})], None, COST + Tally(items=2))]


def test_a_key_that_is_there_again_stays() -> None:
    (page,) = deleting(KEYS, lambda _: [])(pages_of([ONE]))

    assert page == Page([], None, COST)


def test_nobody_is_asked_about_an_empty_page() -> None:
    def without(_: list[Key]) -> list[Key]:
        pytest.fail("a request for nothing")

    deleted = list(deleting(KEYS, without)(pages_of([], [])))

    assert deleted == [Page([], {"at": 0}, COST), Page([], None, COST)]


def test_deletes_are_asked_for_page_by_page_as_they_are_pulled() -> None:
    asked: list[int] = []

    def without(keys: list[Key]) -> list[Key]:
        asked.append(len(keys))
        return keys

    pages = deleting(KEYS, without)(pages_of([ONE], [TWO, THREE]))
    next(pages)

    assert asked == [1]
