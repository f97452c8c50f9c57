from __future__ import annotations

from collections.abc import Iterator

from arbitrary_items import KEYS
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Delete, Page, Put, Tally
from dynamodb_copy.steps.counting import counting

FINGERPRINTS = Fingerprints(KEYS)
ONE, TWO = {"id": {"S": "1"}}, {"id": {"S": "2"}}


def test_each_page_carries_what_its_items_amount_to_besides_what_reading_it_cost() -> None:
    cost = Tally(pages=1, read_units=2.5)
    pages = [Page([Put(ONE), Put(TWO)], {"at": 1}, cost), Page([Put(ONE)], None, cost)]

    counted = list(counting(FINGERPRINTS)(pages))

    assert [page.tally for page in counted] == [
        cost + FINGERPRINTS.tally([ONE, TWO]),
        cost + FINGERPRINTS.tally([ONE]),
    ]


def test_changes_and_cursors_pass_as_they_are() -> None:
    pages = [Page([Put(ONE)], {"at": 1}, Tally()), Page([], {"at": 2}, Tally()), Page([Delete(TWO)], None, Tally())]

    counted = list(counting(FINGERPRINTS)(pages))

    assert [(page.changes, page.cursor) for page in counted] == [(page.changes, page.cursor) for page in pages]


def test_a_delete_is_no_item() -> None:
    (page,) = counting(FINGERPRINTS)([Page([Delete(ONE)], None, Tally(pages=1))])

    assert page.tally == Tally(pages=1)


def test_a_page_passes_before_the_next_one_is_read() -> None:
    read: list[int] = []

    def pages() -> Iterator[Page]:
        for number in range(3):
            read.append(number)
            yield Page([], {"at": number}, Tally())

    next(counting(FINGERPRINTS)(pages()))

    assert read == [0]
