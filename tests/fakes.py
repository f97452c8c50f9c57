"""Everything that the engine asks of the outside, in memory: quick, exact, and without a network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from random import Random
from typing import Any

import orjson

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import ConnectionPool, Route, Timeouts
from dynamodb_copy.aws.raw_json import Pending, Wire
from dynamodb_copy.errors import LeaseLostError, RequestRefusedError
from dynamodb_copy.formats.dynamodb_json import key_hash, key_of
from dynamodb_copy.model import (
    Change,
    Checkpoint,
    Cursor,
    Durable,
    Item,
    Key,
    KeySchema,
    Page,
    Put,
    Segment,
    Tally,
)

Step = Callable[[], None]
"""Called at each point where a process may be killed; it kills by raising."""


def survives() -> None:
    """The step of a process that nobody kills."""


def in_pages(changes: Sequence[Change], size: int) -> list[list[Change]]:
    """Cut changes into pages of that size; at least one page, as a source has it."""
    return [list(changes[at : at + size]) for at in range(0, len(changes), size)] or [[]]


class ListSource:
    """A source of given pages, one list of them per segment; its cursor is the number of the last page read."""

    def __init__(self, *segments: Sequence[Sequence[Change]], step: Step = survives) -> None:
        self._segments = segments
        self._step = step
        self.asked: list[tuple[Segment, int]] = []  # every page that was read: segment and number

    def segments(self) -> Sequence[Segment]:
        """One for each list of pages."""
        return [Segment(index, len(self._segments)) for index in range(len(self._segments))]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the pages that follow `after`."""
        pages = self._segments[segment.index]
        for number in range(0 if after is None else after["page"] + 1, len(pages)):
            self._step()
            self.asked.append((segment, number))
            cursor = {"page": number} if number + 1 < len(pages) else None
            yield Page(list(pages[number]), cursor, Tally(pages=1, read_units=0.5))


class MemorySink:
    """A sink that keeps the last change of each key."""

    def __init__(self, keys: KeySchema, *, step: Step = survives) -> None:
        self._keys = keys
        self._step = step
        self._items: dict[bytes, Item] = {}

    @property
    def items(self) -> list[Item]:
        """What can be read back."""
        return list(self._items.values())

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:  # noqa: ARG002 - the port's
        """Store the pages one change at a time, so that a kill may leave half a page behind."""
        for page in pages:
            for change in page.changes:
                self._step()
                self._store(change)
            self._step()
            yield Durable(page.cursor, page.tally + Tally(write_units=float(len(page.changes))))

    def _store(self, change: Change) -> None:
        if isinstance(change, Put):
            self._items[key_hash(change.item, self._keys)] = change.item
        else:
            self._items.pop(key_hash(change.key, self._keys), None)


class MemoryCheckpoints:
    """Checkpoints that outlive a killed attempt."""

    def __init__(self, *, step: Step = survives) -> None:
        self._step = step
        self._saved: dict[Segment, Checkpoint] = {}
        self.saves: list[tuple[Segment, Checkpoint]] = []

    def load(self, segment: Segment) -> Checkpoint:
        """Return the segment's checkpoint, or an empty one."""
        return self._saved.get(segment, Checkpoint())

    def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
        """Store it; a kill may come just before or just after."""
        self._step()
        self._saved[segment] = checkpoint
        self.saves.append((segment, checkpoint))
        self._step()


class StoppedClock(Clock):
    """Time that passes only while somebody sleeps, or by `pass_by`."""

    slept: list[float]
    _passed: list[float]

    def __init__(self, *, seed: int = 0) -> None:
        slept: list[float] = []
        passed: list[float] = []
        chance = Random(seed)  # noqa: S311 - repeatable waits, not secrets
        super().__init__(now=lambda: sum(slept) + sum(passed), sleep=slept.append, random=chance)
        object.__setattr__(self, "slept", slept)  # a Clock is frozen
        object.__setattr__(self, "_passed", passed)

    def pass_by(self, seconds: float) -> None:
        """Let time pass without anybody sleeping."""
        self._passed.append(seconds)


class AlwaysHeld:
    """A fence whose lease never ends."""

    def __init__(self) -> None:
        self.checks = 0

    def check(self) -> None:
        """Return."""
        self.checks += 1


class LostAfter(AlwaysHeld):
    """A fence whose lease is lost after a number of checks."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self._held_for = checks

    def check(self) -> None:
        """Return while the lease holds; raise LeaseLostError then."""
        super().check()
        if self.checks > self._held_for:
            raise LeaseLostError("another attempt holds the lease")


class CountingLimiter:
    """A limiter that never waits and remembers what it was asked."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.settled: list[float] = []

    @property
    def spent(self) -> float:
        """What was taken, corrected by what it cost."""
        return sum(self.taken) + sum(self.settled)

    def take(self, units: float) -> None:
        """Remember."""
        self.taken.append(units)

    def settle(self, units: float) -> None:
        """Remember."""
        self.settled.append(units)


Answer = Callable[[str, dict[str, Any]], dict[str, Any]]
"""(operation, request) to a reply; what it raises is what the wire raises when the reply is asked for."""


