"""A run of a job that takes what changed, whose two tables, stream and state are in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.aws.tables import Table
from dynamodb_copy.model import Checkpoint, Item, KeySchema, Segment
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position
from fake_stream import STREAM, FakeStream
from fakes import FakeWire, MemoryTable
from unit.phases.memory_context import MemoryContext
from unit.phases.memory_tables import Tables
from unit.state.memory_rows import MemoryRows

KEYS = KeySchema("id")
SOURCE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
TARGET_ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/orders"


def item_of(name: str, **attributes: Any) -> Item:
    return {"id": {"S": name}, **attributes}


@dataclass
class Side(Tables):
    """One of the two regions, with one table that holds something."""

    held: MemoryTable = field(default_factory=lambda: MemoryTable("orders", KEYS))
    wires: list[FakeWire] = field(default_factory=list)
    arn: str = TARGET_ARN
    switched_on: list[dict[str, Any]] = field(default_factory=list)  # streams

    def hold(self, items: Iterable[Item]) -> None:
        """Let the table hold these items alone."""
        self.held = MemoryTable("orders", KEYS, items)

    def describe(self, **changes: Any) -> Table:
        """Let there be the table, as described."""
        described: dict[str, Any] = {
            "TableArn": self.arn,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        }
        return Table(self.add("orders", **described | changes))

    def describe_time_to_live(self, **_: Any) -> dict[str, Any]:
        """It is off."""
        return {}

    def update_table(self, **request: Any) -> dict[str, Any]:
        """As the service, of streams."""
        self.switched_on.append(request["StreamSpecification"])
        self.tables["orders"] |= {"StreamSpecification": request["StreamSpecification"], "LatestStreamArn": STREAM}
        return {}

    def wire(self) -> FakeWire:
        """A way to the table."""
        self.wires.append(FakeWire(self._answer))
        return self.wires[-1]

    @property
    def operations(self) -> set[str]:
        """What the table was asked for."""
        return {operation for wire in self.wires for operation, _ in wire.requests}

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "DescribeTable":
            return {}
        if operation == "Scan" and "Segment" not in request:
            return {"Count": len(self.held.items[: request["Limit"]])}
        return self.held.answer(operation, request)


@dataclass
class World:
    """The two sides, the stream between them, and what is remembered."""

    source: Side = field(default_factory=lambda: Side(arn=SOURCE_ARN))
    target: Side = field(default_factory=Side)
    stream: FakeStream = field(default_factory=lambda: FakeStream(["a", "b", "c", "d"], shards=4))
    rows: MemoryRows = field(default_factory=MemoryRows)

    def __post_init__(self) -> None:
        self.streamed("NEW_AND_OLD_IMAGES")
        self.target.describe()

    def streamed(self, view: str | None, arn: str = STREAM) -> Table:
        """Let the source have a stream of that view, or one that was switched off."""
        on = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
        return self.source.describe(StreamSpecification=on, LatestStreamArn=arn)

    @property
    def source_table(self) -> Table:
        """As the service shows it."""
        return Table(self.source.tables["orders"])

    @property
    def target_table(self) -> Table:
        """As the service shows it."""
        return Table(self.target.tables["orders"])

    def context(self, job: Any, run_id: str = "1") -> ChangesContext:
        """A run of the job, as one process sees it."""
        sides = {"us-east-1": self.source, "us-west-2": self.target}
        return ChangesContext(
            job,
            run_id,
            lambda _service, region, _connection: sides[region],
            clock=self.stream.clock,
            wall=lambda: self.stream.now,
            remembered=self.rows,
            world=self,
        )

    def position(self, **changes: Any) -> Position:
        """Where the target stands: it has its base, and was brought up to date just now."""
        frontier = {shard.id: "" for shard in self.stream.shards}
        known: dict[str, Any] = {
            "source_arn": SOURCE_ARN,
            "source_id": self.source_table.table_id,
            "target_id": self.target_table.table_id,
            "by": "stream",
            "began": self.stream.now,
            "up_to": self.stream.now,
            "based": self.stream.now,
            "bases": 1,
            "stream_arn": STREAM,
            "starts": (frontier,),
        }
        return Position(**known | changes)

    def plan(self, segments: int = 0) -> Plan:
        """A plan between the two tables."""
        return Plan(
            job_name="orders",
            job_text="",
            source_arn=SOURCE_ARN,
            source_id=self.source_table.table_id,
            target_arn=TARGET_ARN,
            target_id=self.target_table.table_id,
            key_names=("id",),
            ttl_attribute=None,
            expires_before=0,
            segment_count=segments,
            read_units=None,
            verify_read_units=None,
            write_units={},
            reason="",
            notes=(),
            planned_at=self.stream.now,
        )

    def reach(self, run: str, *checkpoints: Checkpoint) -> None:
        """Let the segments of a run have come so far."""
        for index, checkpoint in enumerate(checkpoints):
            segment = Segment(index, len(checkpoints))
            self.rows.update(
                segment_key(run, segment),
                {"holder": {"S": "an attempt"}, "released": {"BOOL": True}, "beat": {"N": "1"}},
            )
            StateCheckpoints(self.rows, run, "an attempt").save(segment, checkpoint)


@dataclass(frozen=True)
class ChangesContext(MemoryContext):
    """A run whose tables and stream are in memory, too."""

    world: World = field(default_factory=World)

    def wire(self, client: Any) -> Wire:
        """To the one table of a side."""
        side: Side = client
        return side.wire()

    def streams_wire(self) -> Wire:
        """To the source's stream."""
        return self.world.stream.wire()
