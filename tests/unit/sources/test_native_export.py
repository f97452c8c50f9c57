"""A full export or a backup as a source: what it reads in which order, and what it refuses."""

from __future__ import annotations

import base64
import gzip
import hashlib
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import brief, items, thorough
from dynamodb_copy.errors import BackupRefusedError, ServiceUnavailableError
from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.model import Item, KeySchema, Page, Put, Segment
from dynamodb_copy.sources.data_files import DataFile
from dynamodb_copy.sources.native_export import NativeExport, shares
from unit.memory_bucket import MemoryBucket, Step, at_once

KEYS = KeySchema("id")
WHOLE = Segment(0, 1)
FIRST = "nightly/data/0.json.gz"


def item_of(number: int) -> Item:
    return {"id": {"S": f"{number:04}"}}


def packed(written: Sequence[Item]) -> bytes:
    return gzip.compress(b"".join([orjson.dumps({"Item": item}) + b"\n" for item in written]), mtime=0)


def data_file(key: str, content: bytes, count: int) -> DataFile:
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    return DataFile(key, count, base64.b64encode(md5).decode(), hashlib.sha256(content).hexdigest())


class Stored:
    """Data files of these items, in the order in which one segment reads them: the largest first."""

    def __init__(self, *contents: Sequence[Item], step: Step = at_once) -> None:
        self.bucket = MemoryBucket(step=step)
        self.files: list[DataFile] = []
        for number, written in enumerate(contents):
            self.add(f"nightly/data/{number}.json.gz", packed(written), len(written))

    def add(self, key: str, content: bytes, count: int) -> None:
        """Store one more."""
        self.bucket.contents[key] = content
        self.files.append(data_file(key, content, count))

    def source(self, segments: int = 1, **changes: Any) -> NativeExport:
        """The source; `changes` are those of what is known of the first file."""
        files = [self.files[0]._replace(**changes), *self.files[1:]] if changes else self.files
        return NativeExport(self.bucket, files, KEYS, segments)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three or four items."""
    monkeypatch.setattr("dynamodb_copy.sources.data_files.PAGE_BYTES", 100)


small = pytest.mark.usefixtures("_small")


def three_files() -> Stored:
    numbers = [range(20), range(100, 115), range(200, 210)]
    return Stored(*[[item_of(number) for number in of_file] for of_file in numbers])


def items_of(pages: Sequence[Page]) -> list[Item]:
    return [change.item for page in pages for change in page.changes if isinstance(change, Put)]


def refusal_of(source: NativeExport, after: dict[str, Any] | None = None) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        list(source.pages(WHOLE, after))
    return str(refused.value)


@small
def test_a_segment_is_its_files_one_after_the_other_line_by_line() -> None:
    pages = list(three_files().source().pages(WHOLE, None))

    numbers = [*range(20), *range(100, 115), *range(200, 210)]
    assert items_of(pages) == [item_of(number) for number in numbers]
    assert len(pages) > 9
    assert all(page.is_distinct and page.tally.pages == 1 for page in pages)
    assert [page.cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]


@small
def test_reading_goes_on_after_any_cursor_within_a_file_and_between_two() -> None:
    source = three_files().source()
    pages = list(source.pages(WHOLE, None))

    for number, page in enumerate(pages[:-1]):
        rest = list(source.pages(WHOLE, page.cursor))

        assert items_of(rest) == items_of(pages[number + 1 :])
        assert rest[-1].cursor is None

    lines = {
        file: {page.cursor["line"] for page in pages if page.cursor and page.cursor["file"] == file} for file in (0, 1)
    }
    assert lines[0] >= {20}
    assert len(lines[0]) > 1


@small
def test_files_without_items_are_passed_over_also_at_the_end() -> None:
    stored = Stored([item_of(number) for number in range(10)], [], [])

    pages = list(stored.source().pages(WHOLE, None))

    assert len(items_of(pages)) == 10
    assert pages[-1].cursor is None
    assert pages[-1].changes


@pytest.mark.parametrize("contents", [[], [[]], [[], []]])
def test_nothing_to_read_is_one_empty_page(contents: list[list[Item]]) -> None:
    pages = list(Stored(*contents).source().pages(WHOLE, None))

    assert [(page.changes, page.cursor) for page in pages] == [([], None)]


def test_each_item_brings_its_line_with_sorted_attributes() -> None:
    item = {"z": {"SS": ["b", "a"]}, "id": {"S": "1"}, "a": {"N": "1.0"}}

    (page,) = Stored([item]).source().pages(WHOLE, None)

    assert page.changes == [Put(item, line=sorted_line(item))]


@given(
    st.lists(st.lists(items(), max_size=6), max_size=5),
    st.integers(1, 3),
    st.sampled_from([1, 60, 340_000]),
    st.randoms(use_true_random=False),
)
@brief
def test_every_item_is_read_once_however_often_reading_is_broken_off(
    contents: list[list[Item]], segments: int, page_bytes: int, random: Any
) -> None:
    source = Stored(*contents).source(segments)
    read: list[Item] = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamodb_copy.sources.data_files.PAGE_BYTES", page_bytes)
        for segment in source.segments():
            read += _read_in_attempts(source, segment, random)

    written = [item for of_file in contents for item in of_file]
    assert sorted(map(sorted_line, read)) == sorted(map(sorted_line, written))


def _read_in_attempts(source: NativeExport, segment: Segment, random: Any) -> Iterator[Item]:
    """Each attempt ends after a few pages, and the next one goes on after its last cursor."""
    cursor: dict[str, Any] | None = None
    while True:
        for page in source.pages(segment, cursor):
            yield from items_of([page])
            cursor = page.cursor
            if cursor is None:
                return
            if random.random() < 0.5:
                break


files_of_any_size = st.lists(
    st.builds(DataFile, st.text(max_size=5), st.integers(0, 10**6), st.just("")), unique_by=lambda file: file.key
)


@given(files_of_any_size, st.integers(1, 20), st.randoms(use_true_random=False))
@thorough
def test_files_are_dealt_out_evenly_and_always_in_the_same_way(files: list[DataFile], total: int, random: Any) -> None:
    dealt = shares(files, total)

    assert len(dealt) == total
    assert sorted(file for share in dealt for file in share) == sorted(files)
    loads = [sum(file.items for file in share) for share in dealt]
    assert max(loads) - min(loads) <= max((file.items for file in files), default=0)
    assert shares(random.sample(files, len(files)), total) == dealt


def test_a_missing_file_is_refused_by_its_name() -> None:
    stored = three_files()
    del stored.bucket.contents[FIRST]

    assert refusal_of(stored.source()) == f"s3://backups/{FIRST}: is missing; use another backup"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"md5": "AAAA"}, "its MD5 is "),
        ({"sha256": "ab" * 32}, "its SHA-256 is "),
        ({"items": 21}, "its count is 20 items, and the manifest says 21"),
        ({"items": 19}, "its count is 20 items, and the manifest says 19"),
        ({"items": 0}, "its count is 20 items, and the manifest says 0"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused_by_its_name(changes: dict[str, Any], says: str) -> None:
    stored = Stored([item_of(number) for number in range(20)])

    message = refusal_of(stored.source(**changes))

    assert message.startswith(f"s3://backups/{FIRST}: {says}")
    assert message.endswith("the file was changed or damaged: use another backup")


@small
@pytest.mark.parametrize("changes", [{"md5": "AAAA"}, {"sha256": "ab" * 32}])
def test_no_item_of_a_file_with_a_wrong_checksum_is_passed_on(changes: dict[str, Any]) -> None:
    pages = three_files().source(**changes).pages(WHOLE, None)

    with pytest.raises(BackupRefusedError):
        next(pages)


@small
def test_a_wrong_count_is_found_before_the_file_counts_as_read() -> None:
    read: list[Page] = []

    with pytest.raises(BackupRefusedError):
        read.extend(Stored([item_of(number) for number in range(20)]).source(items=19).pages(WHOLE, None))

    assert None not in [page.cursor for page in read]
    assert len(items_of(read)) < 20


@small
def test_a_count_is_checked_again_by_whoever_goes_on_after_the_last_line() -> None:
    source = three_files().source(items=19)

    assert "its count is 20 items" in refusal_of(source, {"file": 0, "line": 20})


@small
@pytest.mark.parametrize("line", [0, 3, 8, 9, 10, 11])
def test_a_line_that_is_no_item_is_refused_with_its_number_also_after_a_cursor(line: int) -> None:
    lines = [orjson.dumps({"Item": item_of(number)}) for number in range(20)]
    lines[11] = b'{"Item":{}}'
    stored = Stored()
    stored.add(FIRST, gzip.compress(b"\n".join(lines) + b"\n"), 20)

    assert refusal_of(stored.source(), {"file": 0, "line": line}).startswith(
        f"s3://backups/{FIRST}, line 12: found no "
    )


def test_what_is_no_gzip_is_refused_by_its_name() -> None:
    stored = Stored()
    stored.add(FIRST, b"not a gzip file, and yet its checksums are right", 1)

    assert refusal_of(stored.source()).startswith(f"s3://backups/{FIRST}: found bytes that are no gzip")


class _Traffic:
    """What a bucket was asked to send, and the files that it was written to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails_at: str = "") -> None:
        self.downloads: list[str] = []
        self.files: list[Any] = []
        self._fails_at = fails_at
        monkeypatch.setattr("dynamodb_copy.sources.data_files.TemporaryFile", self._opened)

    def __call__(self, verb: str, key: str) -> None:
        """Before a request."""
        if verb == "download":
            self.downloads.append(key.rpartition("/")[2])
            if self.downloads[-1] == self._fails_at:
                raise ServiceUnavailableError("s3://backups: does not answer")
            time.sleep(0.01)

    def _opened(self, **options: Any) -> Any:
        self.files.append(tempfile.TemporaryFile(**options))  # noqa: SIM115 - the source closes it
        return self.files[-1]

    @property
    def is_over(self) -> bool:
        """Whether every file is closed, and no thread that downloads is alive."""
        downloading = [thread for thread in threading.enumerate() if thread.name.startswith("backup-download")]
        return all(file.closed for file in self.files) and not downloading


