"""One task's speed when both tables are 80 ms away."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attempt import BenchmarkRun, copying
from benchmarks.endpoints import two_dynalites
from benchmarks.figures import Figure, at_least
from benchmarks.material import SOURCE, fill_items_table, job_text

_LATENCY_SECONDS = 0.08
_ITEMS = 60_000
_ITEMS_PER_SECOND = 5_000.0
_TIMES_FASTER = 10.0
_OTHERS = {"copy-dynamodb-table": 144.0, "dynamodump restore": 284.0}
"""Items per second of other tools, measured once over the same latency with the same emulator."""


def round_trips() -> Iterator[Figure]:
    """Copy one segment between two emulators, each behind its latency."""
    with two_dynalites(latency_seconds=_LATENCY_SECONDS) as (proxies, direct):
        fill_items_table(direct[SOURCE], _ITEMS)
        run = BenchmarkRun({side: proxy.endpoint for side, proxy in proxies.items()}, job_text(), "round-trips")
        run.planned()
        with copying(run) as attempt:
            attempt.wait_until_copying()
            outcome = attempt.outcome()
        verdict = run.open().verify()
    assert (outcome.items, verdict.outcome) == (_ITEMS, "equal"), (outcome, verdict)
    speed = outcome.items / outcome.seconds
    yield at_least("one task, 80 ms round trip on both sides", speed, _ITEMS_PER_SECOND, "items/s")
    for tool, theirs in _OTHERS.items():
        yield at_least(f"the same over {tool} ({theirs:.0f}/s)", speed / theirs, _TIMES_FASTER, "×")
