"""Parts of a backup: where they end, what they hold, and what is left behind by failures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import logging
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from random import Random
from threading import Event, Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import brief, items
from dynamodb_copy.aws.objects import Upload
from dynamodb_copy.errors import LeaseLostError, ServiceUnavailableError
from dynamodb_copy.model import Change, Delete, Durable, Item, Page, Part, Put, Segment, Tally
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.s3_backup import S3Backup
from fakes import AlwaysHeld, LostAfter, StoppedClock
from stored_backups import items_in
from unit.memory_bucket import MemoryBucket, MemoryUpload

FOLDER = "nightly/AWSDynamoDB/01768385930622-efd1a093"
SEGMENT = Segment(3, 16)
BROKEN = ServiceUnavailableError("s3://backups: does not answer")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of about a dozen pages, in several pieces; the compressor holds back what 128 KiB become."""
    monkeypatch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 512 << 10)
    monkeypatch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", 96 << 10)


small = pytest.mark.usefixtures("_small")


def sink_of(bucket: MemoryBucket, attempt: str = "5f0c11d2", *, fence: Fence | None = None) -> S3Backup:
    return S3Backup(bucket, FOLDER, attempt, fence=fence or AlwaysHeld(), now=lambda: 0.0)


def incompressible(number: int, size_bytes: int) -> Item:
    packed = Random(number).randbytes(size_bytes * 3 // 4)  # noqa: S311 - the same bytes every time, no secrets
    return {"id": {"S": f"{number:05}"}, "value": {"B": base64.b64encode(packed).decode()}}


def pages_of(contents: Iterable[list[Item]]) -> Iterator[Page]:
    pages = list(contents)
    for number, page in enumerate(pages):
        cursor = {"page": number} if number + 1 < len(pages) else None
        yield Page([Put(item) for item in page], cursor, Tally(items=len(page), pages=1))


def kilobytes(pages: int, *, each: int = 64) -> list[list[Item]]:
    """So many pages, each of one item that is about so large as a part."""
    return [[incompressible(number, each << 10)] for number in range(pages)]


def parts_of(durables: Iterable[Durable]) -> list[Part]:
    return [part for durable in durables for part in durable.parts]


def content_of(bucket: MemoryBucket, part: Part) -> bytes:
    return bucket.contents[f"{FOLDER}/data/{part.name}"]


class Verbs:
    """Remembers what a bucket was asked, and fails one verb when it comes for the given time."""

    def __init__(self, verb: str = "", time: int = 1) -> None:
        self.asked: list[str] = []
        self._fails = (verb, time)

    def __call__(self, verb: str, _key: str) -> None:
        """Before a request."""
        self.asked.append(verb)
        if (verb, self.asked.count(verb)) == self._fails:
            raise BROKEN


@small
def test_a_part_ends_with_the_page_that_fills_it_and_with_the_segment() -> None:
    bucket, contents = MemoryBucket(), kilobytes(40)

    durables = list(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    ends = [durable.cursor["page"] + 1 if durable.cursor else len(contents) for durable in durables]
    parts = parts_of(durables)
    assert len(parts) == len(durables) == 4
    for part, first, end in zip(parts, [0, *ends[:-1]], ends, strict=True):
        assert items_in(content_of(bucket, part)) == [item for page in contents[first:end] for item in page]
    assert all(512 << 10 <= part.size_bytes < 700 << 10 for part in parts[:-1])


@small
def test_a_part_is_what_lies_in_the_bucket_whether_it_came_whole_or_in_pieces() -> None:
    verbs = Verbs()
    bucket = MemoryBucket(step=verbs)

    parts = parts_of(sink_of(bucket).absorb(SEGMENT, pages_of(kilobytes(13))))

    assert [verbs.asked.count(verb) for verb in ("begin_upload", "complete", "put_once")] == [1, 1, 1]
    assert len(bucket.contents) == len(parts) == 2
    for part in parts:
        content = content_of(bucket, part)
        found = bucket.head(f"{FOLDER}/data/{part.name}")
        assert found is not None
        assert (part.size_bytes, part.etag) == (found.size_bytes, found.etag)
        assert part.items == len(items_in(content))
        assert base64.b64decode(part.md5) == hashlib.md5(content, usedforsecurity=False).digest()
        assert part.sha256 == hashlib.sha256(content).hexdigest()


@small
def test_a_part_that_ends_with_a_piece_has_no_empty_one_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", 1)
    sizes: list[int] = []
    bucket = _Observed(lambda body: sizes.append(len(body)))

    (part,) = parts_of(sink_of(bucket).absorb(SEGMENT, pages_of(kilobytes(1))))

    assert sum(sizes) == part.size_bytes
    assert 0 not in sizes


def test_names_carry_segment_attempt_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 0)
    bucket = MemoryBucket()

    for attempt in ("5f0c11d2", "77b0a1e4"):
        list(sink_of(bucket, attempt).absorb(SEGMENT, pages_of(kilobytes(2, each=1))))

    assert sorted(key.removeprefix(f"{FOLDER}/data/") for key in bucket.contents) == [
        "0003-5f0c11d2-000000.json.gz",
        "0003-5f0c11d2-000001.json.gz",
        "0003-77b0a1e4-000000.json.gz",
        "0003-77b0a1e4-000001.json.gz",
    ]


def test_the_same_pages_give_the_same_bytes() -> None:
    buckets = [MemoryBucket(), MemoryBucket()]

    for bucket in buckets:
        list(sink_of(bucket).absorb(SEGMENT, pages_of(kilobytes(3, each=1))))

    assert buckets[0].contents == buckets[1].contents


def test_a_part_is_lines_of_items_with_sorted_attributes_each_ended_by_a_line_feed() -> None:
    bucket = MemoryBucket()
    as_read = b'{"id":{"S":"2"},"n":{"N":"1.0"}}'
    changes: list[Change] = [
        Put({"z": {"S": "\n"}, "id": {"S": "1"}}),
        Put({"id": {"S": "2"}}, line=as_read),
        Delete({}),
    ]

    (part,) = parts_of(sink_of(bucket).absorb(SEGMENT, [Page(changes, None, Tally())]))

    lines = b'{"Item":{"id":{"S":"1"},"z":{"S":"\\n"}}}\n{"Item":%b}\n' % as_read
    assert gzip.decompress(content_of(bucket, part)) == lines
    assert part.items == 2


@pytest.mark.parametrize("contents", [[[]], [[], [], []]])
def test_a_segment_without_items_stores_no_part_and_is_durable(contents: list[list[Item]]) -> None:
    bucket = MemoryBucket()

    durables = list(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    assert [(durable.cursor, durable.parts, durable.tally.pages) for durable in durables] == [(None, (), len(contents))]
    assert (bucket.contents, bucket.unfinished) == ({}, {})


def test_the_time_between_two_parts_is_the_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 0)
    clock = StoppedClock()
    bucket = MemoryBucket(step=lambda *_: clock.pass_by(2.0))
    sink = S3Backup(bucket, FOLDER, "a", fence=AlwaysHeld(), now=clock.now)

    durables = list(sink.absorb(SEGMENT, pages_of(kilobytes(3, each=1))))

    assert [durable.tally.seconds for durable in durables] == [2.0, 2.0, 2.0]


@given(
    st.lists(st.lists(items(), max_size=5), min_size=1, max_size=6),
    st.sampled_from([0, 100, 1 << 20]),
    st.sampled_from([1, 50, 1 << 20]),
)
@brief
def test_the_parts_together_hold_every_item_once_in_order(
    contents: list[list[Item]], part_bytes: int, piece_bytes: int
) -> None:
    bucket = MemoryBucket()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", part_bytes)
        patch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", piece_bytes)

        durables = list(sink_of(bucket).absorb(SEGMENT, pages_of(contents)))

    stored = [items_in(content_of(bucket, part)) for part in parts_of(durables)]
    assert [item for part in stored for item in part] == [item for page in contents for item in page]
    assert [len(part) for part in stored] == [part.items for part in parts_of(durables)]
    assert sum((durable.tally for durable in durables), Tally()).items == sum(map(len, contents))
    assert bucket.unfinished == {}


@small
def test_pieces_are_on_their_way_while_the_next_one_is_filled_and_never_more_than_three() -> None:
    watch = _Watch()

    list(sink_of(_Observed(watch)).absorb(SEGMENT, pages_of(kilobytes(40))))

    assert watch.most_at_once == 3


def test_memory_holds_a_few_pieces_however_large_the_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    piece_bytes, pages = 1 << 20, 512
    monkeypatch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 16 << 20)
    monkeypatch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", piece_bytes)
    made = (
        Page([Put(incompressible(at, 64 << 10))], {"page": at} if at + 1 < pages else None, Tally())
        for at in range(pages)
    )
    sink = sink_of(_Observed(_Watch()))

    tracemalloc.start()
    try:
        parts = parts_of(sink.absorb(SEGMENT, made))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sum(part.size_bytes for part in parts) > 20 * piece_bytes
    assert peak < 7 * piece_bytes


