"""What a job says about its DAG as a whole, whatever the DAG's shape is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from airflow.sdk import (
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    get_parsing_context,
)
from airflow.sdk.bases.timetable import BaseTimetable
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.timetables.simple import ContinuousTimetable

from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob, Job, jobs_folder, load_folder
from dynamodb_copy_airflow import notifiers
from dynamodb_copy_airflow.runs import AnyJob

_RETRY_DELAY_GROWTH = 2.0  # Airflow adds a jitter of up to the same delay again
_LONGEST_RETRY_DELAY = timedelta(hours=1)
_MOST_FAILED_RUNS = 3
"""After which Airflow pauses a continuous job: the next run would begin, and fail, at once."""

J = TypeVar("J", bound=Job)


def jobs_to_build(kind: type[J]) -> list[J]:
    """The valid jobs of a kind in the jobs folder; in a task's process its own alone: each start parses them again."""
    wanted = get_parsing_context().dag_id
    jobs = load_folder(jobs_folder()).jobs
    return [job for job in jobs if isinstance(job, kind) and wanted in {None, job.name}]


def dag_arguments(job: AnyJob, *, kind: str, shape: str) -> dict[str, Any]:
    """All arguments but the schedule; `kind` is the first tag, `shape` stands between description and file."""
    return {
        "dag_id": job.name,
        "description": job.description,
        "doc_md": f"{job.description}\n\n{shape}\n\n~~~~yaml\n{job.text}\n~~~~\n",
        "tags": [kind, *job.tags],
        "start_date": job.start,
        "end_date": job.end,
        "catchup": job.catch_up,
        "max_active_runs": 1,
        **({"max_consecutive_failed_dag_runs": _MOST_FAILED_RUNS} if job.is_continuous else {}),
        "max_active_tasks": job.parallel,
        "default_args": _task_defaults(job),
        "deadline": _deadline(job),
        "on_failure_callback": notifiers.on_failure(job),
        "on_success_callback": notifiers.on_success(job),
    }


def schedule(job: Job) -> BaseTimetable | None:
    """In UTC, whatever a deployment's configuration says; a run of an incremental job covers the interval before it."""
    if job.is_continuous:
        return ContinuousTimetable()
    if job.schedule is None:
        return None
    if isinstance(job, IncrementalJob | IncrementalBackupJob):
        return _interval(job.every, job.schedule)
    return DeltaTriggerTimetable(job.every) if job.every else CronTriggerTimetable(job.schedule, timezone="UTC")


def _interval(every: timedelta | None, cron: str) -> BaseTimetable:
    return DeltaDataIntervalTimetable(every) if every else CronDataIntervalTimetable(cron, timezone="UTC")


def _task_defaults(job: Job) -> dict[str, Any]:
    places = {"pool": job.pool, "queue": job.queue}
    return {
        "retries": job.retries,
        "retry_delay": job.retry_delay,
        "retry_exponential_backoff": _RETRY_DELAY_GROWTH,
        "max_retry_delay": max(job.retry_delay, _LONGEST_RETRY_DELAY),
        "execution_timeout": job.timeout,
        **{name: value for name, value in places.items() if value is not None},
    }


def _deadline(job: Job) -> DeadlineAlert | None:
    """Counted from the moment the run is due; a run that somebody starts by hand is never late.

    With cron, an incremental job's intervals differ in length, so that its runs count from when they are queued, those
    by hand too: as a rule the moment they are due, later after an outage of the scheduler.
    """
    if job.late_after is None or job.is_continuous:
        return None  # a run without pause has no end to be late for: its lag is watched from inside
    reference, length = DeadlineReference.DAGRUN_LOGICAL_DATE, job.late_after
    if isinstance(job, IncrementalJob | IncrementalBackupJob):
        # The logical date is there the interval's start, and the run is due at its end
        reference = reference if job.every else DeadlineReference.DAGRUN_QUEUED_AT
        length += job.every or timedelta(0)
    return DeadlineAlert(reference=reference, interval=length, callback=notifiers.on_late(job))
