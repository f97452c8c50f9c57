"""Peak memory of a copy and of a backup, which must not depend on the table's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from benchmarks.attempt import Attempt, BenchmarkRun, copying, copying_in_small_parts
from benchmarks.endpoints import canned_endpoint
from benchmarks.figures import Figure, at_most
from benchmarks.material import SOURCE, TARGET, backup_text, create_bucket, job_text

_SIZES = (100_000, 1_000_000)
_PEAK_MB = 150.0
_DIFFERENCE_PERCENT = 10.0

Attempting = Callable[[BenchmarkRun], AbstractContextManager[Attempt]]


def memory() -> Iterator[Figure]:
    """Copy and back up a small and a large table, each in a fresh process."""
    peaks = _peaks_mb(job_text("copies"), copying)
    yield from _peak_figures("copy", peaks)
    yield _difference("copy", peaks)
    yield from _peak_figures("backup", _peaks_mb(backup_text(), copying))
    # the small table's items do not fill one piece of 8 MiB, the large one's have four at once in memory
    yield _difference("backup in small parts", _peaks_mb(backup_text(), copying_in_small_parts))


def _peak_figures(what: str, peaks: Sequence[float]) -> Iterator[Figure]:
    for items, peak in zip(_SIZES, peaks, strict=True):
        yield at_most(f"{what}: peak RSS above idle, {items:,} items", peak, _PEAK_MB, "MB")


def _difference(what: str, peaks: Sequence[float]) -> Figure:
    percent = 100 * (max(peaks) / min(peaks) - 1)
    return at_most(f"{what}: difference between the two", percent, _DIFFERENCE_PERCENT, "%")


def _peaks_mb(text: str, attempting: Attempting) -> list[float]:
    return [_peak_mb(text, items, attempting) for items in _SIZES]


def _peak_mb(text: str, items: int, attempting: Attempting) -> float:
    with canned_endpoint(items) as proxy:
        create_bucket(proxy.endpoint)
        run = BenchmarkRun(dict.fromkeys((SOURCE, TARGET), proxy.endpoint), text, f"memory-{items}")
        run.planned()
        with attempting(run) as attempt:
            attempt.wait_until_copying()
            outcome = attempt.outcome()
    assert outcome.items == items, outcome
    return outcome.peak_bytes / 1e6
