"""How well a job keeps to its limits, and how much of them it uses, over several segments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.attempt import BenchmarkRun, copying
from benchmarks.endpoints import canned_endpoint
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.material import ITEMS_TABLE, SOURCE, TARGET, job_text
from stack.capacity import EnforcedCapacity, TableCapacity
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule
from stack.proxy_log import Kind, max_units_in_window

_UNITS_PER_SECOND = 500.0
_SEGMENTS = (1, 4, 16)
_WORK_SECONDS = 27.0
_START_SECONDS = 2.0
"""Left out of the share that is used: segments begin one after the other."""
_WINDOW_SECONDS = 10.0
_TOLERANCE = 1.05
_USED_PERCENT = 95.0
_ENDLESS_ITEMS = 100_000_000


@dataclass(frozen=True, slots=True)
class _Case:
    kind: Kind
    segments: int

    @property
    def target_table(self) -> str:
        return f"copies-{self.kind}-{self.segments}"

    @property
    def table(self) -> str:
        """The one whose capacity counts."""
        return ITEMS_TABLE if self.kind == "read" else self.target_table

    @property
    def job_text(self) -> str:
        # strongly consistent reads cost twice as much: the limit is reached with fewer items
        limit: dict[str, Any] = {self.kind: {"units": _UNITS_PER_SECOND}}
        return job_text(self.target_table, segments=self.segments, consistent=True, **limit)


def limits() -> Iterator[Figure]:
    """Copy without end from tables that throttle at twice the limit, and look at what the copies consumed."""
    cases = [_Case(kind, segments) for kind in ("read", "write") for segments in _SEGMENTS]
    with canned_endpoint(_ENDLESS_ITEMS, Rule(EnforcedCapacity(*_capacities(cases)))) as proxy:
        for case in cases:
            events = _consumed(proxy, case)
            what = f"{case.kind}s of {case.segments} segments"
            yield _most_in_a_window(what, events)
            yield at_least(f"{what}: limit used", _used_percent(events), _USED_PERCENT, "%")


def _capacities(cases: list[_Case]) -> Iterator[TableCapacity]:
    yield TableCapacity(ITEMS_TABLE, read_units=2 * _UNITS_PER_SECOND)
    for case in cases:
        if case.kind == "write":
            yield TableCapacity(case.target_table, write_units=2 * _UNITS_PER_SECOND)


def _consumed(proxy: FaultProxy, case: _Case) -> list[tuple[float, float]]:
    """What the case's table was charged while there was work for all segments."""
    run = BenchmarkRun(dict.fromkeys((SOURCE, TARGET), proxy.endpoint), case.job_text, case.target_table)
    run.planned()
    with copying(run) as attempt:
        attempt.wait_until_copying()
        began = time.monotonic()
        time.sleep(_WORK_SECONDS)
        ended = time.monotonic()
        assert attempt.process.is_alive(), attempt.outcome()
    return [(at, units) for at, units in proxy.consumed(case.kind, case.table) if began <= at <= ended]


def _most_in_a_window(what: str, events: list[tuple[float, float]]) -> Figure:
    allowed = _UNITS_PER_SECOND * _WINDOW_SECONDS
    allowed = max(_TOLERANCE * allowed, allowed + max(units for _, units in events))
    most = max_units_in_window(events, _WINDOW_SECONDS)
    return at_most(f"{what}: most in any {_WINDOW_SECONDS:.0f} s", most, allowed, "units")


def _used_percent(events: list[tuple[float, float]]) -> float:
    (first, _), (last, _) = events[0], events[-1]
    seconds = last - first - _START_SECONDS
    used = sum(units for at, units in events if first + _START_SECONDS <= at < last)
    return 100 * used / (seconds * _UNITS_PER_SECOND)
