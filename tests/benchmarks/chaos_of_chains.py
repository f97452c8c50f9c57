"""Chains of backups of a table that changes all the time, by runs that die, and restores to any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import NamedTuple

import pytest
from rich.console import Console

from benchmarks.figures import Figure, all_of
from benchmarks.histories import KEYS, Past, Writer, by_id, writing
from benchmarks.killed_runs import GivenUpError, Killer, brought_up, in_a_hurry
from benchmarks.stories import Stories, Story
from dynamodb_copy.assembly import IncrementalBackupRun
from dynamodb_copy.report import Report
from integration.backups import Store
from integration.chains import restored
from integration.changes import chain_run, next_second
from integration.pair import TARGET_REGION, Hurried, Pair, Side

_SECONDS = (4.0, 8.0)
"""How long a story lasts, at least and at most; a run that has begun then comes to its end."""
_MOMENTS = 20


class _Told(NamedTuple):
    """How a story ended."""

    good: int  # moments that came back as they were
    moments: int
    kills: int
    text: str


def chaos_of_chains(stories: Stories, count: int, console: Console) -> Iterator[Figure]:
    """Tell so many stories, and restore each of their chains at as many moments as it has, twenty at the most."""
    told: list[_Told] = []
    for found in stories.all("chain", count, tell):
        told.append(found)
        console.print(f"chain {len(told)}/{count}: {found.kills} kills, {found.moments} moments: {found.text}")
    kills, moments = sum(found.kills for found in told), sum(found.moments for found in told)
    good = sum(found.good for found in told)
    yield all_of(f"{count} chains, {kills:,} kills: restored = source at that moment", good, moments, "moments")


def tell(story: Story) -> _Told:
    """Tell one."""
    store = _store(story)
    every = story.random.choice([{}, {"full_every": "2s"}])
    killer = Killer(story.endpoint, story.random)

    def opened(run_id: str) -> IncrementalBackupRun:
        return chain_run(store, run_id, clock=Hurried(), **every)

    try:
        with pytest.MonkeyPatch.context() as patch:
            in_a_hurry(patch)
            ends = _extended(story, store, killer, opened)
            past = Past(story.endpoint, story.table)
            moments = _moments(ends, story.random)
            good = [_is_restored(store, number, moment, past) for number, moment in enumerate(moments)]
    except Exception as error:  # noqa: BLE001 - the story's end, whatever it is, is told
        return _Told(0, 1, killer.kills, f"{type(error).__name__}: {error}")
    wrong = [moment.isoformat() for moment, is_good in zip(moments, good, strict=True) if not is_good]
    return _Told(sum(good), len(moments), killer.kills, f"not as it was at {wrong}" if wrong else "as it was")


def _extended(
    story: Story, store: Store, killer: Killer, opened: Callable[[str], IncrementalBackupRun]
) -> list[datetime]:
    """Let runs follow each other, killed at times; return up to when those that were sealed lead."""
    ends: list[datetime] = []
    number = 0
    until = time.monotonic() + story.random.uniform(*_SECONDS)
    with writing(Writer(story.endpoint, store.pair.table, story.random, deletes=True)):
        while time.monotonic() < until:
            number += 1
            with suppress(GivenUpError):
                ends.append(_end(brought_up(partial(opened, str(number)), killer.survive)))
    next_second()
    return [*ends, _end(brought_up(partial(opened, "last")))]


def _end(report: Report) -> datetime:
    return datetime.fromisoformat(report.up_to)


def _moments(ends: list[datetime], random: Random) -> list[datetime]:
    """Seconds up to which the chain leads, some of those in which it can be restored."""
    seconds = int((ends[-1] - ends[0]).total_seconds())
    all_of_them = [ends[0] + timedelta(seconds=second) for second in range(seconds + 1)]
    return sorted(random.sample(all_of_them, min(_MOMENTS, len(all_of_them))))


def _is_restored(store: Store, number: int, moment: datetime, past: Past) -> bool:
    table = f"{store.pair.table}-{number}"
    restored(store.restore(f"restore-{number}", clock=Hurried(), to_={"table": table}), moment)
    return by_id(Side(store.pair.endpoint, TARGET_REGION, table).items()) == past.at(moment)


def _store(story: Story) -> Store:
    pair = Pair(story.endpoint, story.table)
    pair.source.create(StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    pair.source.fill(range(0, KEYS, 2))
    store = Store(pair, f"bucket-{story.table}")
    store.create()
    return store
