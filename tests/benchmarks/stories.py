"""Stories of runs that die, each told in a process of its own kind: kills there concern nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from queue import SimpleQueue
from random import Random
from typing import NamedTuple, TypeVar

from stack.emulators import ministack

_LANES = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Story:
    """One story: a table name that no other has, and chance that the seed decides."""

    endpoint: str
    table: str
    random: Random


class _Lane(NamedTuple):
    endpoint: str
    process: ProcessPoolExecutor


@dataclass(frozen=True, slots=True)
class Stories:
    """Emulators, each with a process that tells one story at a time."""

    seed: int
    lanes: list[_Lane]

    def all(self, name: str, count: int, tell: Callable[[Story], T]) -> Iterator[T]:
        """Tell as many as asked, and yield their ends in the order of their numbers."""
        free: SimpleQueue[_Lane] = SimpleQueue()
        for lane in self.lanes:
            free.put(lane)

        def told(number: int) -> T:
            lane = free.get()
            table = f"{name.replace(' ', '-')}-{number}"
            random = Random(f"{self.seed} {name} {number}")  # noqa: S311 - moments, not secrets
            try:
                return lane.process.submit(tell, Story(lane.endpoint, table, random)).result()
            finally:
                free.put(lane)

        with ThreadPoolExecutor(len(self.lanes)) as threads:
            yield from threads.map(told, range(count))


@contextmanager
def stories(seed: int) -> Iterator[Stories]:
    """As many stories at a time as the machine has patience for."""
    with ExitStack() as stack:
        lanes = []
        for _ in range(_LANES):
            endpoint = stack.enter_context(ministack()).endpoint
            process = stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("forkserver")))
            lanes.append(_Lane(endpoint, process))
        yield Stories(seed, lanes)