FAILURES = [
    *[("begin_upload", 1), ("add", 1), ("add", 3), ("add", 5), ("complete", 1)],
    *[("begin_upload", 2), ("add", 7), ("complete", 2), ("put_once", 1)],
]


@small
@pytest.mark.parametrize(("verb", "time"), FAILURES)
def test_after_a_failure_no_upload_is_unfinished_and_the_parts_before_it_are_there(verb: str, time: int) -> None:
    verbs = Verbs(verb, time)
    bucket = MemoryBucket(step=verbs)
    durables: list[Durable] = []

    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        durables.extend(sink_of(bucket).absorb(SEGMENT, pages_of(kilobytes(25))))

    assert bucket.unfinished == {}
    assert [f"{FOLDER}/data/{part.name}" for part in parts_of(durables)] == sorted(bucket.contents)


@small
def test_an_upload_that_cannot_be_aborted_hides_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    def fail(verb: str, _key: str) -> None:
        if verb == "abort":
            raise ServiceUnavailableError("abort does not arrive")
        if verb == "add":
            raise BROKEN

    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ServiceUnavailableError, match="s3://backups: does not answer"),
    ):
        list(sink_of(MemoryBucket(step=fail)).absorb(SEGMENT, pages_of(kilobytes(17))))

    assert "0003-5f0c11d2-000000.json.gz was not aborted, which the seal does again: abort does not" in caplog.text


