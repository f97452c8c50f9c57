"""Parts of an increment: how changes are kept apart, when they become durable, and what failures leave behind."""

from __future__ import annotations

import base64
import gzip
import hashlib
import tracemalloc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, brief
from dynamodb_copy.errors import LeaseLostError, ServiceUnavailableError
from dynamodb_copy.formats.change_lines import change_bucket, changes_of
from dynamodb_copy.model import Change, Delete, Durable, Item, Page, Part, Put, Segment, Tally
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.s3_increment import S3Increment
from fakes import AlwaysHeld, LostAfter, StoppedClock
from stored_chains import line_of, lines_in
from unit.memory_bucket import MemoryBucket

DATA = "nightly/AWSDynamoDB/data"
ID = "01768389530622-efd1a093"
SEGMENT = Segment(3, 16)
BROKEN = ServiceUnavailableError("s3://backups: does not answer")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable after about four pages of 64 KB; parts come in pieces."""
    monkeypatch.setattr("dynamodb_copy.sinks.s3_increment.FLUSH_BYTES", 256 << 10)
    monkeypatch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", 96 << 10)


small = pytest.mark.usefixtures("_small")


def sink_of(bucket: MemoryBucket, attempt: str = "5f0c11d2", *, fence: Fence | None = None) -> S3Increment:
    return S3Increment(bucket, DATA, ID, attempt, KEYS, fence=fence or AlwaysHeld(), now=lambda: 0.0)


def put(number: int, at: int = 0, *, size_bytes: int = 10) -> Put:
    """A change of the item with that number, which does not compress."""
    value = Random(number * 1000 + at).randbytes(size_bytes // 2).hex()  # noqa: S311 - no secrets
    return Put({"id": {"S": str(number)}, "value": {"S": value}}, at)


def pages_of(contents: Sequence[Sequence[Change]]) -> Iterator[Page]:
    last = len(contents) - 1
    for number, changes in enumerate(contents):
        yield Page(list(changes), {"page": number} if number < last else None, Tally(pages=1, items=len(changes)))


def bulky(pages: int) -> list[list[Change]]:
    """So many pages, each of one change of 64 KB, of two items in turns; compressors hold back what 128 KiB become."""
    return [[put(number % 2, number, size_bytes=64 << 10)] for number in range(pages)]


def parts_of(durables: Iterable[Durable]) -> list[Part]:
    return [part for durable in durables for part in durable.parts]


def content_of(bucket: MemoryBucket, part: Part) -> bytes:
    return bucket.contents[f"{DATA}/{part.name}"]


def key_of(change: Change) -> Item:
    return change.item if isinstance(change, Put) else change.key


def test_each_part_holds_the_changes_of_one_key_bucket_and_says_so_in_its_name() -> None:
    bucket, changes = MemoryBucket(), [put(number % 40, number) for number in range(100)]

    (durable,) = sink_of(bucket).absorb(SEGMENT, pages_of([changes]))

    expected = defaultdict(list)
    for change in changes:
        expected[change_bucket(change.item, KEYS)].append(line_of(change))
    names = [f"{ID}-0003-5f0c11d2-000000-b{number:02d}.json.gz" for number in sorted(expected)]
    assert [part.name for part in durable.parts] == names
    assert [lines_in(content_of(bucket, part)) for part in durable.parts] == [expected[n] for n in sorted(expected)]
    assert [part.items for part in durable.parts] == [len(expected[number]) for number in sorted(expected)]


def test_puts_and_deletes_are_kept_with_the_items_before_them() -> None:
    bucket, old = MemoryBucket(), {"id": {"S": "1"}, "value": {"S": "old"}}
    changes: list[Change] = [
        Put({"id": {"S": "1"}, "value": {"S": "new"}}, 5, None, old),
        Delete({"id": {"S": "1"}}, 6, old),
    ]

    (part,) = parts_of(sink_of(bucket).absorb(SEGMENT, pages_of([changes])))

    assert lines_in(content_of(bucket, part)) == [line_of(change) for change in changes]


@small
def test_what_is_durable_together_ends_with_the_page_that_fills_it_and_with_the_segment() -> None:
    bucket, contents = MemoryBucket(), bulky(30)

    durables = list(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    ends = [durable.cursor["page"] + 1 if durable.cursor else len(contents) for durable in durables]
    assert len(durables) > 2
    for number, (durable, first, end) in enumerate(zip(durables, [0, *ends[:-1]], ends, strict=True)):
        lines = [line for part in durable.parts for line in lines_in(content_of(bucket, part))]
        expected = [line_of(change) for page in contents[first:end] for change in page]
        assert sorted(lines, key=str) == sorted(expected, key=str)
        assert all(f"-{number:06d}-" in part.name for part in durable.parts)
        assert durable.tally == Tally(pages=end - first, items=end - first)


@small
def test_a_part_is_what_lies_in_the_bucket_whether_it_came_whole_or_in_pieces() -> None:
    verbs: list[str] = []
    bucket = MemoryBucket(step=lambda verb, _: verbs.append(verb))
    one_key: list[Change] = [put(1, at, size_bytes=64 << 10) for at in range(3)]

    parts = parts_of(sink_of(bucket).absorb(SEGMENT, pages_of([one_key, [put(2)]])))

    assert {"put_once", "begin_upload", "add", "complete"} == set(verbs)
    assert sorted(bucket.contents) == sorted(f"{DATA}/{part.name}" for part in parts)
    for part in parts:
        content = content_of(bucket, part)
        assert part.size_bytes == len(content)
        assert base64.b64decode(part.md5) == hashlib.md5(content, usedforsecurity=False).digest()
        assert part.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("contents", [[[]], [[], [], []]])
def test_a_quiet_segment_stores_no_part_and_its_cursor_moves(contents: list[list[Change]]) -> None:
    bucket = MemoryBucket()

    durables = list(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    steps = [(durable.cursor, durable.tally.pages) for durable in durables]
    assert steps == [({"page": 1}, 2), (None, 1)][-len(contents) :]
    assert parts_of(durables) == []
    assert (bucket.contents, bucket.unfinished) == ({}, {})


def test_the_last_page_is_durable_on_its_own_after_all_before_it() -> None:
    """A segment that is continued after the cursor of the last page but one must not find that page stored already."""
    bucket = MemoryBucket()

    durables = list(sink_of(bucket).absorb(SEGMENT, pages_of([[put(1)], [put(2)], [put(3)]])))

    stored = [[line["Keys"] for part in each.parts for line in lines_in(content_of(bucket, part))] for each in durables]
    assert [durable.cursor for durable in durables] == [{"page": 1}, None]
    assert [sorted(str(key) for key in keys) for keys in stored] == [
        [str({"id": {"S": "1"}}), str({"id": {"S": "2"}})],
        [str({"id": {"S": "3"}})],
    ]


def test_a_later_attempt_writes_to_other_objects() -> None:
    bucket = MemoryBucket()

    for attempt in ("5f0c11d2", "77b0a1e4"):
        list(sink_of(bucket, attempt).absorb(SEGMENT, pages_of([[put(1)]])))

    assert len(bucket.contents) == 2
    assert len({key.replace("5f0c11d2", "77b0a1e4") for key in bucket.contents}) == 1


def test_the_time_between_two_durable_steps_is_the_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.sinks.s3_increment.FLUSH_BYTES", 0)
    clock = StoppedClock()
    bucket = MemoryBucket(step=lambda *_: clock.pass_by(2.0))
    sink = S3Increment(bucket, DATA, ID, "a", KEYS, fence=AlwaysHeld(), now=clock.now)

    durables = list(sink.absorb(SEGMENT, pages_of([[put(1)], [put(2)], [put(3)]])))

    assert [durable.tally.seconds for durable in durables] == [2.0, 2.0, 2.0]


@given(
    st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=6),
    st.sampled_from([0, 100, 1 << 20]),
    st.sampled_from([1, 1 << 20]),
)
@brief
def test_the_changes_of_each_key_come_in_their_order_whatever_became_durable_when(
    numbers: list[list[int]], flush_bytes: int, piece_bytes: int
) -> None:
    contents: list[list[Change]] = [
        [put(number, 10 * page + at) for at, number in enumerate(of_page)] for page, of_page in enumerate(numbers)
    ]
    bucket = MemoryBucket()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamodb_copy.sinks.s3_increment.FLUSH_BYTES", flush_bytes)
        patch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", piece_bytes)
        durables = list(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    written, stored = defaultdict(list), defaultdict(list)
    for change in [change for page in contents for change in page]:
        written[str(key_of(change)["id"])].append(change.written_at)
    for part in parts_of(durables):
        for line in lines_in(content_of(bucket, part)):
            stored[str(line["Keys"]["id"])].append(int(line["Metadata"]["WriteTimestampMicros"]["N"]))
    assert stored == written
    assert sum((durable.tally for durable in durables), Tally()).items == sum(map(len, contents))
    assert bucket.unfinished == {}


FAILURES = [("begin_upload", 1), ("add", 1), ("add", 2), ("complete", 1), ("put_once", 1), ("put_once", 3)]


@small
@pytest.mark.parametrize(("verb", "time"), FAILURES)
def test_after_a_failure_no_upload_is_unfinished_and_what_was_durable_is_there(verb: str, time: int) -> None:
    asked: list[str] = []

    def fail(found: str, _key: str) -> None:
        asked.append(found)
        if (found, asked.count(found)) == (verb, time):
            raise BROKEN

    bucket = MemoryBucket(step=fail)
    one_key: list[Change] = [put(1, at, size_bytes=64 << 10) for at in range(3)]
    many: list[Change] = [put(number) for number in range(100)]
    contents = [*bulky(6), one_key, *bulky(6), many]
    durables: list[Durable] = []

    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        durables.extend(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    assert bucket.unfinished == {}
    assert {f"{DATA}/{part.name}" for part in parts_of(durables)} <= set(bucket.contents)


@small
def test_what_the_pages_raise_ends_the_parts_that_were_begun() -> None:
    bucket = MemoryBucket()

    def broken() -> Iterator[Page]:
        yield Page([put(1, at, size_bytes=64 << 10) for at in range(3)], {"page": 0}, Tally())
        raise BROKEN

    with pytest.raises(ServiceUnavailableError):
        list(sink_of(bucket).absorb(SEGMENT, broken()))

    assert (bucket.contents, bucket.unfinished) == ({}, {})


@small
@pytest.mark.parametrize("checks", range(0, 40, 3))
def test_a_fence_that_falls_stops_it_before_the_next_request(checks: int) -> None:
    fence = LostAfter(checks)
    sent_after: list[str] = []
    bucket = MemoryBucket(step=lambda verb, _: sent_after.append(verb) if fence.checks > checks else None)
    durables: list[Durable] = []

    with pytest.raises(LeaseLostError):
        durables.extend(sink_of(bucket, fence=fence).absorb(SEGMENT, pages_of(bulky(33))))

    assert set(sent_after) <= {"abort", "add"}  # of pieces that were sent before
    assert bucket.unfinished == {}
    assert {f"{DATA}/{part.name}" for part in parts_of(durables)} <= set(bucket.contents)


def test_the_fence_is_asked_before_each_page() -> None:
    fence = AlwaysHeld()
    checks: list[int] = []

    def watched() -> Iterator[Page]:
        for page in pages_of([[], [], []]):
            checks.append(fence.checks)
            yield page

    list(sink_of(MemoryBucket(), fence=fence).absorb(SEGMENT, watched()))

    assert checks == [0, 1, 2]


def test_memory_does_not_grow_with_the_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.sinks.s3_increment.FLUSH_BYTES", 1 << 20)

    assert _peak_of(400) < 1.2 * _peak_of(100)


def _peak_of(pages: int) -> int:
    """The most bytes that are held while so many pages of 64 KB are stored."""
    made = (
        Page([put(at % 20, at, size_bytes=64 << 10)], {"page": at} if at + 1 < pages else None, Tally())
        for at in range(pages)
    )
    tracemalloc.start()
    try:
        assert len(list(sink_of(_Forgetting()).absorb(SEGMENT, made))) > 1
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class _Forgetting(MemoryBucket):
    def write_once(self, key: str, body: bytes) -> str:
        """Keep nothing of it."""
        return super().write_once(key, body[:0])


def test_the_lines_are_those_that_the_reader_of_increments_reads() -> None:
    bucket = MemoryBucket()
    changes: list[Change] = [put(1, 5), Delete({"id": {"S": "1"}}, 6)]

    (part,) = parts_of(sink_of(bucket).absorb(SEGMENT, pages_of([changes])))

    read = changes_of(gzip.decompress(content_of(bucket, part)).splitlines(), KEYS, part.name, 1)
    assert [change._replace(line=None) if isinstance(change, Put) else change for change in read] == changes
