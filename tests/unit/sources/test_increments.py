"""Increments as a source: what each segment reads, in which order, and what it refuses."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, brief
from dynamodb_copy.catalogue import open_increment
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.change_lines import KEY_BUCKETS, change_bucket
from dynamodb_copy.formats.manifest import md5_of
from dynamodb_copy.model import Change, Item, Page, Put, Segment
from dynamodb_copy.sources.increments import Increments
from dynamodb_copy.stored_increment import Increment
from stored_backups import item_of
from stored_chains import (
    DATA,
    Stretch,
    applied,
    history,
    last_of_each_key,
    mark_at,
    micros_of,
    write_increment,
    write_window,
)
from unit.memory_bucket import MemoryBucket

WHOLE = Segment(0, 1)


def opened(bucket: MemoryBucket, folder: str) -> Increment:
    return open_increment(bucket, folder, lambda _: None)


def stretch(number: int) -> Stretch:
    """The hour of that number."""
    return Stretch(mark_at(60 * number, number), mark_at(60 * number + 60, number + 1), sealed=60 * number + 61)


MOVES = [(number * 7 % 23, number % 5 == 4) for number in range(180)]


def stored(
    *, is_native: bool = False, changes: Sequence[Change] | None = None, cuts: Sequence[int] = (60, 120)
) -> tuple[MemoryBucket, list[Increment]]:
    """Three hours of changes in increments of an hour each, by streams of two segments or as windows."""
    bucket, made = MemoryBucket(), history(MOVES) if changes is None else changes
    folders = []
    edges = [0, *cuts, len(made)]
    for number, (begin, end) in enumerate(pairwise(edges)):
        of_hour = made[begin:end]
        if is_native:
            folders.append(write_window(bucket, of_hour, 60 * number, 60 * number + 60))
        else:
            halves = [[change for change in of_hour if change_bucket(key_of(change), KEYS) % 2 == n] for n in range(2)]
            folders.append(write_increment(bucket, halves, stretch(number)).folder)
    return bucket, [opened(bucket, folder) for folder in folders]


def key_of(change: Change) -> Item:
    return change.item if isinstance(change, Put) else change.key


def bare(change: Change) -> Change:
    return change._replace(line=None) if isinstance(change, Put) else change


def changes_in(pages: Sequence[Page]) -> list[Change]:
    return [bare(change) for page in pages for change in page.changes]


def read(source: Increments) -> list[Change]:
    return [change for segment in source.segments() for change in changes_in(list(source.pages(segment, None)))]


def by_key(changes: Sequence[Change]) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        found[str(key_of(change)["id"])].append(change)
    return found


def refusal_of(source: Increments) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        read(source)
    return str(refused.value)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few changes."""
    monkeypatch.setattr("dynamodb_copy.sources.data_files.PAGE_BYTES", 400)


small = pytest.mark.usefixtures("_small")