@small
def test_what_the_pages_raise_ends_the_part_that_was_begun() -> None:
    bucket = MemoryBucket()

    def broken() -> Iterator[Page]:
        yield from list(pages_of(kilobytes(17)))[:5]
        raise BROKEN

    with pytest.raises(ServiceUnavailableError):
        list(sink_of(bucket).absorb(SEGMENT, broken()))

    assert (bucket.contents, bucket.unfinished) == ({}, {})


@small
def test_an_upload_is_aborted_when_none_of_its_pieces_is_on_its_way_any_more() -> None:
    watch = _Watch()
    bucket = _Observed(watch)
    at_abort: list[int] = []
    bucket.step = lambda verb, _: at_abort.append(watch.at_once) if verb == "abort" else None

    def broken() -> Iterator[Page]:
        yield from list(pages_of(kilobytes(17)))[:7]
        assert watch.began.wait(timeout=20)
        raise BROKEN

    with pytest.raises(ServiceUnavailableError):
        list(sink_of(bucket).absorb(SEGMENT, broken()))

    assert at_abort == [0]


@small
def test_a_sink_that_is_closed_between_two_parts_has_nothing_on_its_way() -> None:
    watch = _Watch()
    bucket = _Observed(watch)
    durables = sink_of(bucket).absorb(SEGMENT, pages_of(kilobytes(17)))
    next(durables)

    durables.close()

    assert (watch.at_once, bucket.unfinished) == (0, {})


@small
@pytest.mark.parametrize("checks", range(0, 45, 4))
def test_a_fence_that_falls_stops_it_before_the_next_request(checks: int) -> None:
    fence = LostAfter(checks)
    sent_after: list[str] = []
    bucket = MemoryBucket(step=lambda verb, _: sent_after.append(verb) if fence.checks > checks else None)
    durables: list[Durable] = []

    with pytest.raises(LeaseLostError):
        durables.extend(sink_of(bucket, fence=fence).absorb(SEGMENT, pages_of(kilobytes(33))))

    assert set(sent_after) <= {"abort", "add"}  # of pieces that were sent before
    assert bucket.unfinished == {}
    assert [f"{FOLDER}/data/{part.name}" for part in parts_of(durables)] == sorted(bucket.contents)


@small
@pytest.mark.parametrize("pages", [1, 10])
def test_the_fence_is_asked_once_more_before_a_part_comes_to_be(pages: int) -> None:
    verbs = Verbs()
    list(sink_of(MemoryBucket(step=verbs)).absorb(SEGMENT, pages_of(kilobytes(pages))))
    bucket = MemoryBucket()
    sink = sink_of(bucket, fence=LostAfter(pages + verbs.asked.count("add")))

    with pytest.raises(LeaseLostError):
        list(sink.absorb(SEGMENT, pages_of(kilobytes(pages))))

    assert bucket.contents == {}


def test_the_fence_is_asked_before_each_page() -> None:
    fence = AlwaysHeld()
    checks: list[int] = []

    def watched() -> Iterator[Page]:
        for page in pages_of([[], [], []]):
            checks.append(fence.checks)
            yield page

    list(sink_of(MemoryBucket(), fence=fence).absorb(SEGMENT, watched()))

    assert checks == [0, 1, 2]


class _Watch:
    """Takes its time with each piece, and counts those that come at the same time."""

    def __init__(self) -> None:
        self.at_once = self.most_at_once = 0
        self.began = Event()
        self._lock = Lock()

    def __call__(self, _body: bytes) -> None:
        """A piece is on its way."""
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.began.set()
        time.sleep(0.02)
        with self._lock:
            self.at_once -= 1


class _Observed(MemoryBucket):
    """A bucket that shows somebody the pieces of its uploads, and forgets them."""

    def __init__(self, show: Callable[[bytes], None]) -> None:
        super().__init__()
        self.show = show

    def begin_upload(self, key: str) -> Upload:
        """As S3."""
        return _Shown(self, key, self.show)


class _Shown(MemoryUpload):
    def __init__(self, bucket: MemoryBucket, key: str, show: Callable[[bytes], None]) -> None:
        super().__init__(bucket, key)
        self._show = show

    def add(self, number: int, body: bytes) -> None:
        self._show(body)
        super().add(number, b"")
