"""Runs of incremental copies in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.attempt import Attempt, BenchmarkRun, attempting, measure
from benchmarks.material import ITEMS_TABLE, job_text
from dynamodb_copy.assembly import IncrementalRun
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.errors import CopyError
from dynamodb_copy.model import Segment, Tally

STREAM = {"by": "stream", "enable": True}


def following_text(target_table: str = ITEMS_TABLE, **changes: Any) -> str:
    """A job that keeps a table like `items` by its stream, with one segment and no limits."""
    return job_text(target_table, **{"copy": "incremental", "changes": STREAM, **changes})


def opened(run: BenchmarkRun) -> IncrementalRun:
    """Open it with clients of its own."""
    made = run.opened()
    assert isinstance(made, IncrementalRun)
    return made


def based(run: BenchmarkRun) -> IncrementalRun:
    """The run, after its base was copied and its changes were planned."""
    made = opened(run)
    made.prepare()
    for segment in made.plan().segments:
        made.copy(segment, unseen)
    made.hand_over()
    return made


def unseen(_segment: Segment, _tally: Tally) -> None:
    """Nobody watches the progress."""


def undrained(_moment: float) -> None:
    """Nobody watches the lag."""


@contextmanager
def basing(run: BenchmarkRun) -> Iterator[Attempt]:
    """Copy what is left of a planned run's base, each segment in a thread and with clients of its own."""
    with attempting(_base, run) as attempt:
        yield attempt


@contextmanager
def applying(run: BenchmarkRun) -> Iterator[Attempt]:
    """Apply what is left of a run's changes, in the same way."""
    with attempting(_apply, run) as attempt:
        yield attempt


def _base(reports: Connection, run: BenchmarkRun) -> None:
    _measure(reports, run, opened(run).plan().segments, _copied)


def _apply(reports: Connection, run: BenchmarkRun) -> None:
    _measure(reports, run, opened(run).hand_over().segments, _applied)


def _measure(
    reports: Connection, run: BenchmarkRun, segments: Sequence[Segment], do: Callable[[IncrementalRun, Segment], Tally]
) -> None:
    runs = [opened(run) for _ in segments]

    def ended(of: IncrementalRun, segment: Segment) -> tuple[int, str]:
        try:
            return do(of, segment).items, ""
        except CopyError as error:
            return 0, type(error).__name__

    def do_all() -> tuple[int, Sequence[str]]:
        with ThreadPoolExecutor(len(segments)) as threads:
            ends = list(threads.map(ended, runs, segments))
        return sum(items for items, _ in ends), [error for _, error in ends if error]

    with frozen_collector():
        measure(reports, do_all)


def _copied(run: IncrementalRun, segment: Segment) -> Tally:
    return run.copy(segment, unseen)


def _applied(run: IncrementalRun, segment: Segment) -> Tally:
    return run.apply(segment, unseen, undrained)
