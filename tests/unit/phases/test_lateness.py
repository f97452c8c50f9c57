"""When a run is missing, and how old what a job keeps may be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from dynamodb_copy.job import BackupJob, CopyJob, IncrementalBackupJob, IncrementalJob, Job
from dynamodb_copy.phases.lateness import Problem, Rhythm, must_hold, overdue
from dynamodb_copy.state.registry import LastRun, Registered
from job_texts import kind_of

HOUR = 3600.0
DAY = 24 * HOUR
NIGHTLY = Rhythm(lambda moment: (moment // DAY + 1) * DAY, lambda moment: (-(-moment // DAY) - 1) * DAY)
"""Due at midnight; the last moment before midnight is the midnight before."""


def at(text: str) -> float:
    return datetime.fromisoformat(f"2026-12-{text}:00+00:00").timestamp()


def ran(finished: str) -> Registered:
    last = LastRun("orders/1", f"2026-12-{finished}:00+00:00", "", "us-west-2/orders", "copy")
    return Registered("orders", last, at("01T00:00"))


def seen(moment: str) -> Registered:
    return Registered("orders", seen_at=at(moment))


def nightly(kind: type[Job] = CopyJob, **changes: Any) -> Job:
    return kind_of(kind, schedule="@daily", **changes)


def kinds(job: Job, known: Registered, now: str, rhythm: Rhythm | None = NIGHTLY) -> list[str]:
    return [problem.kind for problem in overdue(job, rhythm, known, at(now))]


@pytest.mark.parametrize(
    ("known", "now", "found"),
    [
        (ran("02T00:30"), "03T00:59", []),
        (ran("02T00:30"), "03T01:01", ["overdue"]),
        (ran("02T23:30"), "03T01:01", ["overdue"]),
        (ran("03T01:00"), "03T23:00", []),
        (seen("02T12:00"), "03T00:59", []),
        (seen("02T12:00"), "03T01:01", ["never ran"]),
    ],
)
def test_a_run_is_missing_once_it_was_due_for_longer_than_is_allowed(
    known: Registered, now: str, found: list[str]
) -> None:
    assert kinds(nightly(late_after="1h"), known, now) == found


def test_a_job_that_does_not_say_may_be_a_day_late() -> None:
    assert kinds(nightly(), ran("02T00:30"), "03T23:59") == []
    assert kinds(nightly(), ran("02T00:30"), "04T00:01") == ["overdue"]


def test_what_is_missing_is_told_with_its_moments_and_what_to_do() -> None:
    (problem,) = overdue(nightly(late_after="1h"), NIGHTLY, ran("02T00:30"), at("03T02:00"))

    assert problem == Problem(
        "overdue",
        "its last run was sealed at 2026-12-02T00:30:00+00:00, and the next one was due at 2026-12-03T00:00:00+00:00; "
        "unpause its DAG, or see why its runs fail or take so long",
    )


def test_a_job_that_is_started_by_hand_is_never_late() -> None:
    job = kind_of(CopyJob)

    assert kinds(job, seen("01T00:00"), "09T00:00", None) == []
    assert must_hold(kind_of(BackupJob), None, at("09T00:00")) is None


def test_nothing_is_missing_before_the_start_or_after_the_end() -> None:
    job = nightly(late_after="1h", start="2026-12-05", end="2026-12-08")

    assert kinds(job, seen("01T12:00"), "05T00:59") == []
    assert kinds(job, seen("01T12:00"), "05T01:01") == ["never ran"]
    assert kinds(job, ran("05T00:30"), "07T23:59") == ["overdue"]
    assert kinds(job, ran("05T00:30"), "08T00:00") == []


def test_what_runs_without_pause_may_take_its_time_and_is_watched_by_its_lag() -> None:
    job = kind_of(IncrementalJob, schedule="continuous", late_after="5m")
    hourly = Rhythm(lambda moment: moment + HOUR, lambda moment: moment - HOUR)

    assert kinds(job, ran("02T00:00"), "03T00:59", hourly) == []
    assert kinds(job, ran("02T00:00"), "03T01:01", hourly) == ["overdue"]
    assert must_hold(job, hourly, at("03T00:00")) == at("02T23:55")


def test_an_incremental_copy_says_itself_how_old_it_may_be() -> None:
    assert must_hold(nightly(IncrementalJob, late_after="36h"), NIGHTLY, at("05T12:00")) == at("04T00:00")
    assert must_hold(nightly(IncrementalJob), NIGHTLY, at("05T12:00")) is None
    over = nightly(IncrementalJob, late_after="36h", end="2026-12-05")
    assert must_hold(over, NIGHTLY, at("05T12:00")) is None


@pytest.mark.parametrize("kind", [BackupJob, IncrementalBackupJob])
def test_backups_may_be_one_run_behind(kind: type[Job]) -> None:
    job = nightly(kind, late_after="2h")

    assert must_hold(job, NIGHTLY, at("05T01:59")) == at("03T00:00")
    assert must_hold(job, NIGHTLY, at("05T02:01")) == at("04T00:00")
