"""When runs are due, from what a job file says."""

from __future__ import annotations

from datetime import datetime

import pytest

from dynamodb_copy.job import CopyJob, IncrementalJob
from dynamodb_copy_airflow.rhythms import rhythm_of
from job_texts import kind_of


def at(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("schedule", "before", "after"),
    [
        ("0 2 * * *", "2026-12-01T02:00", "2026-12-02T02:00"),
        ("@weekly", "2026-11-29T00:00", "2026-12-06T00:00"),
        ("0 6 * * mon-fri", "2026-12-01T06:00", "2026-12-02T06:00"),
        ("every 15m", "2026-12-01T11:45", "2026-12-01T12:15"),
    ],
)
def test_runs_are_due_by_the_schedule_in_utc(schedule: str, before: str, after: str) -> None:
    rhythm = rhythm_of(kind_of(CopyJob, schedule=schedule))

    assert rhythm is not None
    assert rhythm.before(at("2026-12-01T12:00")) == at(before)
    assert rhythm.after(at("2026-12-01T12:00")) == at(after)


def test_the_moment_at_which_a_run_is_due_is_neither_before_nor_after_itself() -> None:
    rhythm = rhythm_of(kind_of(CopyJob, schedule="0 2 * * *"))

    assert rhythm is not None
    assert rhythm.before(at("2026-12-01T02:00")) == at("2026-11-30T02:00")
    assert rhythm.after(at("2026-12-01T02:00")) == at("2026-12-02T02:00")


def test_a_run_without_pause_ends_after_run_for() -> None:
    rhythm = rhythm_of(kind_of(IncrementalJob, schedule="continuous", run_for="30m"))

    assert rhythm is not None
    assert rhythm.after(at("2026-12-01T12:00")) == at("2026-12-01T12:30")


def test_what_is_started_by_hand_is_never_due() -> None:
    assert rhythm_of(kind_of(CopyJob)) is None
