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
from dynamodb_copy.model import Change, Delete, Durable, Item, Page, Part, Put, Segment, Tally
from dynamodb_copy.ports import Sink
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.s3_backup import S3Backup
from dynamodb_copy.sinks.table import TableSink
from fakes import AlwaysHeld, FakeWire, MemorySink, MemoryTable
from stored_backups import items_in
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


def backup_in_memory(_: KeyTypes, __: str, stack: ExitStack) -> SinkCase:
    _parts_are_small(stack, part_bytes=0, piece_bytes=1 << 20)
    return _of_attempts(Attempts(MemoryBucket()))


def backup_in_s3(_: KeyTypes, endpoint: str, stack: ExitStack) -> SinkCase:
    _parts_are_small(stack, part_bytes=0, piece_bytes=1)
    return _of_attempts(Attempts(bucket_at(endpoint, new_bucket(endpoint))))


TABLES: list[Builder] = [memory_sink, table_in_memory, table_sink]
"""Sinks that hold the last change of each key."""

BACKUPS: list[Builder] = [backup_in_memory, backup_in_s3]
"""Sinks that hold whatever they were given; here the items of each page are a part."""


class Attempts:
    """The attempts at a backup's segments, and the parts that they yielded: those count."""

    def __init__(self, bucket: Bucket) -> None:
        self.parts: list[Part] = []
        self._bucket = bucket
        self._names = count()

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """A new attempt."""
        sink = S3Backup(self._bucket, FOLDER, f"{next(self._names):08}", fence=AlwaysHeld(), now=lambda: 0.0)
        with closing(sink.absorb(segment, pages)) as durables:
            for durable in durables:
                self.parts += durable.parts
                yield durable

    def stored(self) -> list[Item]:
        """What the parts hold that count."""
        keys = [f"{FOLDER}/data/{part.name}" for part in self.parts]
        contents = [self._bucket.read(key, most_bytes=1 << 30) or b"" for key in keys]
        return [item for content in contents for item in items_in(content)]


def _of_attempts(attempts: Attempts) -> SinkCase:
    return SinkCase(attempts, attempts.stored, costs_units=False)


def _parts_are_small(stack: ExitStack, *, part_bytes: int, piece_bytes: int) -> None:
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", part_bytes)
    patch.setattr("dynamodb_copy.sinks.s3_backup._PIECE_BYTES", piece_bytes)


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
