"""When a job's DAG runs, and from which moment on a run of it is late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import (
    DAG,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
)
from airflow.sdk.bases.timetable import BaseTimetable
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.timetables.simple import ContinuousTimetable
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from pendulum import instance

from dags.shapes import serialised
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job, RestoreJob
from dynamodb_copy_airflow.dag_arguments import dag_arguments, schedule
from job_texts import kind_of

OF_THE_WHOLE = (CopyJob, BackupJob, RestoreJob, DrillJob)
OF_CHANGES = (IncrementalJob, IncrementalBackupJob)


def dag_of(job: Any) -> DAG:
    return DAG(schedule=schedule(job), **dag_arguments(job, kind="test", shape=""))


def deadlines(dag: DAG) -> list[DeadlineAlert]:
    assert isinstance(dag.deadline, list)
    return dag.deadline


def next_run(dag: DAG) -> DagRunInfo:
    """The run after the one for the last quarter of an hour of a day, as the scheduler plans it."""
    last = DataInterval(instance(datetime(2027, 2, 28, 23, 45, tzinfo=UTC)), instance(datetime(2027, 3, 1, tzinfo=UTC)))
    run = serialised(dag).timetable.next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(None, None, catchup=True)
    )
    assert run is not None
    return run


@pytest.mark.parametrize("kind", [*OF_THE_WHOLE, *OF_CHANGES])
def test_a_manual_job_has_no_schedule(kind: type[Job]) -> None:
    assert schedule(kind_of(kind)) is None


@pytest.mark.parametrize("kind", OF_THE_WHOLE)
@pytest.mark.parametrize(
    ("written", "timetable"),
    [("0 2 * * *", CronTriggerTimetable), ("@daily", CronTriggerTimetable), ("every 15m", DeltaTriggerTimetable)],
)
def test_a_job_of_the_whole_runs_at_moments(kind: type[Job], written: str, timetable: type[BaseTimetable]) -> None:
    assert type(schedule(kind_of(kind, schedule=written))) is timetable


@pytest.mark.parametrize("kind", OF_CHANGES)
@pytest.mark.parametrize(
    ("written", "timetable", "minutes"),
    [
        ("*/15 * * * *", CronDataIntervalTimetable, 15),
        ("@hourly", CronDataIntervalTimetable, 60),
        ("every 15m", DeltaDataIntervalTimetable, 15),
    ],
)
def test_a_run_of_changes_covers_the_interval_before_the_moment_it_is_due(
    kind: type[Job], written: str, timetable: type[BaseTimetable], minutes: int
) -> None:
    dag = dag_of(kind_of(kind, schedule=written))

    run = next_run(dag)

    assert type(dag.timetable) is timetable
    assert run.data_interval is not None
    assert run.data_interval.start == run.logical_date == datetime(2027, 3, 1, tzinfo=UTC)
    assert run.data_interval.end == run.run_after == run.data_interval.start + timedelta(minutes=minutes)


@pytest.mark.parametrize("kind", [CopyJob, IncrementalJob])
def test_cron_is_in_utc_whatever_the_deployment_says(kind: type[Job]) -> None:
    dag = dag_of(kind_of(kind, schedule="0 2 * * *"))

    assert serialised(dag).timetable.serialize()["timezone"] == "UTC"


def test_a_job_without_pause_starts_the_next_run_when_one_has_ended() -> None:
    dag = dag_of(kind_of(IncrementalJob, schedule="continuous", late_after="2m"))

    assert type(dag.timetable) is ContinuousTimetable
    assert serialised(dag).timetable.summary == "@continuous"
    assert dag.max_active_runs == 1


def test_a_job_without_pause_is_never_late_for_the_end_of_a_run() -> None:
    assert dag_of(kind_of(IncrementalJob, schedule="continuous", late_after="2m")).deadline is None


@pytest.mark.parametrize("kind", [*OF_THE_WHOLE, *OF_CHANGES])
@pytest.mark.parametrize("written", ["every 15m", "every 90m"])
def test_a_run_of_an_interval_is_late_so_long_after_it_is_due(kind: type[Job], written: str) -> None:
    dag = dag_of(kind_of(kind, schedule=written, late_after="1h"))

    (deadline,) = deadlines(dag)
    run = next_run(dag)

    assert isinstance(deadline.interval, timedelta)
    assert run.logical_date is not None
    assert deadline.reference is DeadlineReference.DAGRUN_LOGICAL_DATE
    assert run.logical_date + deadline.interval == run.run_after + timedelta(hours=1)


@pytest.mark.parametrize("kind", OF_CHANGES)
@pytest.mark.parametrize("written", ["0 2 * * *", "@monthly"])
def test_a_run_of_changes_by_cron_is_late_so_long_after_it_is_queued(kind: type[Job], written: str) -> None:
    (deadline,) = deadlines(dag_of(kind_of(kind, schedule=written, late_after="1h")))

    assert (deadline.reference, deadline.interval) == (DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1))


@pytest.mark.parametrize("kind", OF_THE_WHOLE)
def test_a_run_of_the_whole_by_cron_is_late_so_long_after_it_is_due(kind: type[Job]) -> None:
    (deadline,) = deadlines(dag_of(kind_of(kind, schedule="0 2 * * *", late_after="1h")))

    assert (deadline.reference, deadline.interval) == (DeadlineReference.DAGRUN_LOGICAL_DATE, timedelta(hours=1))
