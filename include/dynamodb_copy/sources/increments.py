"""The changes of increments, one increment after the other: a segment is a share of the key buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from dynamodb_copy.formats.change_lines import CHANGE_LINE_BYTES, KEY_BUCKETS, change_bucket, changes_of
from dynamodb_copy.formats.item_lines import refused
from dynamodb_copy.model import Change, Cursor, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.sources.data_files import DataFile, StoredFile, contents, ended
from dynamodb_copy.stored_increment import Increment


@dataclass(frozen=True, slots=True)
class Increments:
    """Reads the increments in their order, each data file whole; all changes of a key lie in one segment, in order."""

    increments: Sequence[Increment]
    keys: KeySchema
    total_segments: int  # from 1 to 16
    until: int | None = None  # epoch microseconds: changes that were written later are left out

    def segments(self) -> Sequence[Segment]:
        """Split the 16 key buckets so that each segment has about as many."""
        return [Segment(index, self.total_segments) for index in range(self.total_segments)]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor.

        Raises BackupRefusedError, with the file's name, for what is missing or not what the manifest says.
        """
        buckets = frozenset(range(segment.index, KEY_BUCKETS, segment.total))
        start = _Position(0, 0, 0) if after is None else _Position(**after)
        return ended(self._pages(buckets, start))

    def _pages(self, buckets: frozenset[int], start: _Position) -> Iterator[Page]:
        placed = [each for each in _placed(self.increments, buckets) if each.position[:2] >= start[:2]]
        with closing(contents([each.stored for each in placed])) as read:
            for each, content in zip(placed, read, strict=True):
                first_line = start.line if each.position[:2] == start[:2] else 0
                yield from self._pages_of(each, content, first_line, buckets)

    def _pages_of(self, each: _Placed, content: BinaryIO, line: int, buckets: frozenset[int]) -> Iterator[Page]:
        for block in each.stored.blocks(content, line, line_bytes=CHANGE_LINE_BYTES):
            changes = changes_of(block.lines, self.keys, each.stored.uri, block.first)
            found = [self._bucket_of(change) for change in changes]
            each.check(found, block.first)
            wanted = [
                change
                for change, bucket in zip(changes, found, strict=True)
                if bucket in buckets and self._is_in_time(change)
            ]
            yield Page(wanted, each.position._replace(line=block.last)._asdict(), Tally(pages=1))

    def _bucket_of(self, change: Change) -> int:
        return change_bucket(change.item if isinstance(change, Put) else change.key, self.keys)

    def _is_in_time(self, change: Change) -> bool:
        return self.until is None or change.written_at is None or change.written_at <= self.until


class _Position(NamedTuple):
    """Where a segment goes on: after that many lines of that one of its files of an increment."""

    increment: int
    file: int
    line: int


class _Placed(NamedTuple):
    """A file that a segment reads."""

    position: _Position
    stored: StoredFile
    bucket: int | None  # that of all its changes, where its manifest tells

    def check(self, found: list[int], first_line: int) -> None:
        """Raise BackupRefusedError for a change of another bucket, which no segment would apply in its order."""
        if self.bucket is None:
            return
        for line, bucket in enumerate(found, first_line):
            if bucket != self.bucket:
                raise refused(f"{self.stored.uri}, line {line}", f"a key of bucket {bucket} instead of {self.bucket}")


def _placed(increments: Sequence[Increment], buckets: frozenset[int]) -> Iterator[_Placed]:
    """The files that hold changes of these key buckets, or may; in the order in which they are read."""
    for number, increment in enumerate(increments):
        parts = {part.name: part for part in increment.details.parts} if increment.details else {}
        file = 0
        for line in increment.files:
            part = parts.get(line.name)
            sha256, bucket = (part.sha256, part.bucket) if part else (None, None)
            if bucket is None or bucket in buckets:
                data_file = DataFile(increment.key_of(line.name), line.items, line.md5, sha256)
                yield _Placed(_Position(number, file, 0), StoredFile(increment.bucket, data_file), bucket)
                file += 1
