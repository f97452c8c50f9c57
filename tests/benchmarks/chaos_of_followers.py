"""Incremental copies whose processes are killed with SIGKILL, and tried again by others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from typing import Any

from rich.console import Console

from benchmarks.attempt import Attempt, BenchmarkRun
from benchmarks.figures import Figure, all_of
from benchmarks.following import applying, basing, following_text, opened
from benchmarks.histories import KEYS, Writer, by_id, writing
from benchmarks.lanes import TIMEOUTS
from benchmarks.material import REGIONS, SOURCE, TARGET
from benchmarks.stories import Stories, Story
from integration.pair import SOURCE_REGION, TARGET_REGION, Side

_BASE_SECONDS, _CHANGES_SECONDS = 0.3, 8.0
"""About what a base and a drain take that nobody disturbs: moments are drawn from this time."""
_BURST = 400


@dataclass(frozen=True, slots=True)
class _Told:
    """How a story ended."""

    good: bool
    in_time: int  # kills that met a process at work
    text: str


def chaos_of_followers(stories: Stories, count: int, console: Console) -> Iterator[Figure]:
    """Tell so many stories of a base and its changes, each killed once."""
    told: list[_Told] = []
    for found in stories.all("followed", count, tell):
        told.append(found)
        console.print(f"incremental copy {len(told)}/{count}: {found.in_time} of 2 kills met it at work: {found.text}")
    good = sum(found.good for found in told)
    yield all_of("kill -9 of a base and of its changes, then retry: target = source", good, count, "times")


def tell(story: Story) -> _Told:
    """Tell one."""
    source, target = Side(story.endpoint, SOURCE_REGION, story.table), Side(story.endpoint, TARGET_REGION, story.table)
    source.create()
    source.fill(range(0, KEYS, 2))
    run = BenchmarkRun(dict.fromkeys((SOURCE, TARGET), story.endpoint), _text(story.table), story.table, TIMEOUTS)
    writer = Writer(story.endpoint, story.table, story.random, deletes=True)
    with writing(writer):
        opened(run).prepare()
        opened(run).plan()
        in_time = [_killed_and_finished(basing, run, story.random, _BASE_SECONDS)]
        for _ in range(_BURST):
            writer.write()
    opened(run).hand_over()
    in_time.append(_killed_and_finished(applying, run, story.random, _CHANGES_SECONDS))
    opened(run).seal()
    is_same = by_id(source.items()) == by_id(target.items())
    return _Told(is_same, sum(in_time), "equal" if is_same else "not equal")


def _killed_and_finished(attempt: Any, run: BenchmarkRun, random: Random, seconds: float) -> bool:
    """Kill the attempt with SIGKILL by chance within that time, and let another finish it; whether it was at work."""
    working: AbstractContextManager[Attempt] = attempt(run)
    with working as killed:
        killed.wait_until_copying()
        time.sleep(random.uniform(0, seconds))
        in_time = not killed.reports.poll()
    finishing: AbstractContextManager[Attempt] = attempt(run)
    with finishing as retry:
        retry.wait_until_copying()
        outcome = retry.outcome()
    assert not outcome.errors, outcome
    return in_time


def _text(table: str) -> str:
    source, target = [{"table": table, "region": REGIONS[side], "connection": side} for side in (SOURCE, TARGET)]
    ends: dict[str, Any] = {"from": source, "to": target}
    return following_text(**ends, segments=2)