def scripted(*replies: dict[str, Any] | Exception) -> Answer:
    """Answer with these, one after the other."""
    left = iter(replies)

    def answer(operation: str, _: dict[str, Any]) -> dict[str, Any]:
        reply = next(left, AssertionError(f"an unexpected {operation}"))
        if isinstance(reply, Exception):
            raise reply
        return reply

    return answer


class FakeWire(Wire):
    """A wire without a network: it remembers its requests and answers from a function, at once and in their order."""

    def __init__(self, answer: Answer, clock: Clock | None = None) -> None:
        self.clock = clock or StoppedClock()
        self.region = "us-east-1"
        self.replied_on = ""
        self.pool = _NoConnections()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.abandoned = 0
        self._answer = answer

    def sibling(self) -> FakeWire:
        """Itself: all requests are remembered in one place."""
        return self

    def post(self, operation: str, body: bytes, *, fence: Callable[[], None] = lambda: None) -> Pending:
        """Remember the request; answer it."""
        fence()
        request = orjson.loads(body)
        self.requests.append((operation, request))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return _Answered(self, self._answer(operation, request))
        except Exception as error:  # noqa: BLE001 - raised when the reply is asked for
            return _Answered(self, error)


class _Answered(Pending):
    def __init__(self, wire: FakeWire, outcome: dict[str, Any] | Exception) -> None:
        self._fake = wire
        self._outcome = outcome
        self.reply_bytes = 0

    @property
    def was_sent(self) -> bool:
        return True

    def reply(self) -> dict[str, Any]:
        self._fake.in_flight -= 1
        if isinstance(self._outcome, Exception):
            raise self._outcome
        packed = orjson.dumps(self._outcome)
        self.reply_bytes = len(packed)
        reply: dict[str, Any] = orjson.loads(packed)
        return reply

    def see_out(self, seconds: float) -> None:
        assert seconds > 0.0
        self.abandon()

    def abandon(self) -> None:
        self._fake.in_flight -= 1
        self._fake.abandoned += 1


class _NoConnections(ConnectionPool):
    def __init__(self) -> None:
        super().__init__(Route("http://nowhere.invalid"), Timeouts())

    def grow(self, count: int) -> None:
        """Connect to nothing."""


class MemoryTable:
    """Answers Scan, BatchGetItem and BatchWriteItem for one table as the service does; `answer` is for a FakeWire."""

    page_bytes = 1_000_000

    def __init__(self, name: str, keys: KeySchema, items: Iterable[Item] = ()) -> None:
        self.name = name
        self._keys = keys
        self._items = {key_hash(item, keys): item for item in items}

    @property
    def items(self) -> list[Item]:
        """What it holds."""
        return list(self._items.values())

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        match operation:
            case "Scan":
                return self._scan(request)
            case "BatchGetItem":
                return self._get(request["RequestItems"][self.name]["Keys"])
            case "BatchWriteItem":
                return self._write(request["RequestItems"][self.name])
        raise RequestRefusedError(f"{operation}: a table in memory knows no such operation")

    def _scan(self, request: dict[str, Any]) -> dict[str, Any]:
        start = key_hash(request["ExclusiveStartKey"], self._keys) if "ExclusiveStartKey" in request else b""
        found: list[Item] = []
        size_bytes, complete = 0, True
        for hashed in sorted(self._items):
            if hashed <= start or hashed[0] * request["TotalSegments"] // 256 != request["Segment"]:
                continue
            item = self._items[hashed]
            found.append(item)
            size_bytes += len(orjson.dumps(item))
            if len(found) == request["Limit"] or size_bytes >= self.page_bytes:
                complete = False  # also at the very end: the service then sends an empty page more
                break
        reply = {"Items": found, "Count": len(found), "ScannedCount": len(found)}
        reply["ConsumedCapacity"] = {"TableName": self.name, "CapacityUnits": -(-size_bytes // 4096) or 0.5}
        return reply if complete else reply | {"LastEvaluatedKey": key_of(found[-1], self._keys)}

    def _get(self, keys: list[Key]) -> dict[str, Any]:
        hashes = [key_hash(key, self._keys) for key in keys]
        units = [{"TableName": self.name, "CapacityUnits": float(len(keys))}]
        found = [self._items[hashed] for hashed in hashes if hashed in self._items]
        return {"Responses": {self.name: found}, "UnprocessedKeys": {}, "ConsumedCapacity": units}

    def _write(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        changes = [request.get("PutRequest") or request["DeleteRequest"] for request in requests]
        hashes = [key_hash(change.get("Item") or change["Key"], self._keys) for change in changes]
        if len(set(hashes)) < len(hashes) or len(hashes) > 25:
            raise RequestRefusedError("BatchWriteItem: ValidationException: duplicates, or more than 25 requests")
        for hashed, change in zip(hashes, changes, strict=True):
            if "Item" in change:
                self._items[hashed] = change["Item"]
            else:
                self._items.pop(hashed, None)
        units = [{"TableName": self.name, "CapacityUnits": float(len(requests))}]
        return {"UnprocessedItems": {}, "ConsumedCapacity": units}
