"""Disturbed runs side by side: most of their time goes by until the leases of the dead are over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from typing import TypeVar

from benchmarks.endpoints import TwoRegions, behind_proxies, one_dynalite
from benchmarks.material import SOURCE, TARGET, create_items_table, fill_items_table
from dynamodb_copy.aws.connection_pool import Timeouts

ITEMS = 20_000
SEGMENTS = 2
TIMEOUTS = Timeouts(connect_seconds=0.5, read_seconds=1.5)  # leases of 6 s: a retry does not wait long
_LANES, _TARGETS = 4, 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Case:
    """One disturbance: alone in its lane, and at a moment that the seed decides."""

    regions: TwoRegions
    number: int  # from 0
    random: Random


@dataclass(frozen=True, slots=True)
class Lanes:
    """Ways from one source to a target, of which each has one run at a time."""

    seed: int
    ways: Sequence[TwoRegions]

    def all(self, name: str, count: int, disturb: Callable[[Case], T]) -> Iterator[T]:
        """Disturb as often as asked, and yield what came of it in the order of the numbers."""
        free: SimpleQueue[TwoRegions] = SimpleQueue()
        for way in self.ways:
            free.put(way)

        def run(number: int) -> T:
            way = free.get()
            try:
                return disturb(Case(way, number, Random(f"{self.seed} {name} {number}")))  # noqa: S311 - moments, not secrets
            finally:
                free.put(way)

        with ThreadPoolExecutor(len(self.ways)) as threads:
            yield from threads.map(run, range(count))


@contextmanager
def lanes(seed: int) -> Iterator[Lanes]:
    """A source with its items, and ways from it: two share a target, whose writes are what takes the time."""
    with ExitStack() as stack:
        source = stack.enter_context(one_dynalite(SOURCE))
        create_items_table(source)
        fill_items_table(source, ITEMS)
        targets = [stack.enter_context(one_dynalite(TARGET)) for _ in range(_TARGETS)]
        sides = [{SOURCE: source, TARGET: targets[number % _TARGETS]} for number in range(_LANES)]
        yield Lanes(seed, [stack.enter_context(behind_proxies(each)) for each in sides])