FIVE = [[item_of(10 * file + number) for number in range(9 - file)] for file in range(5)]


@small
def test_the_next_file_is_on_its_way_while_one_is_read_and_no_other() -> None:
    downloads: list[str] = []
    second_began = threading.Event()

    def watch(verb: str, key: str) -> None:
        downloads.extend([key] if verb == "download" else [])
        if len(downloads) == 2:
            second_began.set()

    pages = Stored(*FIVE, step=watch).source().pages(WHOLE, None)

    assert next(pages).cursor == {"file": 0, "line": 3}
    assert second_began.wait(timeout=20)
    assert downloads == [f"nightly/data/{number}.json.gz" for number in range(2)]


@pytest.mark.parametrize("pages_read", [1, 2, 5])
def test_a_source_that_is_left_early_leaves_no_file_and_no_download(
    monkeypatch: pytest.MonkeyPatch, pages_read: int
) -> None:
    traffic = _Traffic(monkeypatch)
    pages = Stored(*FIVE, step=traffic).source().pages(WHOLE, None)
    for _ in range(pages_read):
        next(pages)

    pages.close()  # type: ignore[attr-defined]  # it is a generator

    assert traffic.is_over


@pytest.mark.parametrize("changes", [{"items": 1}, {"md5": ""}])
def test_a_file_that_is_refused_leaves_no_file_and_no_download(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    traffic = _Traffic(monkeypatch)
    source = Stored(*FIVE, step=traffic).source(**changes)

    with pytest.raises(BackupRefusedError) as refused:
        list(source.pages(WHOLE, None))

    assert traffic.is_over, refused
    assert len(traffic.downloads) > 0


@pytest.mark.parametrize("fails_at", ["0.json.gz", "1.json.gz", "4.json.gz"])
def test_a_download_that_fails_is_raised_and_leaves_no_file(monkeypatch: pytest.MonkeyPatch, fails_at: str) -> None:
    traffic = _Traffic(monkeypatch, fails_at=fails_at)

    with pytest.raises(ServiceUnavailableError) as failed:
        list(Stored(*FIVE, step=traffic).source().pages(WHOLE, None))

    assert traffic.is_over, failed


def test_memory_does_not_grow_with_the_file() -> None:
    assert _peak_of(2000) < 1.2 * _peak_of(200)


def _peak_of(count: int) -> int:
    """The most bytes that are held while a file of so many items of 10 KB is read."""
    source = Stored([{**item_of(number), "value": {"S": "x" * 10_000}} for number in range(count)]).source()
    tracemalloc.start()
    try:
        assert sum(len(page.changes) for page in source.pages(WHOLE, None)) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
