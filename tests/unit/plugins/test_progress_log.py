"""Progress lines are rare, and say what a person asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynamodb_copy.model import Segment, Tally
from dynamodb_copy_airflow.progress import ProgressLog


@dataclass
class Lines:
    """A log that keeps what it was told."""

    written: list[str] = field(default_factory=list)

    def info(self, message: str, /, *args: object) -> None:
        """Keep the line as a log would show it."""
        self.written.append(message % args)


@dataclass
class Clock:
    """Stands still until it is set."""

    now: float = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_a_line_comes_every_ten_seconds_at_most() -> None:
    lines, clock = Lines(), Clock()
    progress = ProgressLog("orders", lines, clock)

    for second in range(25):
        clock.now = 100.0 + second
        progress(Segment(2, 16), Tally(items=second * 100, bytes=second * 1_000_000))

    assert lines.written == [
        "orders segment 3/16: 1,000 items, 10.0 MB, 100 items/s",
        "orders segment 3/16: 2,000 items, 20.0 MB, 100 items/s",
    ]


def test_items_of_earlier_attempts_do_not_count_as_speed() -> None:
    lines, clock = Lines(), Clock()
    progress = ProgressLog("orders", lines, clock)

    progress(Segment(0, 1), Tally(items=1_000_000))
    clock.now += 10
    progress(Segment(0, 1), Tally(items=1_000_500))

    assert lines.written == ["orders segment 1/1: 1,000,500 items, 0.0 MB, 50 items/s"]
