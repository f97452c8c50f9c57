"""Lateness: what is known of a job, held against its schedule and its `late_after`. Moments are epoch seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dynamodb_copy.job import IncrementalJob, Job
from dynamodb_copy.state.registry import LastRun, Registered

_UNSAID = timedelta(hours=24)
"""How late a run may be whose job does not say."""


class Problem(NamedTuple):
    """One thing that is wrong; its kind stays the same while the figures in its text move on."""

    kind: str
    text: str


class Rhythm(NamedTuple):
    """When a job's runs are due: the first moment after another one, and the last moment before it."""

    after: Callable[[float], float]
    before: Callable[[float], float]


def must_hold(job: Job, rhythm: Rhythm | None, now: float) -> float | None:
    """Up to when what the job writes has to hold its source's changes; None where the job does not say.

    An incremental copy says so itself. All others may be one run behind: a run that is late by less than what is
    allowed leaves what the one before it made, and begins a little before, or after, it is due.
    """
    if _is_over(job, now):
        return None
    if isinstance(job, IncrementalJob):
        return now - job.late_after.total_seconds() if job.late_after else None
    return rhythm.before(rhythm.before(now - _allowed_seconds(job))) if rhythm else None


def overdue(job: Job, rhythm: Rhythm | None, known: Registered, now: float) -> Iterator[Problem]:
    """Whether a run was due, with all that is allowed, that has not ended; a job without a schedule is never late."""
    if rhythm is None or _is_over(job, now):
        return
    due = rhythm.after(_waits_since(job, known, now))
    if due + _allowed_seconds(job) >= now:
        return
    advice = "unpause its DAG, or see why its runs fail or take so long"
    if known.last is None:
        text = f"no run of it has ever been sealed, and one was due at {iso(due)}; {advice}"
        yield Problem("never ran", text)
    else:
        text = f"its last run was sealed at {known.last.finished}, and the next one was due at {iso(due)}; {advice}"
        yield Problem("overdue", text)


def iso(epoch_seconds: float) -> str:
    """The moment as people see it."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds")


def _waits_since(job: Job, known: Registered, now: float) -> float:
    """The moment after which the next run is due."""
    last: LastRun | None = known.last
    begin = job.start.timestamp() - 1 if job.start else 0.0  # a run may be due at the very start
    since = datetime.fromisoformat(last.finished).timestamp() if last else known.seen_at or now
    return max(begin, since)


def _is_over(job: Job, now: float) -> bool:
    return job.end is not None and job.end.timestamp() <= now


def _allowed_seconds(job: Job) -> float:
    """How long after it is due a run may end. What runs without pause is watched by its lag: runs differ in length."""
    allowed = None if job.is_continuous else job.late_after
    return (allowed or _UNSAID).total_seconds()
