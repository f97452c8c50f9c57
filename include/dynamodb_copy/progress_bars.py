"""How far a copy has come: bars on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from dynamodb_copy.model import Segment, Tally

_SECONDS_BETWEEN_LINES = 10.0


class Meter:
    """Adds up what the copying threads report. Items of earlier attempts count as items, but not towards the rate."""

    def __init__(
        self, segments: Sequence[Segment], *, continued: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.segments = segments
        self.done: set[Segment] = set()
        self._clock = clock
        self._started_at = clock()
        self._lock = threading.Lock()
        self._tallies: dict[Segment, Tally] = {}
        # The first tally of a continued segment holds what earlier attempts copied.
        self._earlier_items: dict[Segment, int] = {} if continued else dict.fromkeys(segments, 0)

    def advanced(self, segment: Segment, tally: Tally) -> None:
        """Take the segment's cumulative tally."""
        with self._lock:
            self._earlier_items.setdefault(segment, tally.items)
            self._tallies[segment] = tally

    def finished(self, segment: Segment, tally: Tally) -> None:
        """Take the whole tally of a segment that is done."""
        self.advanced(segment, tally)
        self.done.add(segment)

    def tallies(self) -> dict[Segment, Tally]:
        """The cumulative tally of each segment that has begun."""
        with self._lock:
            return dict(self._tallies)

    @property
    def items(self) -> int:
        """Items copied so far, by all attempts."""
        return sum(tally.items for tally in self.tallies().values())

    @property
    def items_per_second(self) -> float:
        """The mean rate since this meter began."""
        with self._lock:
            copied = sum(tally.items - self._earlier_items[segment] for segment, tally in self._tallies.items())
        return copied / self.seconds if self.seconds else 0.0

    @property
    def seconds(self) -> float:
        """Time since this meter began."""
        return self._clock() - self._started_at


@contextmanager
def shown(meter: Meter, console: Console) -> Iterator[Callable[[], None]]:
    """Show the meter until the context ends; call what is yielded about once a second."""
    display = _Bars(meter, console) if console.is_interactive else _Lines(meter, console)
    try:
        yield display.tick
    finally:
        display.close()


class _Lines:
    def __init__(self, meter: Meter, console: Console) -> None:
        self._meter = meter
        self._console = console
        self._next_at_seconds = _SECONDS_BETWEEN_LINES

    def tick(self) -> None:
        if self._meter.seconds >= self._next_at_seconds:
            self._next_at_seconds = self._meter.seconds + _SECONDS_BETWEEN_LINES
            self.close()

    def close(self) -> None:
        meter = self._meter
        done = f"{len(meter.done)} of {len(meter.segments)} segments done"
        elapsed = timedelta(seconds=int(meter.seconds))
        self._console.print(f"{done}, {meter.items:,} items, {meter.items_per_second:,.0f} items/s, {elapsed}")


class _Bars:
    def __init__(self, meter: Meter, console: Console) -> None:
        self._meter = meter
        counts = TextColumn("{task.fields[items]:>13,} items {task.fields[rate]:>9,.0f} items/s")
        columns = (TextColumn("{task.description}"), BarColumn(), counts, TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)
        self._whole = self._progress.add_task("segments done", total=len(meter.segments), items=0, rate=0.0)
        self._rows: dict[Segment, TaskID] = {}
        self._progress.start()

    def tick(self) -> None:
        for segment, tally in self._meter.tallies().items():
            self._show_segment(segment, tally)
        items, rate = self._meter.items, self._meter.items_per_second
        self._progress.update(self._whole, completed=len(self._meter.done), items=items, rate=rate)

    def _show_segment(self, segment: Segment, tally: Tally) -> None:
        if segment not in self._rows:
            self._rows[segment] = self._progress.add_task(segment.label, total=None, items=0, rate=0.0)
        rate = tally.items / tally.seconds if tally.seconds else 0.0
        under_way = segment not in self._meter.done
        self._progress.update(self._rows[segment], items=tally.items, rate=rate, visible=under_way)

    def close(self) -> None:
        self.tick()
        self._progress.stop()
