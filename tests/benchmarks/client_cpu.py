"""CPU that a client spends per million 400-byte items, beside what a plain boto3 client spends."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attempt import BenchmarkRun, copying, copying_plainly
from benchmarks.endpoints import canned_endpoint
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.material import SOURCE, TARGET, job_text

_ITEMS = 400_000
_PLAIN_ITEMS = 40_000
_CPU_SECONDS_PER_MILLION = 18.0
_TIMES_LESS_THAN_BOTO3 = 7.0
_LIMITS = {"read": {"units": 20_000}, "write": {"units": 150_000}}  # just above what one core can do


def client_cpu() -> Iterator[Figure]:
    """Copy with digest, limits and checkpoints on; server and state table are other processes."""
    with canned_endpoint(_ITEMS) as proxy:
        endpoints = dict.fromkeys((SOURCE, TARGET), proxy.endpoint)
        run = BenchmarkRun(endpoints, job_text("copies", **_LIMITS), "client-cpu")
        run.planned()
        with copying(run) as attempt:
            attempt.wait_until_copying()
            ours = attempt.outcome()
        with copying_plainly(endpoints, "copies", _PLAIN_ITEMS) as attempt:
            attempt.wait_until_copying()
            plain = attempt.outcome()
    assert ours.items == _ITEMS, ours
    per_million, plain_per_million = [1e6 * each.cpu_seconds / each.items for each in (ours, plain)]
    yield at_most("client CPU per million items", per_million, _CPU_SECONDS_PER_MILLION, "s")
    times = plain_per_million / per_million
    yield at_least(f"CPU of plain boto3 ({plain_per_million:.0f} s) over ours", times, _TIMES_LESS_THAN_BOTO3, "x")
