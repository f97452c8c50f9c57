"""Peak memory of a copy, which must not depend on the table's size."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attempt import BenchmarkRun, copying
from benchmarks.endpoints import canned_endpoint
from benchmarks.figures import Figure, at_most
from benchmarks.material import SOURCE, TARGET, job_text

_SIZES = (100_000, 1_000_000)
_PEAK_MB = 150.0
_DIFFERENCE_PERCENT = 10.0


def memory() -> Iterator[Figure]:
    """Copy a small and a large table, each in a fresh process."""
    peaks = [_peak_mb(items) for items in _SIZES]
    for items, peak in zip(_SIZES, peaks, strict=True):
        yield at_most(f"peak RSS above idle, {items:,} items", peak, _PEAK_MB, "MB")
    difference = 100 * (max(peaks) / min(peaks) - 1)
    yield at_most("difference between the two", difference, _DIFFERENCE_PERCENT, "%")


def _peak_mb(items: int) -> float:
    with canned_endpoint(items) as proxy:
        run = BenchmarkRun(dict.fromkeys((SOURCE, TARGET), proxy.endpoint), job_text("copies"), f"memory-{items}")
        run.planned()
        with copying(run) as attempt:
            attempt.wait_until_copying()
            outcome = attempt.outcome()
    assert outcome.items == items, outcome
    return outcome.peak_bytes / 1e6
