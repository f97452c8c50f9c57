"""Reads the shards of one segment side by side, parents before their children, up to a moment."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count

from dynamodb_copy.aws.faults import ResourceMissingError, TrimmedError
from dynamodb_copy.aws.shard_reader import Record
from dynamodb_copy.errors import ChangesLostError
from dynamodb_copy.model import Change, Page, Tally
from dynamodb_copy.sources.stream_lanes import Lane, Lanes
from dynamodb_copy.sources.stream_records import Told, Wanted, told_by

RETENTION_SECONDS = 86_400.0
"""How long a stream keeps a record.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

_MOST_IN_FLIGHT = 16
_PAUSE_SECONDS = 1.0  # before a shard that had nothing is asked again
_QUIET_SECONDS = 5.0  # how long nothing may be yielded


class Drain:
    """The pages of one segment."""

    def __init__(self, lanes: Lanes, wanted: Wanted, until: float) -> None:
        self._lanes = lanes
        self._wanted = wanted
        self._until = until  # epoch seconds by the service's clock
        self._clock = lanes.wire.clock
        self._idle: list[tuple[float, int, Lane]] = []  # a heap: when to ask which shard again
        self._numbers = count()
        self._in_flight: deque[Lane] = deque()
        self._yielded_at = self._clock.now()
        self._throttles = self._retries = 0

    def pages(self) -> Iterator[Page]:
        """Yield pages until every shard is drained; the last but one has the final cursor, the last has none."""
        self._wake(self._lanes.open)
        try:
            while self._idle or self._in_flight or self._lanes.list_at < math.inf:
                page = self._turn()
                if page is not None:
                    yield page
            yield self._page([])
            yield Page([], None, Tally(pages=1))
        finally:
            for lane in self._in_flight:
                lane.reader.abandon()

    def _turn(self) -> Page | None:
        self._wake(self._lanes.children())
        self._ask()
        if not self._in_flight:
            self._rest()
            return self._sign_of_life()
        lane = self._in_flight.popleft()
        records = self._read(lane)
        if records is None:
            self._sleep(lane, 0.0)
            return None
        told = told_by(records, lane.reader.after, lane.seen, self._wanted)
        return self._nothing_from(lane) if told.after == lane.reader.after else self._passed_on(lane, told)

    def _wake(self, lanes: list[Lane]) -> None:
        for lane in lanes:
            self._sleep(lane, 0.0)

    def _sleep(self, lane: Lane, seconds: float) -> None:
        heappush(self._idle, (self._clock.now() + seconds, next(self._numbers), lane))

    def _ask(self) -> None:
        """Send requests to those that wait for longest, as many as may be on their way."""
        now = self._clock.now()
        while self._idle and self._idle[0][0] <= now and len(self._in_flight) < _MOST_IN_FLIGHT:
            _, _, lane = heappop(self._idle)
            lane.reader.ask()
            self._in_flight.append(lane)

    def _rest(self) -> None:
        moment = min([self._lanes.list_at, *[due for due, _, _ in self._idle[:1]]])
        if moment < math.inf:
            self._clock.sleep(max(0.0, moment - self._clock.now()))

    def _read(self, lane: Lane) -> list[Record] | None:
        reader = lane.reader
        try:
            records = reader.read()
        except TrimmedError:
            if reader.is_at_horizon:  # the horizon moves on while it is read
                self._clock.sleep(_PAUSE_SECONDS)
            reader.start_from_horizon()
            return None
        except ResourceMissingError as error:
            raise self._lost(lane) from error
        self._throttles, reader.throttles = self._throttles + reader.throttles, 0
        self._retries, reader.retries = self._retries + reader.retries, 0
        if reader.is_at_horizon:
            self._check_retention(lane)
        return records

    def _check_retention(self, lane: Lane) -> None:
        """What is read from the oldest record on is complete as long as nothing unread can be older than that."""
        if self._now() - lane.safe >= RETENTION_SECONDS:
            raise self._lost(lane)

    def _passed_on(self, lane: Lane, told: Told) -> Page:
        lane.tell(told)
        self._go_on(lane, 0.0)
        self._ask()
        return self._page(told.changes)

    def _nothing_from(self, lane: Lane) -> Page | None:
        lane.tell_nothing(self._now())
        self._go_on(lane, _PAUSE_SECONDS)
        return self._sign_of_life()

    def _go_on(self, lane: Lane, seconds: float) -> None:
        if lane.reader.has_ended:
            self._lanes.end(lane)
        elif lane.drained < self._until:
            self._sleep(lane, seconds)

    def _sign_of_life(self) -> Page | None:
        is_due = self._clock.now() - self._yielded_at >= _QUIET_SECONDS
        return self._page([]) if is_due else None

    def _page(self, changes: list[Change]) -> Page:
        tally = Tally(pages=1, throttles=self._throttles, retries=self._retries)
        self._throttles = self._retries = 0
        self._yielded_at = self._clock.now()
        return Page(changes, self._lanes.cursor, tally)

    def _now(self) -> float:
        return self._lanes.wire.service_time() or time.time()

    def _lost(self, lane: Lane) -> ChangesLostError:
        since = datetime.fromtimestamp(lane.safe, UTC).isoformat(timespec="seconds")
        return ChangesLostError(
            f"shard {lane.reader.shard} of {self._lanes.stream_arn}: changes since {since} were lost before they could "
            "be read: the stream keeps them for 24 hours; say changes: {on_gap: full}, or make a new base copy"
        )
