"""Progress of a segment as lines in a task's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from dynamodb_copy.model import Segment, Tally

SECONDS_BETWEEN_LINES = 10.0


class _Log(Protocol):
    def info(self, message: str, /, *args: object) -> object: ...


class ProgressLog:
    """Call it with cumulative tallies, as often as you like: it writes a line every ten seconds at most."""

    def __init__(self, job_name: str, log: _Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._job_name = job_name
        self._log = log
        self._clock = clock
        self._last_at = clock()
        self._last_items: int | None = None  # None: what earlier attempts copied is not known yet

    def __call__(self, segment: Segment, tally: Tally) -> None:
        """Note that this segment has come as far as `tally`."""
        now = self._clock()
        if self._last_items is None:
            self._last_items = tally.items
        if now - self._last_at < SECONDS_BETWEEN_LINES:
            return
        rate = (tally.items - self._last_items) / (now - self._last_at)
        self._log.info(
            "%s %s: %s items, %.1f MB, %.0f items/s",
            self._job_name,
            segment.label,
            f"{tally.items:,}",
            tally.bytes / 1e6,
            rate,
        )
        self._last_at, self._last_items = now, tally.items
