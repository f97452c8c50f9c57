"""Streams of an emulated table, read and copied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random

import pytest

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.raw_json import STREAMS, Wire
from dynamodb_copy.aws.shard_reader import ShardReader
from dynamodb_copy.aws.streams import shards, stream_status
from dynamodb_copy.engine import copy_segment
from dynamodb_copy.lineage import END, Frontier, leaves
from dynamodb_copy.model import Cursor, Delete, KeySchema, Page, Put, Segment
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from dynamodb_copy.sinks.table import TableSink
from dynamodb_copy.sources.table_stream import TableStream
from fakes import AlwaysHeld, MemoryCheckpoints
from integration.pair import SOURCE_REGION, TIMEOUTS, Pair, impatient_client, item_of
from stack import proxy_faults as faults
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule, chance

pytestmark = pytest.mark.integration

ONLY = Segment(0, 1)
KEYS = KeySchema("id")


class Streamed:
    """A pair of tables, the source with a stream."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        pair.source.create(StreamSpecification=specification)
        pair.target.create()
        self.arn: str = pair.source.description()["LatestStreamArn"]

    @contextmanager
    def wire(self, endpoint: str | None = None, timeouts: Timeouts = TIMEOUTS) -> Iterator[Wire]:
        """The way to its stream."""
        client = impatient_client(endpoint or self.pair.endpoint, SOURCE_REGION, "dynamodbstreams")
        with closing(Wire(client, timeouts, Clock(), target=STREAMS)) as wire:
            yield wire

    def frontier(self) -> Frontier:
        """Its shards, from their beginning."""
        with self.wire() as wire:
            return leaves(shards(wire, self.arn))

    def source(self, wire: Wire, *, until: float) -> TableStream:
        """Everything in it up to then."""
        return TableStream(wire, self.arn, [self.frontier()], KEYS, until, not_before=0.0, known_since=time.time())

    def read(self, *, until: float, after: Cursor | None = None) -> list[Page]:
        """All pages."""
        with self.wire() as wire:
            return list(self.source(wire, until=until).pages(ONLY, after))

    def write_later_than_now(self) -> float:
        """Return this moment, and let the stream show a change of later: a drain ends without waiting for quiet."""
        now = time.time()
        time.sleep(2.1)  # moments come in whole seconds
        self.pair.source.fill([99_999])
        return now


@pytest.fixture
def streamed(pair: Pair) -> Streamed:
    return Streamed(pair)


def test_puts_updates_and_deletes_are_read_with_the_images_before_them(streamed: Streamed) -> None:
    streamed.pair.source.fill([1])
    streamed.pair.source.put(item_of(1, note={"S": "new"}))
    streamed.pair.source.delete(1)

    pages = streamed.read(until=streamed.write_later_than_now())

    first, second, third, _ = (change for page in pages for change in page.changes)
    assert isinstance(first, Put)
    assert isinstance(second, Put)
    assert (first.item["note"], first.old) == ({"S": "x" * 40}, None)
    assert (second.item["note"], second.old) == ({"S": "new"}, first.item)
    assert first.item["packed"] == {"B": "AAAB"}
    assert isinstance(third, Delete)
    assert (third.key, third.old) == ({"id": {"S": "item-00001"}}, second.item)
    assert abs((first.written_at or 0) / 1e6 - time.time()) < 60


def test_reading_goes_on_after_a_cursor(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.aws.shard_reader._MOST_RECORDS", 7)
    streamed.pair.source.fill(range(40))
    until = streamed.write_later_than_now()
    pages = streamed.read(until=until)

    rest = streamed.read(until=until, after=pages[2].cursor)

    assert [page.changes for page in rest] == [page.changes for page in pages[3:]]
    assert sum(len(page.changes) for page in pages) == 41


def test_a_stream_that_is_quiet_ends_after_some_seconds(streamed: Streamed) -> None:
    began = time.time()

    pages = streamed.read(until=began)

    assert pages[-1].cursor is None
    assert pages[-2].cursor is not None
    assert began - 6 <= pages[-2].cursor["drained"] <= time.time()
    assert 5 <= time.time() - began < 12


def test_a_stream_that_is_switched_off_is_read_to_its_end(streamed: Streamed) -> None:
    streamed.pair.source.fill(range(3))
    client = streamed.pair.source.client
    client.update_table(TableName=streamed.pair.table, StreamSpecification={"StreamEnabled": False})

    pages = streamed.read(until=time.time() + 3600)

    assert sum(len(page.changes) for page in pages) == 3
    assert pages[-2].cursor is not None
    assert set(pages[-2].cursor["frontier"].values()) == {END}
    with streamed.wire() as wire:
        assert stream_status(wire, streamed.arn)["StreamStatus"] == "DISABLED"


def test_a_reader_of_a_shard_knows_the_services_time(streamed: Streamed) -> None:
    with streamed.wire() as wire:
        reader = ShardReader(wire, streamed.arn, next(iter(streamed.frontier())), "")
        reader.ask()
        reader.read()

        assert abs((wire.service_time() or 0.0) - time.time()) < 5


def test_a_target_that_follows_the_stream_through_faults_becomes_the_source(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynamodb_copy.aws.shard_reader._MOST_RECORDS", 20)
    random = Random(5)  # noqa: S311 - the same changes every time, no secrets
    for value in range(12):
        streamed.pair.source.put(*[item_of(n, note={"S": str(value)}) for n in random.sample(range(40), 15)])
        streamed.pair.source.delete(*random.sample(range(40), 4))
    until = streamed.write_later_than_now()
    troubles = [faults.throttled(), faults.internal_error(), faults.cut_after_forwarding(), faults.truncated_body()]
    rules = [
        Rule(fault, operation, chance(0.1)) for fault in troubles for operation in ("GetRecords", "DescribeStream")
    ]
    checkpoints = MemoryCheckpoints()
    target = streamed.pair.target

    with (
        FaultProxy(streamed.pair.endpoint, *rules) as proxy,
        streamed.wire(proxy.endpoint) as wire,
        closing(Wire(target.client, TIMEOUTS, Clock())) as to,
    ):
        writer = BatchWriter(to, target.table, fence=AlwaysHeld(), budget=CapacityBudget({}))
        tally = copy_segment(streamed.source(wire, until=until), TableSink(writer, KEYS), ONLY, checkpoints)

    assert target.items() == streamed.pair.source.items()
    assert tally.retries > 0
    end = checkpoints.load(ONLY)
    assert end.done
    assert end.cursor is not None
    assert end.cursor["frontier"].keys() == streamed.frontier().keys()
