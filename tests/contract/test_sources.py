"""What every source promises. A new one joins by adding its builder to SOURCES in source_cases.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

import orjson
import pytest

from arbitrary_items import meaning
from contract.emulated_table import STRING_KEY, KeyTypes, emulated_table, schema_of
from contract.example_items import EVERY_TYPE, bulky, largest
from contract.source_cases import SOURCES, Asked, Builder, SourceCase
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Cursor, Item, KeySchema, Page, Put, Segment
from dynamodb_copy.ports import Source
from dynamodb_copy.sources.table_scan import TableScan, only_counts, only_keys, whole_items
from dynamodb_copy.verify import survey
from fakes import CountingLimiter, FakeWire, MemoryTable, survives

pytestmark = pytest.mark.integration

KEYS = schema_of(STRING_KEY)


BULKY = bulky(100, KEYS, STRING_KEY)


@pytest.fixture(params=SOURCES, ids=lambda builder: builder.__name__)
def case_of(request: pytest.FixtureRequest, ministack_endpoint: str) -> Iterator[Callable[..., SourceCase]]:
    """Builds a source of given items; each source in turn."""
    with ExitStack() as stack:

        def build(items: Sequence[Item], key_types: KeyTypes = STRING_KEY, *, segments: int = 3) -> SourceCase:
            builder: Builder = request.param
            return builder(Asked(items, key_types, segments), ministack_endpoint, stack)

        yield build


@pytest.fixture(scope="module", params=SOURCES, ids=lambda builder: builder.__name__)
def several_pages(request: pytest.FixtureRequest, ministack_endpoint: str) -> Iterator[SourceCase]:
    """Three segments of several pages each; shared, because sources never write."""
    with ExitStack() as stack:
        builder: Builder = request.param
        yield builder(Asked(BULKY, STRING_KEY, 3), ministack_endpoint, stack)


def read(source: Source, segment: Segment, after: Cursor | None = None) -> list[Page]:
    return list(source.pages(segment, after))


def items_of(pages: Sequence[Page]) -> list[Item]:
    return [change.item for page in pages for change in page.changes if isinstance(change, Put)]


def whole(source: Source) -> list[Item]:
    return [item for segment in source.segments() for item in items_of(read(source, segment))]


def ids(items: Sequence[Item]) -> list[str]:
    return [str(item["id"]) for item in items]


def meanings(items: Sequence[Item]) -> set[object]:
    return {meaning(item) for item in items}


def test_the_segments_together_hold_every_item_exactly_once(several_pages: SourceCase) -> None:
    read_items = whole(several_pages.source)

    assert sorted(ids(read_items)) == sorted(ids(BULKY))
    assert meanings(read_items) == meanings(BULKY)


def test_segments_know_their_number_and_how_many_there_are(several_pages: SourceCase) -> None:
    assert list(several_pages.source.segments()) == [Segment(0, 3), Segment(1, 3), Segment(2, 3)]


def test_the_last_page_of_a_segment_and_it_alone_has_no_cursor(several_pages: SourceCase) -> None:
    for segment in several_pages.source.segments():
        cursors = [page.cursor for page in read(several_pages.source, segment)]

        assert len(cursors) > 1
        assert cursors[-1] is None
        assert None not in cursors[:-1]


def test_pages_come_in_the_same_order_each_time(several_pages: SourceCase) -> None:
    source = several_pages.source

    assert [ids(items_of(read(source, s))) for s in source.segments()] == [
        ids(items_of(read(source, s))) for s in source.segments()
    ]


def test_reading_after_a_pages_cursor_yields_exactly_the_rest(several_pages: SourceCase) -> None:
    for segment in several_pages.source.segments():
        pages = read(several_pages.source, segment)
        for at, page in enumerate(pages[:-1]):
            stored_cursor = orjson.loads(orjson.dumps(page.cursor))

            rest = read(several_pages.source, segment, stored_cursor)

            assert ids(items_of(rest)) == ids(items_of(pages[at + 1 :]))
            assert rest[-1].cursor is None


def test_each_page_is_counted_as_one_page_and_says_what_reading_it_cost(several_pages: SourceCase) -> None:
    for page in read(several_pages.source, Segment(0, 3)):
        assert page.tally.pages == 1
        assert (page.tally.read_units > 0) == several_pages.costs_units


def test_pages_are_read_as_they_are_pulled(several_pages: SourceCase) -> None:
    pages = several_pages.source.pages(Segment(0, 3), None)

    first = next(pages)
    again = next(several_pages.source.pages(Segment(0, 3), None))

    assert first.cursor is not None
    assert ids(items_of([first])) == ids(items_of([again]))


def test_two_threads_may_read_two_segments_at_the_same_time(several_pages: SourceCase) -> None:
    source = several_pages.source
    both = Barrier(2)

    def alternating(segment: Segment) -> list[Item]:
        pages = []
        for page in source.pages(segment, None):
            pages.append(page)
            if len(pages) == 1:
                both.wait(timeout=20)
        return items_of(pages)

    segments = source.segments()[:2]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(alternating, segments))

    assert [ids(items) for items in together] == [ids(items_of(read(source, segment))) for segment in segments]


def test_reading_leaves_everything_as_it_was(several_pages: SourceCase) -> None:
    before = meanings(several_pages.stored())

    whole(several_pages.source)

    assert before == meanings(BULKY) == meanings(several_pages.stored())


def test_items_of_every_type_come_out_as_they_went_in(case_of: Callable[..., SourceCase]) -> None:
    read_items = whole(case_of(EVERY_TYPE).source)

    assert len(read_items) == len(EVERY_TYPE)
    assert {str(item["id"]): meaning(item) for item in read_items} == {
        str(item["id"]): meaning(item) for item in EVERY_TYPE
    }


def test_the_largest_items_come_out_as_they_went_in(case_of: Callable[..., SourceCase]) -> None:
    items = [largest(str(number)) for number in range(5)]

    assert meanings(whole(case_of(items, segments=1).source)) == meanings(items)


def test_an_empty_table_is_at_least_one_empty_page_per_segment(case_of: Callable[..., SourceCase]) -> None:
    source = case_of([]).source

    pages = [read(source, segment) for segment in source.segments()]

    assert [change for of_segment in pages for page in of_segment for change in page.changes] == []
    assert [of_segment[-1].cursor for of_segment in pages] == [None] * 3


@pytest.mark.parametrize(
    "key_types",
    [{"id": "N"}, {"id": "B"}, {"id": "S", "at": "N"}, {"id": "B", "at": "B"}, {"id": "N", "at": "S"}],
    ids=str,
)
def test_reading_can_be_continued_after_keys_of_any_type(
    case_of: Callable[..., SourceCase], key_types: KeyTypes
) -> None:
    items = bulky(16, schema_of(key_types), key_types)
    source = case_of(items, key_types, segments=1).source
    pages = read(source, Segment(0, 1))

    rest = read(source, Segment(0, 1), pages[0].cursor)

    assert pages[0].cursor is not None
    assert meanings(items_of(pages)) == meanings(items)
    assert meanings(items_of([pages[0], *rest])) == meanings(items)
    assert len(items_of(rest)) == len(items) - len(pages[0].changes)


def test_a_scan_asks_for_nothing_but_scans() -> None:
    wire = FakeWire(MemoryTable("orders", KEYS, BULKY).answer)

    whole(TableScan(wire, whole_items("orders", consistent=True), 3, CountingLimiter))

    assert {operation for operation, _ in wire.requests} == {"Scan"}
    assert wire.in_flight == 0


def test_a_scan_that_is_left_early_leaves_no_request_on_its_way() -> None:
    wire = FakeWire(MemoryTable("orders", KEYS, BULKY).answer)
    pages = TableScan(wire, whole_items("orders", consistent=True), 1, CountingLimiter).pages(Segment(0, 1), None)
    next(pages)
    on_their_way = wire.in_flight

    pages.close()  # type: ignore[attr-defined]  # it is a generator

    assert (on_their_way, wire.in_flight, wire.abandoned) == (1, 0, 1)


TTL_ITEMS: list[Item] = [
    {"id": {"S": name}, "ttl": value}
    for name, value in {
        "past": {"N": "1799999999"},
        "just past": {"N": "1799999999.9999999999999999"},
        "horizon": {"N": "1800000000"},
        "future": {"N": "1900000000"},
        "negative": {"N": "-1"},
        "text": {"S": "1"},
        "null": {"NULL": True},
        "numbers": {"NS": ["1"]},
        "map": {"M": {"N": {"N": "1"}}},
    }.items()
] + [{"id": {"S": "none"}}]


def test_a_count_by_the_service_leaves_out_the_items_that_fingerprints_leave_out(ministack_endpoint: str) -> None:
    with emulated_table(ministack_endpoint, STRING_KEY) as table, table.wire() as wire:
        table.put(TTL_ITEMS)

        counted = survey(
            TableScan(wire, only_counts(table.name, "ttl", 1_800_000_000), 3, CountingLimiter), [], on_page=survives
        )

    tally = Fingerprints(KEYS, "ttl", 1_800_000_000).tally(TTL_ITEMS)
    assert counted.items == tally.items - tally.expiring == 7


def test_a_count_in_a_table_without_ttl_counts_every_item(ministack_endpoint: str) -> None:
    with emulated_table(ministack_endpoint, STRING_KEY) as table, table.wire() as wire:
        table.put(TTL_ITEMS)

        counted = survey(TableScan(wire, only_counts(table.name, None, 0), 3, CountingLimiter), [], on_page=survives)

    assert counted.items == len(TTL_ITEMS)


def test_a_scan_for_keys_reads_the_keys_alone(ministack_endpoint: str) -> None:
    key_types = {"id": "B", "at": "N"}
    keys = KeySchema("id", "at")
    with emulated_table(ministack_endpoint, key_types) as table, table.wire() as wire:
        items = bulky(6, keys, key_types)
        table.put(items)

        read_items = whole(TableScan(wire, only_keys(table.name, keys), 2, CountingLimiter))

    assert meanings(read_items) == meanings([{name: item[name] for name in key_types} for item in items])
