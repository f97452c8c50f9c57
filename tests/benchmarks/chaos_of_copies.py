"""Copies that are killed and frozen at random moments, and tried again."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from benchmarks.attempt import BenchmarkRun, copying
from benchmarks.endpoints import TwoRegions
from benchmarks.figures import Figure, all_of, at_most
from benchmarks.lanes import ITEMS, SEGMENTS, TIMEOUTS, Case, Lanes
from benchmarks.material import ITEM_BYTES, ITEMS_TABLE, SOURCE, TARGET, job_text

_PAGE_ITEMS = (1 << 20) // ITEM_BYTES
"""What one Scan may return: 1 MB."""
_COPY_SECONDS = 2.0
"""About what a copy takes that nobody disturbs: moments are drawn from this time."""


@dataclass(frozen=True, slots=True)
class _Killed:
    outcome: str
    read_again: float  # items per segment


@dataclass(frozen=True, slots=True)
class _Frozen:
    outcome: str
    ended_by: tuple[str, ...]
    late_batches: int  # sent by the frozen attempt after it woke up


def chaos_of_copies(lanes: Lanes, kills: int, freezes: int, console: Console) -> Iterator[Figure]:
    """Disturb copies of a small table, and compare what became of them with it."""
    killed = []
    for found in lanes.all("killed", kills, _kill):
        killed.append(found)
        told = f"{found.read_again:,.0f} items per segment read again"
        console.print(f"copy, kill {len(killed)}/{kills}: {told}: {found.outcome}")
    equal = sum(found.outcome == "equal" for found in killed)
    yield all_of(f"kill -9 of a {ITEMS:,}-item copy, then retry: equal by digest", equal, kills, "times")
    most = max(found.read_again for found in killed)
    yield at_most("items read again per segment, at most", most, _PAGE_ITEMS, "items")
    frozen = []
    for woken in lanes.all("frozen", freezes, _freeze):
        frozen.append(woken)
        told = f"the zombie ended by {woken.ended_by}, {woken.late_batches} batches sent late"
        console.print(f"copy, freeze {len(frozen)}/{freezes}: {told}: {woken.outcome}")
    equal = sum(woken.outcome == "equal" for woken in frozen)
    yield all_of("SIGSTOP, retry to the end, SIGCONT: equal by digest", equal, freezes, "times")
    late = sum(woken.late_batches for woken in frozen)
    yield at_most("batches sent late by woken attempts", late, freezes, "batches")
    console.print(f"woken attempts ended by: {dict(Counter(each for woken in frozen for each in woken.ended_by))}")


def _kill(case: Case) -> _Killed:
    """Kill a copy with SIGKILL, and let another attempt finish it."""
    run = _planned(case, f"killed-{case.number}")
    before = _items_read(case.regions)
    with copying(run) as attempt:
        attempt.wait_until_copying()
        time.sleep(case.random.uniform(0, _COPY_SECONDS))
    _finish(run)
    read_again = (_items_read(case.regions) - before - ITEMS) / SEGMENTS
    return _Killed(run.verdict().outcome, read_again)


def _freeze(case: Case) -> _Frozen:
    """Stop a copy with SIGSTOP, let another attempt finish it, and wake the first one up."""
    run = _planned(case, f"frozen-{case.number}")
    with copying(run) as zombie:
        zombie.wait_until_copying()
        time.sleep(case.random.uniform(0, _COPY_SECONDS))
        os.kill(zombie.process.pid or 0, signal.SIGSTOP)
        _finish(run)
        before = _batches_written(case.regions)
        os.kill(zombie.process.pid or 0, signal.SIGCONT)
        errors = zombie.outcome().errors
    late = _batches_written(case.regions) - before
    return _Frozen(run.verdict().outcome, errors or ("nothing: it was done",), late)


def _planned(case: Case, name: str) -> BenchmarkRun:
    run = BenchmarkRun(case.regions.endpoints, job_text(name, segments=SEGMENTS), name, TIMEOUTS)
    run.planned()
    return run


def _finish(run: BenchmarkRun) -> None:
    with copying(run) as retry:
        retry.wait_until_copying()
        outcome = retry.outcome()
    assert outcome.items == ITEMS, outcome


def _items_read(regions: TwoRegions) -> int:
    scans = [each for each in regions.proxies[SOURCE].exchanges if each.operation == "Scan"]
    return sum(each.items for each in scans if each.table == ITEMS_TABLE)


def _batches_written(regions: TwoRegions) -> int:
    return regions.proxies[TARGET].count("BatchWriteItem")
