"""Runs of incremental copies between the two tables of a test."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from dynamodb_copy.assembly import IncrementalBackupRun, IncrementalRun, open_run
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.report import Report
from dynamodb_copy.sources import stream_drain, stream_lanes
from integration.backups import Store
from integration.pair import TIMEOUTS, UNLIMITED, Pair, unseen
from job_texts import kind_of

STREAM = {"by": "stream", "enable": True}


@pytest.fixture
def quick_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator's stream shows every record at once: nobody has to wait five seconds for late ones."""
    monkeypatch.setattr(stream_lanes, "SAFE_SECONDS", 0.0)
    monkeypatch.setattr(stream_drain, "_PAUSE_SECONDS", 0.05)


def next_second() -> datetime:
    """Wait until the second is over, which is the grain of streams, windows and the service's clock; return it."""
    now = time.time()
    time.sleep(int(now) + 1.05 - now)
    return datetime.fromtimestamp(int(now), UTC)


def undrained(_moment: float) -> None:
    """Nobody watches the lag."""


def incremental_job(pair: Pair, **changes: Any) -> IncrementalJob:
    """A job that keeps the pair's target like its source, by the stream unless said otherwise."""
    source = {"table": pair.table, **changes.pop("from_", {})}
    target = {"table": pair.table, **changes.pop("to_", {})}
    return kind_of(
        IncrementalJob, from_=source, to_=target, **{**UNLIMITED, "segments": 2, "changes": STREAM, **changes}
    )


def incremental_run(pair: Pair, run_id: str, *, clock: Clock | None = None, **job: Any) -> IncrementalRun:
    """Open a run of such a job, as one process does."""
    return open_run(
        incremental_job(pair, **job), f"{pair.table}/{run_id}", pair.connect, timeouts=TIMEOUTS, clock=clock
    )


def based(run: IncrementalRun | IncrementalBackupRun, only: Iterable[int] | None = None) -> None:
    """The run up to the end of its base, or of these segments of it."""
    run.prepare()
    for segment in run.plan().segments:
        if only is None or segment.index in set(only):
            run.copy(segment, unseen)


def caught_up(run: IncrementalRun) -> IncrementalRun:
    """The run, after its changes were applied."""
    based(run)
    for segment in run.hand_over().segments:
        run.apply(segment, unseen, undrained)
    return run


def brought_up(run: IncrementalRun) -> Report:
    """All verbs of the run, one after the other."""
    return caught_up(run).seal()


def chain_run(store: Store, run_id: str, *, clock: Clock | None = None, **job: Any) -> IncrementalBackupRun:
    """Open a run that extends the chain of the pair's source, by the stream unless said otherwise."""
    source, target = {"table": store.pair.table, **job.pop("from_", {})}, {**store.place, **job.pop("to_", {})}
    is_exported = "export" in {job.get("base"), job.get("changes", STREAM)["by"]}
    read = {} if is_exported else {"read": "unlimited"}
    made = kind_of(IncrementalBackupJob, from_=source, to_=target, **{**read, "segments": 2, "changes": STREAM, **job})
    return open_run(made, f"{store.pair.table}/{run_id}", store.pair.connect, timeouts=TIMEOUTS, clock=clock)


def stored_changes(run: IncrementalBackupRun) -> IncrementalBackupRun:
    """The run, after its changes were stored."""
    based(run)
    for segment in run.hand_over().segments:
        run.apply(segment, unseen)
    return run


def extended(run: IncrementalBackupRun) -> Report:
    """All verbs of the run but `expire`, one after the other."""
    return stored_changes(run).seal()