@pytest.mark.parametrize("segments", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("is_native", [False, True], ids=["ours", "native"])
def test_the_segments_hold_every_change_once_and_those_of_a_key_in_one_of_them_in_order(
    segments: int, *, is_native: bool
) -> None:
    _, increments = stored(is_native=is_native)
    source = Increments(increments, KEYS, segments)

    found = [changes_in(list(source.pages(segment, None))) for segment in source.segments()]

    made = history(MOVES)
    hours = [last_of_each_key(made[at : at + 60]) for at in (0, 60, 120)] if is_native else [made]
    assert by_key([change for of_segment in found for change in of_segment]) == by_key(list(chain(*hours)))
    assert sum(len(by_key(of_segment)) for of_segment in found) == len(by_key(made))
    assert [segment.total for segment in source.segments()] == [segments] * segments


@pytest.mark.parametrize("is_native", [False, True], ids=["ours", "native"])
def test_a_segment_asks_only_for_parts_that_may_hold_its_changes(*, is_native: bool) -> None:
    bucket, increments = stored(is_native=is_native)
    asked: list[str] = []
    bucket.step = lambda verb, key: asked.append(key) if verb == "download" else None

    list(Increments(increments, KEYS, KEY_BUCKETS).pages(Segment(5, KEY_BUCKETS), None))

    data = [key for key in bucket.contents if key.startswith(DATA)]
    expected = data if is_native else [key for key in data if key.endswith("-b05.json.gz")]
    assert sorted(asked) == sorted(expected)


@small
@pytest.mark.parametrize("is_native", [False, True], ids=["ours", "native"])
def test_reading_goes_on_after_any_cursor(*, is_native: bool) -> None:
    source = Increments(stored(is_native=is_native)[1], KEYS, 2)
    pages = list(source.pages(Segment(1, 2), None))

    for number, page in enumerate(pages[:-1]):
        cursor = orjson.loads(orjson.dumps(page.cursor))
        rest = list(source.pages(Segment(1, 2), cursor))

        assert changes_in(rest) == changes_in(pages[number + 1 :])
        assert rest[-1].cursor is None

    assert len(pages) > 6
    assert {page.cursor["increment"] for page in pages[:-1] if page.cursor} == {0, 1, 2}
    assert not any(page.is_distinct for page in pages)


@small
@pytest.mark.parametrize("minute", [-1, 0, 59, 60, 61, 100, 179, 500])
def test_changes_after_a_moment_are_left_out(minute: int) -> None:
    _, increments = stored()

    found = read(Increments(increments, KEYS, 3, until=micros_of(minute)))

    assert by_key(found) == by_key(history(MOVES)[: max(0, minute + 1)])


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40),
    st.lists(st.integers(0, 40), min_size=2, max_size=2).map(sorted),
    st.integers(1, 16),
    st.integers(-1, 45),
    st.sampled_from([0, 150, 64 << 20]),
)
@brief
def test_what_is_applied_up_to_any_moment_is_what_the_table_was_then(
    moves: list[tuple[int, bool]], cuts: list[int], segments: int, minute: int, flush_bytes: int
) -> None:
    changes = history(moves)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamodb_copy.sinks.s3_increment.FLUSH_BYTES", flush_bytes)
        patch.setattr("dynamodb_copy.sources.data_files.PAGE_BYTES", 300)
        _, increments = stored(changes=changes, cuts=[min(cut, len(changes)) for cut in cuts])

        found = read(Increments(increments, KEYS, segments, until=micros_of(minute)))

    assert by_key(found) == by_key(changes[: minute + 1])
    assert applied([], found) == applied([], changes[: minute + 1])


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40), st.integers(0, 40), st.integers(1, 16))
@brief
def test_windows_that_are_applied_in_order_come_to_what_the_table_was_at_the_end_of_each(
    moves: list[tuple[int, bool]], cut: int, segments: int
) -> None:
    changes = history(moves)
    cut = min(cut, len(changes))
    _, increments = stored(is_native=True, changes=changes, cuts=[cut])

    first, both = (read(Increments(increments[:count], KEYS, segments)) for count in (1, 2))

    assert applied([], first) == applied([], changes[:cut])
    assert applied([], both) == applied([], changes)


@pytest.mark.parametrize("increments", [0, 1])
def test_nothing_to_read_is_one_empty_page(increments: int) -> None:
    bucket = MemoryBucket()
    folders = [write_increment(bucket, [[]], stretch(0)).folder for _ in range(increments)]

    pages = list(Increments([opened(bucket, folder) for folder in folders], KEYS, 1).pages(WHOLE, None))

    assert [(page.changes, page.cursor) for page in pages] == [([], None)]


def test_parts_come_in_the_order_of_the_manifest_although_a_later_attempt_counts_anew() -> None:
    bucket, increments = stored(changes=[], cuts=())
    increment = increments[0]
    one, other = (Put(item_of(1, value), micros_of(1)) for value in ("first", "second"))
    folder = write_increment(bucket, [[one], [other]], stretch(0)).folder
    later_first = opened(bucket, folder)
    assert later_first.details is not None
    turned = replace(later_first, files=later_first.files[::-1])

    assert increment.files == ()
    assert read(Increments([later_first], KEYS, 1)) == [one, other]
    assert read(Increments([turned], KEYS, 1)) == [other, one]


