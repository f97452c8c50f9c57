"""Runs whose processes die at random requests, are tried again, or are given up for another run."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, TypeVar

import pytest

from benchmarks.following import undrained, unseen
from dynamodb_copy.assembly import IncrementalBackupRun, IncrementalRun
from dynamodb_copy.aws import scanning, shard_reader
from dynamodb_copy.phases import export_feed
from dynamodb_copy.report import Report
from dynamodb_copy.sinks import s3_backup, s3_increment
from dynamodb_copy.sources import data_files, stream_drain, stream_lanes
from dynamodb_copy.windows import windows
from integration.killing import KilledError, Process, living
from integration.service_jobs import waited

T = TypeVar("T")

Opening = Callable[[], IncrementalRun | IncrementalBackupRun]
"""Opens a run as another process does."""

_KILLED = 0.3
"""How often a verb is killed."""
_GIVEN_UP = 0.25
"""How often nobody tries it again."""
_REQUESTS = 12
"""How many requests a process lives for, about."""
_SEEN_OUT_SECONDS = 0.1
"""How long what a dead process had sent may take to its end: leases wait for that, by clocks that here nobody obeys."""


class GivenUpError(Exception):
    """Nobody tries this run again."""


class Killer:
    """Does verbs in processes that may die at one of their requests to the endpoint."""

    def __init__(self, endpoint: str, random: Random) -> None:
        self._endpoint = endpoint
        self._random = random
        self.kills = 0

    def survive(self, verb: Callable[[], T]) -> T:
        """Do it, again and again if need be; raises GivenUpError."""
        while self._random.random() < _KILLED:
            lives_for = 1 + int(self._random.expovariate(1 / _REQUESTS))
            process = Process(lives_for, after_sending=self._random.random() < 1 / 2)
            try:
                with living(process, self._endpoint, pytest.MonkeyPatch()):
                    return verb()
            except KilledError:
                self.kills += 1
            time.sleep(_SEEN_OUT_SECONDS)
            if self._random.random() < _GIVEN_UP:
                raise GivenUpError
        return verb()


def undisturbed(verb: Callable[[], T]) -> T:
    """Do it."""
    return verb()


def brought_up(opening: Opening, do: Callable[[Callable[[], Any]], Any] = undisturbed, *, exports: str = "") -> Report:
    """All verbs of a run, one after the other; `exports` names what the service exports: `base`, `changes` or both."""
    do(lambda: opening().prepare())
    if "base" in exports:
        do(lambda: waited(opening().base_is_exported))
    for segment in do(lambda: opening().plan()).segments:
        do(partial(_copy, opening, segment))
    segments = do(lambda: opening().hand_over()).segments
    if "changes" in exports:
        do(lambda: opening().start_windows())
        do(lambda: waited(opening().windows_are_done))
    for segment in segments:
        do(partial(_apply, opening, segment))
    report: Report = do(lambda: opening().seal())
    return report


def in_a_hurry(patch: pytest.MonkeyPatch) -> None:
    """Make pages small, windows short and drains quick: an emulator shows every record at once."""
    patch.setattr(scanning, "_FIRST_LIMIT", 20)
    patch.setattr(scanning, "REQUEST_BYTES", 8_000)
    patch.setattr(data_files, "PAGE_BYTES", 8_000)
    patch.setattr(shard_reader, "_MOST_RECORDS", 15)
    patch.setattr(s3_backup, "PART_BYTES", 4_000)
    patch.setattr(s3_increment, "FLUSH_BYTES", 2_000)
    patch.setattr(stream_lanes, "SAFE_SECONDS", 0.0)
    patch.setattr(stream_drain, "_PAUSE_SECONDS", 0.05)
    patch.setattr(export_feed, "windows", partial(windows, least_seconds=1))


def _copy(opening: Opening, segment: Any) -> None:
    opening().copy(segment, unseen)


def _apply(opening: Opening, segment: Any) -> None:
    opening().apply(segment, unseen, undrained)
