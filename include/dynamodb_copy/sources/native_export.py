"""A full export of DynamoDB's own layout, or a backup of ours, as a source: a segment is a share of its data files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from heapq import heapify, heapreplace
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, cast

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.item_lines import line_blocks, puts_of
from dynamodb_copy.model import Cursor, KeySchema, Page, Segment, Tally

PAGE_BYTES = 340_000
"""Of lines: as much as one scan request aims at."""


class DataFile(NamedTuple):
    """One data object, and what is known of it."""

    key: str
    items: int
    md5: str  # base64
    sha256: str | None = None  # hexadecimal


@dataclass(frozen=True, slots=True)
class NativeExport:
    """Reads each data file whole and checks it before the first of its items is passed on."""

    bucket: Bucket
    files: Sequence[DataFile]
    keys: KeySchema
    total_segments: int

    def segments(self) -> Sequence[Segment]:
        """Split the data files so that each segment has about as many items."""
        return [Segment(index, self.total_segments) for index in range(self.total_segments)]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor.

        Raises BackupRefusedError, with the file's name, for what is missing or not what the manifest says.
        """
        start = _Position(0, 0) if after is None else _Position(**after)
        return _ended(self._pages(shares(self.files, segment.total)[segment.index][start.file :], start))

    def _pages(self, files: Sequence[DataFile], start: _Position) -> Iterator[Page]:
        for number, (data_file, content) in enumerate(self._contents(files)):
            with content:
                first_line = start.line if number == 0 else 0
                yield from self._pages_of(data_file, content, _Position(start.file + number, first_line))

    def _contents(self, files: Sequence[DataFile]) -> Iterator[tuple[DataFile, BinaryIO]]:
        """The next file is on its way while this one is read."""
        with ThreadPoolExecutor(1, thread_name_prefix="backup-download") as thread:
            coming = [thread.submit(self._checked, data_file) for data_file in files[:1]]
            try:
                for number, data_file in enumerate(files):
                    content = coming.pop().result()
                    coming = [thread.submit(self._checked, following) for following in files[number + 1 : number + 2]]
                    yield data_file, content
            finally:
                for unread in coming:
                    if not unread.cancel() and unread.exception() is None:
                        unread.result().close()

    def _checked(self, data_file: DataFile) -> BinaryIO:
        """Download a file; it lies on disk, without a name."""
        content = cast("BinaryIO", TemporaryFile(prefix="dynamodb-copy-"))  # noqa: SIM115 - whoever reads it closes it
        try:
            self._download(data_file, content)
        except BaseException:
            content.close()
            raise
        return content

    def _download(self, data_file: DataFile, content: BinaryIO) -> None:
        if self.bucket.download(data_file.key, content) is None:
            raise BackupRefusedError(f"{self._named(data_file)}: is missing; use another backup")
        md5 = base64.b64encode(_hashed(content, "md5").digest()).decode()
        if md5 != data_file.md5:
            raise self._damaged(data_file, "MD5", md5, data_file.md5)
        sha256 = _hashed(content, "sha256").hexdigest()
        if data_file.sha256 not in {None, sha256}:
            raise self._damaged(data_file, "SHA-256", sha256, str(data_file.sha256))
        content.seek(0)

    def _pages_of(self, data_file: DataFile, content: BinaryIO, start: _Position) -> Iterator[Page]:
        line, name = 0, self._named(data_file)
        for block in line_blocks(content, name, PAGE_BYTES):
            unread = block[max(0, start.line - line) :]
            line += len(block)
            if unread:
                puts = puts_of(unread, self.keys, name, line - len(unread) + 1)
                yield Page([*puts], {"file": start.file, "line": line}, Tally(pages=1), is_distinct=True)
        if line != data_file.items:
            raise self._damaged(data_file, "count", f"{line} items", str(data_file.items))

    def _damaged(self, data_file: DataFile, what: str, found: str, told: str) -> BackupRefusedError:
        return BackupRefusedError(
            f"{self._named(data_file)}: its {what} is {found}, and the manifest says {told}; the file was changed or "
            "damaged: use another backup"
        )

    def _named(self, data_file: DataFile) -> str:
        return f"s3://{self.bucket.name}/{data_file.key}"


class _Position(NamedTuple):
    """Where a segment goes on: after that many lines of that one of its files."""

    file: int
    line: int


def shares(files: Sequence[DataFile], total: int) -> list[list[DataFile]]:
    """Deal the files out: the largest first, each to who has the fewest items; always in the same way."""
    dealt: list[list[DataFile]] = [[] for _ in range(total)]
    loads = [(0, index) for index in range(total)]
    heapify(loads)
    for data_file in sorted(files, key=lambda each: (-each.items, each.key)):
        items, index = loads[0]
        dealt[index].append(data_file)
        heapreplace(loads, (items + data_file.items, index))
    return dealt


def _hashed(content: BinaryIO, kind: str) -> hashlib._Hash:
    content.seek(0)
    return hashlib.file_digest(content, kind)  # type: ignore[arg-type]  # a binary file of the tempfile module


def _ended(pages: Iterable[Page]) -> Iterator[Page]:
    held: Page | None = None
    for page in pages:
        if held is not None:
            yield held
        held = page
    yield (held or Page([], None, Tally()))._replace(cursor=None)
