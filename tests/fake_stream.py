"""A table with a stream, in memory: shards that split, records that are late, repeated or trimmed, faults by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from dynamodb_copy.aws.faults import IteratorExpiredError, ResourceMissingError, TrimmedError, fault
from dynamodb_copy.aws.raw_json import Pending
from dynamodb_copy.lineage import Shard
from dynamodb_copy.model import Item, KeySchema
from fakes import FakeWire, StoppedClock

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
EPOCH = 1_800_000_000
DAY = 86_400.0
KEYS = KeySchema("id")


@dataclass(frozen=True)
class Chance:
    """How often the service does what clients have to live with; 0 is never."""

    fails: float = 0.0  # requests that are throttled, refused for a while, or whose iterator has expired
    repeats: float = 0.0  # replies that begin with records from before
    hides: float = 0.0  # replies without records though there are some, at most three in a row
    late_seconds: float = 0.0  # until a record can be read
    listed_late_seconds: float = 0.0  # until a new shard is listed
    most_records: int = 5  # of a reply
    shards_listed: int = 3  # of a page


@dataclass
class _Shard:
    id: str
    parent: str | None
    keys: list[str]
    listed_at: float
    records: list[dict[str, Any]] = field(default_factory=list)
    visible_at: list[float] = field(default_factory=list)
    trimmed: int = 0  # so many of the records are gone
    closed_at: float | None = None
    hidden: int = 0  # replies in a row


class FakeStream:
    """The table, by its keys' names, and its stream; time is the clock's, and passes while a reader sleeps."""

    def __init__(self, keys: list[str], *, shards: int = 1, chance: Chance | None = None, seed: int = 0) -> None:
        self.clock = StoppedClock(seed=seed)
        self.chance = chance or Chance()
        self.table: dict[str, Item] = {}
        self.status = "ENABLED"
        self.written: list[tuple[float, dict[str, Any]]] = []  # every record, with its moment, in order
        self._plan: list[tuple[float, Callable[[], None]]] = []
        self._random = Random(seed)  # noqa: S311 - repeatable faults, not secrets
        self._shards: dict[str, _Shard] = {}
        for start in range(shards):
            self._open(keys[start::shards], None)
        for shard in self._shards.values():
            shard.listed_at = 0.0

    @property
    def now(self) -> float:
        """The service's clock, epoch seconds."""
        return EPOCH + self.clock.now()

    @property
    def shards(self) -> list[Shard]:
        """What a listing without any trouble shows."""
        return [Shard(shard.id, shard.parent, shard.closed_at is not None) for shard in self._kept()]

    def wire(self) -> StreamWire:
        """A way to it."""
        return StreamWire(self)

    def put(self, key: str, value: int = 0, *, size: int = 0) -> None:
        """Put an item."""
        item: Item = {"id": {"S": key}, "value": {"N": str(value)}}
        self.put_item(key, item | ({"note": {"S": "x" * size}} if size else {}))

    def put_item(self, key: str, item: Item) -> None:
        """Put that item."""
        event = "MODIFY" if key in self.table else "INSERT"
        self._record(key, event, {"NewImage": item, "Keys": {"id": item["id"]}})
        self.table[key] = item

    def delete(self, key: str, *, by_ttl: bool = False) -> None:
        """Delete an item; no record tells if there is none."""
        if key in self.table:
            identity = {"userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}} if by_ttl else {}
            self._record(key, "REMOVE", {"Keys": {"id": {"S": key}}}, **identity)
            del self.table[key]

    def split(self, key: str) -> None:
        """Close the shard of a key; two others take its keys over, or one if there is but one key."""
        shard = self._of(key)
        shard.closed_at = self.clock.now()
        for share in (shard.keys[::2], shard.keys[1::2]):
            if share:
                self._open(share, shard.id)

    def disable(self) -> None:
        """Switch the stream off: every shard ends."""
        self.status = "DISABLED"
        for shard in self._shards.values():
            shard.closed_at = self.clock.now() if shard.closed_at is None else shard.closed_at

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do that once so much time has passed from now on; actions happen in the order they were given."""
        self._plan.append((self.clock.now() + seconds, action))

    def pass_by(self, seconds: float) -> None:
        """Let time pass without anybody reading."""
        self.clock.pass_by(seconds)
        self._catch_up()

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        self._catch_up()
        if self._random.random() < self.chance.fails:
            raise self._some_fault(operation)
        match operation:
            case "DescribeStream":
                return self._describe(request)
            case "GetShardIterator":
                return {"ShardIterator": self._iterator(request)}
            case "GetRecords":
                return self._records(request["ShardIterator"])
        raise AssertionError(operation)

    def _some_fault(self, operation: str) -> Exception:
        code = self._random.choice(["LimitExceededException", "InternalServerError", "ThrottlingException", "expired"])
        if code == "expired" and operation == "GetRecords":
            return IteratorExpiredError("GetRecords: expired")
        return fault("ThrottlingException" if code == "expired" else code, "not now", status=400, operation=operation)

    def _catch_up(self) -> None:
        while self._plan and self._plan[0][0] <= self.clock.now():
            self._plan.pop(0)[1]()
        oldest = self.now - DAY
        for shard in self._shards.values():
            moments = [record["dynamodb"]["ApproximateCreationDateTime"] for record in shard.records]
            shard.trimmed = sum(moment < oldest for moment in moments)

    def _open(self, keys: list[str], parent: str | None) -> None:
        name = f"shardId-{len(self._shards):020}-{self._random.randrange(1 << 32):08x}"
        listed_at = self.clock.now() + self._random.uniform(0, self.chance.listed_late_seconds)
        self._shards[name] = _Shard(name, parent, keys, listed_at)

    def _of(self, key: str) -> _Shard:
        return next(shard for shard in self._shards.values() if key in shard.keys and shard.closed_at is None)

    def _record(self, key: str, event: str, told: dict[str, Any], **more: Any) -> None:
        if self.status == "DISABLED":
            return
        shard = self._of(key)
        old = {"OldImage": self.table[key]} if key in self.table else {}
        number = 10 ** (20 + len(self.written) // 7) + len(self.written)  # as text they are not in order
        moment = {"ApproximateCreationDateTime": float(int(self.now)), "SequenceNumber": str(number)}
        record = {"eventName": event, "dynamodb": told | old | moment, **more}
        shard.records.append(record)
        shard.visible_at.append(self.clock.now() + self._random.uniform(0, self.chance.late_seconds))
        self.written.append((self.now, record))

    def _kept(self) -> list[_Shard]:
        """A shard is forgotten a day after its end."""
        ended = self.clock.now() - DAY
        return [shard for shard in self._shards.values() if shard.closed_at is None or shard.closed_at > ended]

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        listed = [shard for shard in self._kept() if shard.listed_at <= self.clock.now()]
        after = request.get("ExclusiveStartShardId", "")
        rest = [shard for shard in listed if shard.id > after]
        page = rest[: min(request.get("Limit", 100), self.chance.shards_listed)]
        before = [shard for shard in listed if shard.id == after]  # one that the page before has shown already
        described: dict[str, Any] = {
            "StreamArn": STREAM,
            "StreamStatus": self.status,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        described |= {"TableName": "orders", "Shards": [_shown(shard) for shard in before + page]}
        return {"StreamDescription": described | ({"LastEvaluatedShardId": page[-1].id} if page != rest else {})}

    def _iterator(self, request: dict[str, Any]) -> str:
        shard = self._kept_shard(request["ShardId"])
        if request["ShardIteratorType"] == "TRIM_HORIZON":
            return f"{shard.id} {shard.trimmed} {self.clock.now()}"
        numbers = [record["dynamodb"]["SequenceNumber"] for record in shard.records]
        after = numbers.index(request["SequenceNumber"])
        if after < shard.trimmed:
            raise TrimmedError("GetShardIterator: trimmed")
        return f"{shard.id} {after + 1} {self.clock.now()}"

    def _kept_shard(self, name: str) -> _Shard:
        if name not in {shard.id for shard in self._kept()}:
            raise ResourceMissingError("no such shard")
        return self._shards[name]

    def _records(self, iterator: str) -> dict[str, Any]:
        name, start, issued_at = iterator.split()
        shard = self._kept_shard(name)
        if self.clock.now() - float(issued_at) > 900:
            raise IteratorExpiredError("GetRecords: expired")
        at = int(start)
        if at < shard.trimmed:
            raise TrimmedError("GetRecords: trimmed")
        end = self._visible_end(shard, at)
        begin = max(shard.trimmed, at - 3) if self._random.random() < self.chance.repeats else at
        reply: dict[str, Any] = {"Records": shard.records[begin:end]}
        if shard.closed_at is None or end < len(shard.records):
            reply["NextShardIterator"] = f"{name} {end} {self.clock.now()}"
        return reply

    def _visible_end(self, shard: _Shard, at: int) -> int:
        hides = self._random.random() < self.chance.hides and shard.hidden < 3
        shard.hidden = shard.hidden + 1 if hides else 0
        if hides:
            return at
        end = at
        while (
            end < min(len(shard.records), at + self.chance.most_records) and shard.visible_at[end] <= self.clock.now()
        ):
            end += 1
        return end


def _shown(shard: _Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "9"} if shard.closed_at is not None else {})
    shown: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    return shown | ({} if shard.parent is None else {"ParentShardId": shard.parent})


class StreamWire(FakeWire):
    """A wire to the stream that knows the service's time as of the last reply that was read."""

    def __init__(self, stream: FakeStream) -> None:
        super().__init__(stream.answer, stream.clock)
        self.stream = stream
        self.replied_at: float | None = None

    def post(self, operation: str, body: bytes, *, fence: Callable[[], None] = lambda: None) -> Pending:
        """Remember when it was answered."""
        return _Dated(self, super().post(operation, body, fence=fence))

    def service_time(self) -> float | None:
        """Whole seconds, as in a `Date`."""
        return self.replied_at


class _Dated(Pending):
    def __init__(self, wire: StreamWire, answered: Pending) -> None:
        self._stream_wire = wire
        self._answered = answered
        self._at = float(int(wire.stream.now))
        self.reply_bytes = 0

    def reply(self) -> dict[str, Any]:
        self._stream_wire.replied_at = self._at
        return self._answered.reply()

    def abandon(self) -> None:
        self._answered.abandon()
