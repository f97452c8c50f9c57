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


@dataclass(slots=True, eq=False)
class Written:
    """What writing a page took so far."""

    units: float = 0.0
    throttles: int = 0
    retries: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    batches_left: int = 0  # neither confirmed nor refused


class _Waiting(NamedTuple):
    batch: Batch
    written: Written


class _Flight(NamedTuple):
    pending: Pending
    batch: Batch
    written: Written
    charge: Charge
    generation: int


class BatchWriter:
    """Writes to one table; a page's writes may begin while those of the page before it are on their way."""

    def __init__(self, wire: Wire, table: str, *, fence: Fence, budget: CapacityBudget) -> None:
        self._wire = wire
        self.now = wire.clock.now
        self._table = table
        self._head = b'{"ReturnConsumedCapacity":"INDEXES","RequestItems":{"%b":[' % table.encode()
        self._fence = fence
        self._budget = budget
        self._window = FlightWindow()
        self._patience = Patience(wire.clock)
        self._waiting: deque[_Waiting] = deque()
        self._flying: deque[_Flight] = deque()

    def begin(self, requests: list[bytes]) -> Written:
        """Take a page's requests, whose keys are distinct from all that is not finished, and send what may be sent.

        Raises what `finish` raises.
        """
        written = Written()
        for batch in _batches(requests):
            self._wait(batch, written)
        self._send()
        return written

    def finish(self, written: Written) -> None:
        """Return when each of a page's writes is confirmed or refused.

        Raises ServiceUnavailableError when nothing gets through for as long as patience lasts, LeaseLostError, and
        PermanentErrors that concern the whole table.
        """
        while written.batches_left:
            self._send()
            self._receive(self._flying.popleft())

    def see_out(self) -> None:
        """End without sending anything more; what is on its way has then ended, however it ended.

        The lease may be released next: nothing of this attempt may happen after that.
        """
        self._waiting.clear()
        deadline = self.now() + self._wire.pool.timeouts.read_seconds
        while self._flying:
            self._flying.popleft().pending.see_out(deadline - self.now())

    def _wait(self, batch: Batch, written: Written) -> None:
        written.batches_left += 1
        self._waiting.append(_Waiting(batch, written))

    def _send(self) -> None:
        most = self._window.size if self._budget.knows_its_costs else 1
        self._wire.pool.grow(min(most - len(self._flying), len(self._waiting)))
        while self._waiting and len(self._flying) < most:
            batch, written = self._waiting.popleft()
            charge = self._budget.charge(batch)
            body = self._head + b",".join(batch) + b"]}}"
            pending = self._wire.post("BatchWriteItem", body, fence=self._fence.check)
            self._flying.append(_Flight(pending, batch, written, charge, self._window.generation))
            if not pending.was_sent:
                return  # each further one would take as long to fail

    def _receive(self, flight: _Flight) -> None:
        written = flight.written
        written.batches_left -= 1
        try:
            reply = flight.pending.reply()
        except ServiceUnavailableError as error:
            self._wait(flight.batch, written)
            if error.throttled:
                self._budget.refund(flight.charge)
            self._back_off(flight, error)
            return
        except RequestRefusedError as error:
            self._budget.refund(flight.charge)
            self._isolate(flight.batch, error, written)
            return
        consumed = consumed_units(reply)
        written.units += sum(consumed.values())
        left = [orjson.dumps(request) for request in reply.get("UnprocessedItems", {}).get(self._table, [])]
        self._budget.correct(flight.charge, consumed, whole=not left)
        if len(left) < len(flight.batch):
            self._patience.renew()
        if not left:
            self._window.widen()
            return
        self._wait(left, written)
        unprocessed = f"{self._table}: {len(left)} writes of a batch were left unprocessed"
        self._back_off(flight, ServiceUnavailableError(unprocessed, throttled=True))

    def _back_off(self, flight: _Flight, error: ServiceUnavailableError) -> None:
        flight.written.retries += 1
        flight.written.throttles += error.throttled
        if flight.generation == self._window.generation:
            self._window.narrow()
            self._patience.wait(error)

    def _isolate(self, batch: Batch, error: RequestRefusedError, written: Written) -> None:
        """Halve a refused batch until the one write that the service objects to stands alone."""
        if len(batch) == 1:
            written.refusals.append(Refusal(batch[0], str(error)))
            return
        half = len(batch) // 2
        self._wait(batch[:half], written)
        self._wait(batch[half:], written)


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
