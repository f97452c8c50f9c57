"""Every source that there is, over given items, and what it reads from as seen without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

import pytest

from contract.emulated_table import KeyTypes, emulated_table, schema_of
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import open_backup, open_increment
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.lineage import leaves
from dynamodb_copy.model import Change, Cursor, Item, Page, Put, Segment
from dynamodb_copy.ports import Source
from dynamodb_copy.sources.attribute_window import Attribute, AttributeWindow, Index
from dynamodb_copy.sources.increments import Increments
from dynamodb_copy.sources.table_scan import TableScan, whole_items
from dynamodb_copy.sources.table_stream import TableStream
from fake_stream import STREAM, FakeStream
from fakes import CountingLimiter, FakeWire, ListSource, MemoryTable, in_pages
from indexed_table import IndexedTable
from stack.native_layout import is_data_file, written_export
from stack.native_objects import put_files
from stored_backups import EXPORT, items_in, source_of, write_backup
from stored_chains import DATA, Stretch, mark_at, micros_of, new_images_in, write_increment, write_window
from unit.aws.buckets import bucket_at, new_bucket, s3
from unit.memory_bucket import MemoryBucket

_FILES = 9
"""Of a backup: more than one for each segment that a test asks for."""

_MOMENT, _SHARE = "the moment", "the share"


class Asked(NamedTuple):
    """What a test wants to read."""

    items: Sequence[Item]
    key_types: KeyTypes
    segments: int


class SourceCase(NamedTuple):
    """A source, and what it reads from, seen without it."""

    source: Source
    stored: Callable[[], list[Item]]
    costs_units: bool = True  # whether reading uses a table's capacity


Builder = Callable[[Asked, str, ExitStack], SourceCase]
"""(what to read, the emulator's endpoint, where to leave what has to be closed) to a case."""


def list_source(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    keys, puts = schema_of(asked.key_types), [Put(item) for item in asked.items]
    parts = [[put for put in puts if key_hash(put.item, keys)[0] % asked.segments == n] for n in range(asked.segments)]
    return SourceCase(ListSource(*(in_pages(part, 4) for part in parts)), lambda: [put.item for put in puts])


def scan_of_memory(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    table = MemoryTable("orders", schema_of(asked.key_types), asked.items)
    request = whole_items("orders", consistent=True)
    return SourceCase(TableScan(FakeWire(table.answer), request, asked.segments, CountingLimiter), lambda: table.items)


def scan_of_a_table(asked: Asked, endpoint: str, stack: ExitStack) -> SourceCase:
    table = stack.enter_context(emulated_table(endpoint, asked.key_types))
    table.put(asked.items)
    wire = stack.enter_context(table.wire())
    request = whole_items(table.name, consistent=True)
    return SourceCase(TableScan(wire, request, asked.segments, CountingLimiter), lambda: table.items)


def export_in_memory(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    return _of_backup(MemoryBucket(written_export(EXPORT, _shares(asked))), asked)


def export_in_s3(asked: Asked, endpoint: str, _: ExitStack) -> SourceCase:
    export = replace(EXPORT, bucket=new_bucket(endpoint))
    put_files(s3(endpoint), export, written_export(export, _shares(asked)))
    return _of_backup(bucket_at(endpoint, export.bucket), asked)


def backup_in_s3(asked: Asked, endpoint: str, _: ExitStack) -> SourceCase:
    bucket = bucket_at(endpoint, new_bucket(endpoint))
    write_backup(bucket, _shares(asked), keys=schema_of(asked.key_types))
    return _of_backup(bucket, asked)


def stream_in_memory(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    """Each segment has a shard of its own."""
    keys = schema_of(asked.key_types)
    names = {key_hash(item, keys).hex(): item for item in asked.items}
    stream = FakeStream(list(names) + [f"spare {n}" for n in range(asked.segments)], shards=asked.segments)
    for name, item in names.items():
        stream.put_item(name, item)
    starts = [{shard: ""} for shard in sorted(leaves(stream.shards))]
    until = stream.now
    source = TableStream(stream.wire(), STREAM, starts, keys, until, not_before=0.0, known_since=until)
    return SourceCase(source, lambda: list(stream.table.values()), costs_units=False)


def increments_in_memory(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    return _of_increments(MemoryBucket(), asked, _ours)


def increments_in_s3(asked: Asked, endpoint: str, _: ExitStack) -> SourceCase:
    return _of_increments(bucket_at(endpoint, new_bucket(endpoint)), asked, _ours)


def windows_in_memory(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    return _of_increments(MemoryBucket(), asked, _windows)


def window_by_scan(asked: Asked, _: str, __: ExitStack) -> SourceCase:
    return _of_window(asked, None)


def window_by_index(asked: Asked, _: str, stack: ExitStack) -> SourceCase:
    """Each segment has two partitions; pages are small."""
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr("dynamodb_copy.sources.attribute_window._KEYS_PER_PAGE", 5)
    partitions = [str(number) for number in range(2 * asked.segments)]
    return _of_window(asked, Index("by_moment", (_SHARE, "S"), partitions))


SOURCES: list[Builder] = [
    list_source,
    scan_of_memory,
    scan_of_a_table,
    export_in_memory,
    export_in_s3,
    backup_in_s3,
    stream_in_memory,
    increments_in_memory,
    increments_in_s3,
    windows_in_memory,
    window_by_scan,
    window_by_index,
]


def _of_backup(bucket: Bucket, asked: Asked) -> SourceCase:
    backup = open_backup(bucket, EXPORT.folder, lambda _: None)

    def stored() -> list[Item]:
        keys = [found.key for found in bucket.objects(EXPORT.folder) if is_data_file(found.key)]
        contents = [bucket.read(key, most_bytes=1 << 30) or b"" for key in keys]
        return [item for content in contents for item in items_in(content)]

    return SourceCase(source_of(backup, schema_of(asked.key_types), asked.segments), stored, costs_units=False)


class _WithoutMoments:
    """What a window reads, as it was before it was given moments."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def segments(self) -> Sequence[Segment]:
        """Its segments."""
        return self._source.segments()

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Its pages."""
        for page in self._source.pages(segment, after):
            puts = [change for change in page.changes if isinstance(change, Put)]
            yield page._replace(changes=[Put(_without_moment(put.item)) for put in puts])


def _of_window(asked: Asked, index: Index | None) -> SourceCase:
    """All items have a moment within the window."""
    keys = schema_of(asked.key_types)
    dated = [
        {**item, _MOMENT: {"N": str(100 + number)}, _SHARE: {"S": str(number % (2 * asked.segments))}}
        for number, item in enumerate(asked.items)
    ]
    table = IndexedTable("orders", keys, dated)
    attribute = Attribute(_MOMENT, "epoch_seconds")
    window = (100.0, 100.0 + len(dated))
    source = AttributeWindow(
        FakeWire(table.answer), "orders", keys, attribute, window, asked.segments, CountingLimiter, index
    )
    return SourceCase(_WithoutMoments(source), lambda: [_without_moment(item) for item in table.items])


def _without_moment(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in {_MOMENT, _SHARE}}


def _of_increments(bucket: Bucket, asked: Asked, written: Callable[[Bucket, Asked], list[str]]) -> SourceCase:
    """Of these items the even ones are put in one increment and the others in the next."""
    increments = [open_increment(bucket, folder, lambda _: None) for folder in written(bucket, asked)]

    def stored() -> list[Item]:
        keys = [found.key for found in bucket.objects(DATA)]
        contents = [bucket.read(key, most_bytes=1 << 30) or b"" for key in keys]
        return [item for content in contents for item in new_images_in(content)]

    source = Increments(increments, schema_of(asked.key_types), asked.segments)
    return SourceCase(source, stored, costs_units=False)


def _ours(bucket: Bucket, asked: Asked) -> list[str]:
    halves, keys = _halves(asked), schema_of(asked.key_types)
    return [
        write_increment(bucket, [half], Stretch(mark_at(at, at), mark_at(at + 1, at + 1), at + 1), keys=keys).folder
        for at, half in enumerate(halves)
    ]


def _windows(bucket: Bucket, asked: Asked) -> list[str]:
    keys = schema_of(asked.key_types)
    return [write_window(bucket, half, at, at + 1, keys=keys) for at, half in enumerate(_halves(asked))]


def _halves(asked: Asked) -> list[list[Change]]:
    return [[Put(item, micros_of(at)) for item in asked.items[at::2]] for at in range(2)]


def _shares(asked: Asked) -> list[Sequence[Item]]:
    """One for each data file; without items, the service writes files that are empty, and we write none."""
    return [asked.items[number::_FILES] for number in range(_FILES)]
