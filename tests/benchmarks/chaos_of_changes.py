"""Tables that are kept like others which change all the time, by runs that die at random moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from benchmarks.figures import Figure, all_of
from benchmarks.histories import KEYS, Writer, by_id, writing
from benchmarks.killed_runs import GivenUpError, Killer, brought_up, in_a_hurry
from benchmarks.stories import Stories, Story
from dynamodb_copy.assembly import IncrementalRun
from integration.backups import Store
from integration.changes import STREAM, incremental_run, next_second
from integration.pair import SOURCE_REGION, Hurried, Pair, Side
from integration.service_jobs import Service, switch_recovery

MODES = ("stream", "export", "attribute")
_EQUAL = "equal"
_MOST_RUNS = 4
_CLEARED = 0.3
"""How often an earlier run is cleared, so that Airflow does it again."""
_CHANGES: dict[str, dict[str, Any]] = {
    "stream": STREAM,
    "export": {"by": "export"},
    "attribute": {"by": "attribute", "attribute": "updated_at", "format": "epoch_seconds"},
}


class Told(NamedTuple):
    """How a story ended."""

    end: str
    kills: int
    writes: int


@dataclass(frozen=True, slots=True)
class _Followed:
    """A target that follows a source in one of the modes."""

    pair: Pair
    mode: str
    base: str
    staging: str

    def run(self, run_id: str) -> IncrementalRun:
        """Open a run as one process does, in which nobody has to wait."""
        changes: dict[str, Any] = {"changes": _CHANGES[self.mode], "base": self.base}
        staged = {"staging": self.staging} if "export" in {self.mode, self.base} else {}
        return incremental_run(self.pair, run_id, clock=Hurried(), **changes, **staged)

    @property
    def exports(self) -> str:
        """What the service exports."""
        return f"{'base' if self.base == 'export' else ''} {'changes' if self.mode == 'export' else ''}"


def chaos_of_changes(stories: Stories, count: int, console: Console) -> Iterator[Figure]:
    """Tell so many stories of each mode."""
    for mode in MODES:
        told: list[Told] = []
        for found in stories.all(f"changes by {mode}", count, _TELLERS[mode]):
            told.append(found)
            text = f"{found.kills} kills, {found.writes} writes: {found.end}"
            console.print(f"by {mode}, history {len(told)}/{count}: {text}")
        kills = sum(found.kills for found in told)
        good = sum(found.end == _EQUAL for found in told)
        yield all_of(f"histories followed by {mode}, {kills:,} kills: target = source", good, count, "times")


def by_stream(story: Story) -> Told:
    """Tell one."""
    return _told(story, "stream", "scan")


def by_export(story: Story) -> Told:
    """Tell one."""
    return _told(story, "export", "export")


def by_attribute(story: Story) -> Told:
    """Tell one; no delete is ever seen."""
    return _told(story, "attribute", "scan")


_TELLERS: dict[str, Callable[[Story], Told]] = {"stream": by_stream, "export": by_export, "attribute": by_attribute}


def _told(story: Story, mode: str, base: str) -> Told:
    with pytest.MonkeyPatch.context() as patch, _followed(story, mode, base) as (followed, endpoint):
        in_a_hurry(patch)
        killer = Killer(endpoint, story.random)
        writer = Writer(story.endpoint, followed.pair.table, story.random, deletes=mode == "stream")
        try:
            with writing(writer):
                _based(followed, killer)
                writer.deletes = mode != "attribute"
                _disturbed(followed, killer, story.random)
            next_second()
            brought_up(partial(followed.run, "last"), exports=followed.exports)
        except Exception as error:  # noqa: BLE001 - the story's end, whatever it is, is told
            return Told(f"{type(error).__name__}: {error}", killer.kills, writer.writes)
        return Told(_differing(followed.pair) or _EQUAL, killer.kills, writer.writes)


def _based(followed: _Followed, killer: Killer) -> None:
    """Let exports follow a base that saw nothing that was deleted later.

    They do not tell of an item that came and went within a window. The service's own base is of the moment at which the
    first window begins; the one here is of the moment at which it was asked for.
    """
    run = 0
    while followed.mode == "export":
        with suppress(GivenUpError):
            brought_up(partial(followed.run, f"base {run}"), killer.survive, exports=followed.exports)
            next_second()
            return
        run += 1


def _disturbed(followed: _Followed, killer: Killer, random: Random) -> None:
    """Let some runs follow each other, each killed at times, and some of them once more after later ones."""
    for number in range(random.randint(1, _MOST_RUNS)):
        chosen = random.randrange(number + 1) if random.random() < _CLEARED else number
        with suppress(GivenUpError):
            brought_up(partial(followed.run, str(chosen)), killer.survive, exports=followed.exports)


@contextmanager
def _followed(story: Story, mode: str, base: str) -> Iterator[tuple[_Followed, str]]:
    """A source with some items, and the endpoint that runs know."""
    pair = Pair(story.endpoint, story.table)
    store = Store(pair, f"bucket-{story.table}")
    store.create()
    pair.source.create(StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    pair.source.fill(range(0, KEYS, 1 if mode == "export" else 2))
    with ExitStack() as stack:
        service = Service(story.endpoint)
        service.exports._windows._least_seconds = 1  # noqa: SLF001 - stories last for seconds
        proxy = stack.enter_context(service.proxy)
        pair.endpoints = dict.fromkeys(pair.endpoints, proxy.endpoint)
        switch_recovery(Side(proxy.endpoint, SOURCE_REGION, pair.table), on=True)
        service.hours = 300 / 3600  # the latest moment that can be exported is five minutes ago
        yield _Followed(pair, mode, base, store.place["s3"]), proxy.endpoint


def _differing(pair: Pair) -> str:
    """How the two tables differ, without any part of the product; empty when they do not."""
    source, target = [by_id(side.items()) for side in (pair.source, pair.target)]
    kinds = Counter(
        "differs" if key in source and key in target else "missing" if key in source else "too much"
        for key in source.keys() | target.keys()
        if source.get(key) != target.get(key)
    )
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
