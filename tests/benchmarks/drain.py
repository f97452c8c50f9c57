"""CPU that a client spends per million 400-byte changes of a stream."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attempt import BenchmarkRun
from benchmarks.canned_stream import PAGE_RECORDS, stream_rules
from benchmarks.endpoints import canned_endpoint
from benchmarks.figures import Figure, at_most
from benchmarks.following import applying, based, following_text
from benchmarks.material import SOURCE, TARGET

_PAGES = 400
_TARGET_TABLE = "copies"
_CPU_SECONDS_PER_MILLION = 30.0
_LIMITS = {"read": {"units": 150_000}, "write": {"units": 150_000}}  # above what one core can do


def drain_cpu() -> Iterator[Figure]:
    """Apply the changes of one shard, both of whose images are sent, without reading anything back and with that."""
    for verify, what in (("none", "applied"), ("changed", "applied and read back")):
        seconds = _seconds_per_million(verify)
        yield at_most(f"client CPU per million changes {what}", seconds, _CPU_SECONDS_PER_MILLION, "s")


def _seconds_per_million(verify: str) -> float:
    with canned_endpoint(0, *stream_rules(_PAGES, _TARGET_TABLE)) as proxy:
        text = following_text(_TARGET_TABLE, verify=verify, **_LIMITS)
        run = BenchmarkRun(dict.fromkeys((SOURCE, TARGET), proxy.endpoint), text, f"drain-{verify}")
        based(run)
        with applying(run) as attempt:
            attempt.wait_until_copying()
            outcome = attempt.outcome()
    assert outcome.items == _PAGES * PAGE_RECORDS, outcome
    return 1e6 * outcome.cpu_seconds / outcome.items
