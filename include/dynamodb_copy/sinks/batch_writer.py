"""BatchWriteItem, many requests on their way, until every write is confirmed or refused for good."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.raw_json import Pending, Wire
from dynamodb_copy.errors import RequestRefusedError, ServiceUnavailableError
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.capacity_budget import CapacityBudget, Charge, consumed_units
from dynamodb_copy.sinks.flight_window import FlightWindow

_BATCH_REQUESTS = 25
_BATCH_BYTES = 12_000_000  # the service takes 16 MB

Batch = list[bytes]
"""Write requests as wire JSON, at most 25."""


class Refusal(NamedTuple):
    """A write request that the service will never take, and why."""

    request: bytes
    message: str


@dataclass(slots=True)
class Written:
    """What writing a page took."""

    units: float = 0.0
    throttles: int = 0
    retries: int = 0
    refusals: list[Refusal] = field(default_factory=list)


class _Flight(NamedTuple):
    pending: Pending
    batch: Batch
    charge: Charge
    generation: int


class BatchWriter:
    """Writes to one table; the state of its window and of its budget's estimates lives from page to page."""

    def __init__(self, wire: Wire, table: str, *, fence: Fence, budget: CapacityBudget) -> None:
        self._wire = wire
        self.now = wire.clock.now
        self._table = table
        self._head = b'{"ReturnConsumedCapacity":"INDEXES","RequestItems":{"%b":[' % table.encode()
        self._fence = fence
        self._budget = budget
        self._window = FlightWindow()

    def write(self, requests: list[bytes]) -> Written:
        """Write requests with distinct keys; returns when each is confirmed or refused.

        Raises ServiceUnavailableError when nothing gets through for as long as patience lasts, LeaseLostError, and
        PermanentErrors that concern the whole table.
        """
        waiting = deque(_batches(requests))
        flying: deque[_Flight] = deque()
        written, patience = Written(), Patience(self._wire.clock)
        try:
            while waiting or flying:
                self._send(waiting, flying)
                self._receive(flying[0], waiting, written, patience)
                flying.popleft()
        except BaseException:
            self._see_out(flying)  # the lease may be released next: nothing of this attempt may happen after that
            raise
        return written

    def _see_out(self, flying: deque[_Flight]) -> None:
        deadline = self.now() + self._wire.pool.timeouts.read_seconds
        for flight in flying:
            flight.pending.see_out(deadline - self.now())

    def _send(self, waiting: deque[Batch], flying: deque[_Flight]) -> None:
        most = self._window.size if self._budget.knows_its_costs else 1
        self._wire.pool.grow(min(most - len(flying), len(waiting)))
        while waiting and len(flying) < most:
            batch = waiting.popleft()
            charge = self._budget.charge(batch)
            body = self._head + b",".join(batch) + b"]}}"
            pending = self._wire.post("BatchWriteItem", body, fence=self._fence.check)
            flying.append(_Flight(pending, batch, charge, self._window.generation))
            if not pending.was_sent:
                return  # each further one would take as long to fail

    def _receive(self, flight: _Flight, waiting: deque[Batch], written: Written, patience: Patience) -> None:
        try:
            reply = flight.pending.reply()
        except ServiceUnavailableError as error:
            waiting.append(flight.batch)
            if error.throttled:
                self._budget.refund(flight.charge)
            self._back_off(flight, error, written, patience)
            return
        except RequestRefusedError as error:
            self._budget.refund(flight.charge)
            _isolate(flight.batch, error, waiting, written)
            return
        consumed = consumed_units(reply)
        written.units += sum(consumed.values())
        left = [orjson.dumps(request) for request in reply.get("UnprocessedItems", {}).get(self._table, [])]
        self._budget.correct(flight.charge, consumed, whole=not left)
        if len(left) < len(flight.batch):
            patience.renew()
        if not left:
            self._window.widen()
            return
        waiting.append(left)
        unprocessed = f"{self._table}: {len(left)} writes of a batch were left unprocessed"
        self._back_off(flight, ServiceUnavailableError(unprocessed, throttled=True), written, patience)

    def _back_off(self, flight: _Flight, error: ServiceUnavailableError, written: Written, patience: Patience) -> None:
        written.retries += 1
        written.throttles += error.throttled
        if flight.generation == self._window.generation:
            self._window.narrow()
            patience.wait(error)


def _isolate(batch: Batch, error: RequestRefusedError, waiting: deque[Batch], written: Written) -> None:
    """Halve a refused batch until the one write that the service objects to stands alone."""
    if len(batch) == 1:
        written.refusals.append(Refusal(batch[0], str(error)))
        return
    half = len(batch) // 2
    waiting.extend((batch[:half], batch[half:]))


def _batches(requests: list[bytes]) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for request in requests:
        if batch and (len(batch) == _BATCH_REQUESTS or size + len(request) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(request)
        size += len(request)
    if batch:
        yield batch
