"""Limits in capacity units per second, shared by all tasks of a run that are active now.

Every task leases short slots of one schedule that the state table keeps (a generic cell rate algorithm): what one task
does not ask for, the others get. Unused units soon expire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.state.rows import RowKey, StateRows

_SLOT_SECONDS = 0.2
_LATE_SECONDS = 0.1  # a schedule that fell behind catches up this much
_UNUSED_SECONDS = 0.3  # longer, and what several tasks saved up would pass the limit together


class Unlimited:
    """A limiter that never waits."""

    def take(self, units: float) -> None:
        """Return at once."""

    def settle(self, units: float) -> None:
        """Owe nothing."""


class Schedule(Protocol):
    """When the next slot is free; shared by everyone who keeps to the same limit."""

    def book(self, seconds: float, *, floor: float) -> float:
        """Book the next free slot, not before `floor`; return its end. Both are epoch seconds."""


class StateSchedule:
    """A schedule that all processes share."""

    def __init__(self, rows: StateRows, key: RowKey) -> None:
        self._rows = rows
        self._key = key

    def book(self, seconds: float, *, floor: float) -> float:
        """Book the next free slot, not before `floor`; return its end."""
        return self._rows.advance(self._key, "busy_until", seconds, floor=floor)


class LocalSchedule:
    """A schedule that the threads of one process share."""

    def __init__(self) -> None:
        self._busy_until = 0.0
        self._one_at_a_time = Lock()

    def book(self, seconds: float, *, floor: float) -> float:
        """Book the next free slot, not before `floor`; return its end."""
        with self._one_at_a_time:
            self._busy_until = max(self._busy_until, floor) + seconds
            return self._busy_until


class SharedLimiter:
    """A share of one schedule, leased slot by slot; used by one thread at a time."""

    def __init__(
        self, schedule: Schedule, units_per_second: float, clock: Clock, wall: Callable[[], float] = time.time
    ) -> None:
        self._schedule = schedule
        self._units_per_second = units_per_second
        self._clock = clock
        self._wall = wall
        self._units = 0.0
        self._leased_at = 0.0

    def take(self, units: float) -> None:
        """Wait until that many units may be spent."""
        if self._units > 0 and self._clock.now() - self._leased_at > _UNUSED_SECONDS:
            self._units = 0.0
        missing = units - self._units
        if missing > 0:
            self._lease(missing + units * self._more_in_a_slot(units, missing))
        self._units -= units

    def settle(self, units: float) -> None:
        """Correct what was taken by what it really cost: positive is a debt that the next `take` waits for."""
        self._units -= units

    def _more_in_a_slot(self, units: float, missing: float) -> int:
        """How many such requests also fit into a slot: units that no whole request fits into would expire unused."""
        return max(0, int((self._units_per_second * _SLOT_SECONDS - missing) / units))

    def _lease(self, units: float) -> None:
        """Take the next free slot of the schedule and wait until it begins."""
        seconds = units / self._units_per_second
        now = self._wall()
        end = self._schedule.book(seconds, floor=now - _LATE_SECONDS)
        self._clock.sleep(max(0.0, end - seconds - now))
        self._units += units
        self._leased_at = self._clock.now()