def test_a_prefix_that_was_moved_as_a_whole_is_read_unedited() -> None:
    bucket, increments = stored()
    moved = MemoryBucket({key.replace("nightly/", "a/b/"): content for key, content in bucket.contents.items()})

    found = [opened(moved, increment.folder.replace("nightly/", "a/b/")) for increment in increments]

    assert by_key(read(Increments(found, KEYS, 2))) == by_key(history(MOVES))


@pytest.mark.parametrize("is_native", [False, True], ids=["ours", "native"])
def test_a_missing_part_is_refused_by_its_name(*, is_native: bool) -> None:
    bucket, increments = stored(is_native=is_native)
    key = increments[1].key_of(increments[1].files[0].name)
    del bucket.contents[key]

    assert refusal_of(Increments(increments, KEYS, 2)) == f"s3://backups/{key}: is missing; use another backup"


@pytest.mark.parametrize("is_native", [False, True], ids=["ours", "native"])
def test_a_part_that_is_another_is_refused_by_its_name(*, is_native: bool) -> None:
    bucket, increments = stored(is_native=is_native)
    key = increments[2].key_of(increments[2].files[0].name)
    bucket.contents[key] = gzip.compress(gzip.decompress(bucket.contents[key]) + b"\n")

    assert refusal_of(Increments(increments, KEYS, 2)).startswith(f"s3://backups/{key}: its MD5 is ")


def test_a_checksum_of_ours_is_checked_beside_the_manifests() -> None:
    _, increments = stored()
    details = increments[0].details
    assert details is not None
    parts = (details.parts[0]._replace(sha256="ab" * 32), *details.parts[1:])
    edited = replace(increments[0], details=replace(details, parts=parts))

    assert "its SHA-256 is " in refusal_of(Increments([edited], KEYS, 1))


def test_a_part_with_a_change_of_another_key_bucket_is_refused_with_the_line() -> None:
    """Its own segment would leave it out, and that of its key would never see it."""
    _, increments = stored()
    details = increments[0].details
    assert details is not None
    part = details.parts[0]
    other = (part.bucket or 0) ^ 1
    edited = replace(increments[0], details=replace(details, parts=(part._replace(bucket=other), *details.parts[1:])))

    message = refusal_of(Increments([edited], KEYS, 16))

    assert message.startswith(f"s3://backups/{DATA}/{part.name}, line 1: found a key of bucket {part.bucket} instead")


@pytest.mark.parametrize("items", [0, 1, 1000])
def test_a_wrong_count_is_refused(items: int) -> None:
    _, increments = stored()
    files = (increments[0].files[0]._replace(items=items), *increments[0].files[1:])

    message = refusal_of(Increments([replace(increments[0], files=files)], KEYS, 1))

    assert f"and the manifest says {items}" in message


def test_a_line_that_is_no_change_is_refused_with_its_number() -> None:
    bucket, increments = stored(is_native=True)
    line = increments[0].files[0]
    key = increments[0].key_of(line.name)
    packed = gzip.compress(gzip.decompress(bucket.contents[key]).replace(b'"Keys"', b'"keys"'))
    bucket.contents[key] = packed
    edited = replace(increments[0], files=(line._replace(md5=md5_of(packed)), *increments[0].files[1:]))

    assert refusal_of(Increments([edited], KEYS, 1)).startswith(f"s3://backups/{key}, line 1: found no change with")


@small
@pytest.mark.parametrize("count", [1, 3])
def test_a_source_that_is_left_early_has_downloaded_no_more_than_the_next_file(count: int) -> None:
    bucket, increments = stored(is_native=True)
    asked: list[str] = []
    bucket.step = lambda verb, key: asked.append(key) if verb == "download" else None
    pages: Iterator[Any] = Increments(increments, KEYS, 1).pages(WHOLE, None)
    for _ in range(count):
        next(pages)

    pages.close()  # type: ignore[attr-defined]  # it is a generator

    assert len(asked) <= count + 1  # the last page is held back, so that its successor is known
