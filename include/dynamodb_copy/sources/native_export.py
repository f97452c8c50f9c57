"""A full export of DynamoDB's own layout, or a backup of ours, as a source: a segment is a share of its data files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import BinaryIO, NamedTuple

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.formats.item_lines import LINE_BYTES, puts_of
from dynamodb_copy.model import Cursor, KeySchema, Page, Segment, Tally
from dynamodb_copy.sources.data_files import DataFile, StoredFile, contents, ended


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
        return ended(self._pages(shares(self.files, segment.total)[segment.index][start.file :], start))

    def _pages(self, files: Sequence[DataFile], start: _Position) -> Iterator[Page]:
        stored = [StoredFile(self.bucket, data_file) for data_file in files]
        with closing(contents(stored)) as read:
            for number, (stored_file, content) in enumerate(zip(stored, read, strict=True)):
                first_line = start.line if number == 0 else 0
                yield from self._pages_of(stored_file, content, _Position(start.file + number, first_line))

    def _pages_of(self, stored: StoredFile, content: BinaryIO, start: _Position) -> Iterator[Page]:
        for block in stored.blocks(content, start.line, line_bytes=LINE_BYTES):
            puts = puts_of(block.lines, self.keys, stored.uri, block.first)
            yield Page([*puts], {"file": start.file, "line": block.last}, Tally(pages=1), is_distinct=True)


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
