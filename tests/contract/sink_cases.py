"""Every sink that there is, what it has stored as seen without it, and the pages that tests give it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import count
from typing import NamedTuple

import pytest

from arbitrary_items import meaning
from contract.emulated_table import KeyTypes, emulated_table, schema_of
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Change, Delete, Durable, Item, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.ports import Sink
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.read_back import ReadBack
from dynamodb_copy.sinks.s3_backup import S3Backup
from dynamodb_copy.sinks.s3_increment import S3Increment
from dynamodb_copy.sinks.table import TableSink
from fakes import AlwaysHeld, CountingLimiter, FakeWire, MemorySink, MemoryTable
from stored_backups import items_in
from stored_chains import new_images_in
from unit.aws.buckets import bucket_at, new_bucket
from unit.memory_bucket import MemoryBucket

SEGMENT = Segment(0, 1)
COST_OF_READING = Tally(pages=1, read_units=2.5, throttles=1, retries=1)
FOLDER = "nightly/AWSDynamoDB/01768385930622-efd1a093"


class SinkCase(NamedTuple):
    """A sink, and what it has stored, read back without it."""

    sink: Sink
    stored: Callable[[], list[Item]]
    costs_units: bool = True  # whether writing uses a table's capacity


Builder = Callable[[KeyTypes, str, ExitStack], SinkCase]
"""(key types, the emulator's endpoint, where to leave what has to be closed) to a case."""


def memory_sink(key_types: KeyTypes, _: str, __: ExitStack) -> SinkCase:
    sink = MemorySink(schema_of(key_types))
    return SinkCase(sink, lambda: sink.items)


def table_in_memory(key_types: KeyTypes, _: str, __: ExitStack) -> SinkCase:
    table = MemoryTable("orders", schema_of(key_types))
    writer = BatchWriter(FakeWire(table.answer), "orders", fence=AlwaysHeld(), budget=CapacityBudget({}))
    return SinkCase(TableSink(writer, schema_of(key_types)), lambda: table.items)


def table_sink(key_types: KeyTypes, endpoint: str, stack: ExitStack) -> SinkCase:
    table = stack.enter_context(emulated_table(endpoint, key_types))
    wire = stack.enter_context(table.wire())
    writer = BatchWriter(wire, table.name, fence=AlwaysHeld(), budget=CapacityBudget({}))
    return SinkCase(TableSink(writer, schema_of(key_types)), lambda: table.items)


def read_back_of_memory(key_types: KeyTypes, _: str, __: ExitStack) -> SinkCase:
    table = MemoryTable("orders", schema_of(key_types))
    return SinkCase(_read_back(FakeWire(table.answer), "orders", schema_of(key_types)), lambda: table.items)


def read_back_of_a_table(key_types: KeyTypes, endpoint: str, stack: ExitStack) -> SinkCase:
    table = stack.enter_context(emulated_table(endpoint, key_types))
    wire = stack.enter_context(table.wire())
    return SinkCase(_read_back(wire, table.name, schema_of(key_types)), lambda: table.items)


def backup_in_memory(_: KeyTypes, __: str, stack: ExitStack) -> SinkCase:
    _parts_are_small(stack, part_bytes=0, piece_bytes=1 << 20)
    return _of_backup(MemoryBucket())


def backup_in_s3(_: KeyTypes, endpoint: str, stack: ExitStack) -> SinkCase:
    _parts_are_small(stack, part_bytes=0, piece_bytes=1)
    return _of_backup(bucket_at(endpoint, new_bucket(endpoint)))


def increment_in_memory(key_types: KeyTypes, __: str, stack: ExitStack) -> SinkCase:
    _parts_are_small(stack, part_bytes=0, piece_bytes=1 << 20)
    return _of_increment(MemoryBucket(), schema_of(key_types))


def increment_in_s3(key_types: KeyTypes, endpoint: str, stack: ExitStack) -> SinkCase:
    _parts_are_small(stack, part_bytes=0, piece_bytes=1)
    return _of_increment(bucket_at(endpoint, new_bucket(endpoint)), schema_of(key_types))


TABLES: list[Builder] = [memory_sink, table_in_memory, table_sink, read_back_of_memory, read_back_of_a_table]
"""Sinks that hold the last change of each key."""

BACKUPS: list[Builder] = [backup_in_memory, backup_in_s3, increment_in_memory, increment_in_s3]
"""Sinks that hold whatever they were given; here the items of each page are a part."""


def _read_back(wire: Wire, table: str, keys: KeySchema) -> ReadBack:
    writer = BatchWriter(wire, table, fence=AlwaysHeld(), budget=CapacityBudget({}))
    return ReadBack(TableSink(writer, keys), wire, table, Fingerprints(keys), CountingLimiter())


class Attempts:
    """The attempts at a backup's segments, and the parts that they yielded: those count."""

    def __init__(self, sink_of: Callable[[str], Sink]) -> None:
        self.names: list[str] = []
        self._sink_of = sink_of
        self._attempts = count()

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """A new attempt."""
        sink = self._sink_of(f"{next(self._attempts):08}")
        with closing(sink.absorb(segment, map(_timed, pages))) as durables:
            for durable in durables:
                self.names += [part.name for part in durable.parts]
                yield durable


def _of_backup(bucket: Bucket) -> SinkCase:
    made = Attempts(lambda attempt: S3Backup(bucket, FOLDER, attempt, fence=AlwaysHeld(), now=lambda: 0.0))
    return SinkCase(made, lambda: _held(bucket, f"{FOLDER}/data", made.names, items_in), costs_units=False)


def _of_increment(bucket: Bucket, keys: KeySchema) -> SinkCase:
    folder, named = FOLDER.rpartition("/")[::2]

    def sink_of(attempt: str) -> S3Increment:
        return S3Increment(bucket, f"{folder}/data", named, attempt, keys, fence=AlwaysHeld(), now=lambda: 0.0)

    made = Attempts(sink_of)
    return SinkCase(made, lambda: _held(bucket, f"{folder}/data", made.names, new_images_in), costs_units=False)


def _held(bucket: Bucket, data: str, names: Iterable[str], items_of: Callable[[bytes], list[Item]]) -> list[Item]:
    """What the parts hold that count."""
    contents = [bucket.read(f"{data}/{name}", most_bytes=1 << 30) or b"" for name in names]
    return [item for content in contents for item in items_of(content)]


def _timed(page: Page) -> Page:
    """The page as a source gives it that knows when its changes were written."""
    return page._replace(changes=[change._replace(written_at=1) for change in page.changes])


def _parts_are_small(stack: ExitStack, *, part_bytes: int, piece_bytes: int) -> None:
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", part_bytes)
    patch.setattr("dynamodb_copy.sinks.s3_increment.FLUSH_BYTES", part_bytes)
    patch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", piece_bytes)


def item_of(number: int, value: str = "") -> Item:
    """A small item."""
    return {"id": {"S": str(number)}, "value": {"S": value}}


def put(number: int, value: str = "") -> Put:
    """That it is there."""
    return Put(item_of(number, value))


def delete(number: int) -> Delete:
    """That it is gone."""
    return Delete({"id": {"S": str(number)}})


def pages_of(*contents: Sequence[Change]) -> list[Page]:
    """A segment with these pages."""
    last = len(contents) - 1
    return [
        Page(list(changes), {"page": at} if at < last else None, COST_OF_READING) for at, changes in enumerate(contents)
    ]


def absorb(sink: Sink, *contents: Sequence[Change]) -> list[Durable]:
    """Store a segment with these pages."""
    return list(sink.absorb(SEGMENT, pages_of(*contents)))


def meanings(items: Sequence[Item]) -> set[object]:
    """What the items say, each of which must be there once."""
    assert len({meaning(item) for item in items}) == len(items)
    return {meaning(item) for item in items}


def building(request: pytest.FixtureRequest, endpoint: str) -> Iterator[Callable[[KeyTypes], SinkCase]]:
    """Build an empty sink for given key types; for fixtures whose parameters are builders."""
    with ExitStack() as stack:
        builder: Builder = request.param
        yield lambda key_types: builder(key_types, endpoint, stack)
