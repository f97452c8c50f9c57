"""What a full backup and its increments lead to: items as they stand at a moment, worked out apart from any replay."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import orjson

from dynamodb_copy.formats.change_lines import CHANGE_LINE_BYTES, changes_of
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import Change, Cursor, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.sources.data_files import PAGE_BYTES, DataFile, StoredFile, contents, ended
from dynamodb_copy.sources.native_export import NativeExport
from dynamodb_copy.stored_increment import Increment

_CREATE = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;  -- KiB
CREATE TABLE states (number INTEGER PRIMARY KEY, key_hash BLOB UNIQUE NOT NULL, line BLOB);
"""
_KEEP = "INSERT INTO states (key_hash, line) VALUES (?, ?) ON CONFLICT (key_hash) DO UPDATE SET line = excluded.line"


class Folded(NamedTuple):
    """What was found in the increments."""

    applied: int  # changes that count
    left_out: int  # changes that were written later than asked for


class ChainState:
    """Reads the increments into a file that holds the last state of each key, then the full backup without these keys.

    A segment is a share of the full backup's data files; the last one has the items that the increments left.
    """

    def __init__(
        self,
        full: NativeExport,
        increments: Sequence[Increment],
        *,
        until: int | None,  # epoch microseconds: changes that were written later are left out
        folder: Path,  # the caller's, for one file
        on_block: Callable[[], None],
    ) -> None:
        self._full = full
        self._increments = increments
        self._until = until
        self._file = folder / "states.sqlite"
        self._on_block = on_block
        self._one_at_a_time = Lock()
        self._folded: Folded | None = None

    def folded(self) -> Folded:
        """What was found in the increments, which are read on the first call.

        Raises BackupRefusedError, with the file's name, for what is missing or not what its manifest says.
        """
        with self._one_at_a_time:
            if self._folded is None:
                self._folded = self._fold()
            return self._folded

    def segments(self) -> Sequence[Segment]:
        """Those of the full backup, and one more; reads the increments on the first call."""
        self.folded()
        total = self._full.total_segments + 1
        return [Segment(index, total) for index in range(total)]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor.

        Raises BackupRefusedError, with the file's name, for what is missing or not what the manifest says.
        """
        self.folded()
        share = Segment(segment.index, segment.total - 1)
        return self._untouched(share, after) if share.index < share.total else ended(self._touched(after))

    def _fold(self) -> Folded:
        total = Folded(0, 0)
        with closing(sqlite3.connect(self._file)) as store:
            store.executescript(_CREATE)
            for increment in self._increments:
                for changes in self._changes(increment):
                    self._on_block()
                    wanted = [change for change in changes if self._is_wanted(change)]
                    store.executemany(_KEEP, [_row(change, self._full.keys) for change in wanted])
                    late = len(changes) - len(wanted)
                    total = Folded(total.applied + len(wanted), total.left_out + late)
            store.commit()
        return total

    def _changes(self, increment: Increment) -> Iterator[list[Change]]:
        """All of an increment's, in the order of its manifest and of the lines, which is that of each key's."""
        sha256 = {part.name: part.sha256 for part in increment.details.parts} if increment.details else {}
        files = [
            StoredFile(
                increment.bucket, DataFile(increment.key_of(line.name), line.items, line.md5, sha256.get(line.name))
            )
            for line in increment.files
        ]
        with closing(contents(files)) as read:
            for stored, content in zip(files, read, strict=True):
                for block in stored.blocks(content, 0, line_bytes=CHANGE_LINE_BYTES):
                    yield changes_of(block.lines, self._full.keys, stored.uri, block.first)

    def _is_wanted(self, change: Change) -> bool:
        return self._until is None or change.written_at is None or change.written_at <= self._until

    def _untouched(self, share: Segment, after: Cursor | None) -> Iterator[Page]:
        """The full backup's items of which no increment tells."""
        with closing(sqlite3.connect(self._file)) as store:
            for page in self._full.pages(share, after):
                kept = [change for change in page.changes if not _is_known(store, change, self._full.keys)]
                yield page._replace(changes=kept)

    def _touched(self, after: Cursor | None) -> Iterator[Page]:
        """The items that the increments left."""
        last, lines, size_bytes = (after or {"number": 0})["number"], list[bytes](), 0
        with closing(sqlite3.connect(self._file)) as store:
            found = store.execute(
                "SELECT number, line FROM states WHERE line IS NOT NULL AND number > ? ORDER BY number", (last,)
            )
            for number, line in found:
                last, size_bytes = number, size_bytes + len(line)
                lines.append(line)
                if size_bytes >= PAGE_BYTES:
                    yield _page(lines, last)
                    lines, size_bytes = [], 0
        if lines:
            yield _page(lines, last)


def _row(change: Change, keys: KeySchema) -> tuple[bytes, bytes | None]:
    if isinstance(change, Put):
        return key_hash(change.item, keys), change.line
    return key_hash(change.key, keys), None


def _is_known(store: sqlite3.Connection, change: Change, keys: KeySchema) -> bool:
    hashed, _ = _row(change, keys)
    return store.execute("SELECT 1 FROM states WHERE key_hash = ?", (hashed,)).fetchone() is not None


def _page(lines: list[bytes], number: int) -> Page:
    puts: list[Change] = [Put(orjson.loads(line), line=line) for line in lines]
    return Page(puts, {"number": number}, Tally(pages=1), is_distinct=True)
