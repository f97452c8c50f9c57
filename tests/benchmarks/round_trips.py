"""One task's speed when both tables are 80 ms away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.attempt import BenchmarkRun, Outcome, copying
from benchmarks.endpoints import TwoRegions, two_dynalites
from benchmarks.figures import Figure, at_least
from benchmarks.material import SOURCE, fill_items_table, job_text
from stack.emulators import latency_proxy

_LATENCY_MS = 80
_ITEMS = 60_000
_ITEMS_PER_SECOND = 5_000.0
_TIMES_FASTER = 10.0
_OTHERS = {"copy-dynamodb-table": 144.0, "dynamodump restore": 284.0}
"""Items per second of other tools, measured once over the same latency with the same emulator."""


def round_trips() -> Iterator[Figure]:
    """Copy one segment between two emulators, each behind its latency."""
    with two_dynalites() as regions:
        fill_items_table(regions.direct[SOURCE], _ITEMS)
        near = BenchmarkRun(regions.endpoints, job_text(), "round-trips")
        near.planned()
        outcome = _copied_from_afar(regions, near)
        verdict = near.verdict()
    assert (outcome.items, verdict.outcome) == (_ITEMS, "equal"), (outcome, verdict)
    speed = outcome.items / outcome.seconds
    yield at_least(f"one task, {_LATENCY_MS} ms round trip on both sides", speed, _ITEMS_PER_SECOND, "items/s")
    for tool, theirs in _OTHERS.items():
        yield at_least(f"the same over {tool} ({theirs:.0f}/s)", speed / theirs, _TIMES_FASTER, "x")


def _copied_from_afar(regions: TwoRegions, run: BenchmarkRun) -> Outcome:
    """Each latency is a process of its own: they must not wait for one another."""
    with ExitStack() as stack:
        far = {
            side: stack.enter_context(latency_proxy(endpoint, latency_ms=_LATENCY_MS)).endpoint
            for side, endpoint in regions.direct.items()
        }
        attempt = stack.enter_context(copying(BenchmarkRun(far, run.job_text, run.run_id)))
        attempt.wait_until_copying()
        return attempt.outcome()
