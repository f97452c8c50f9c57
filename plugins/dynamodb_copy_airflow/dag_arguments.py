"""What a job says about its DAG as a whole, whatever the DAG's shape is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from airflow.sdk import CronTriggerTimetable, DeltaTriggerTimetable, get_parsing_context
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from dynamodb_copy.job import Job, jobs_folder, load_folder
from dynamodb_copy_airflow import notifiers
from dynamodb_copy_airflow.runs import AnyJob

_RETRY_DELAY_GROWTH = 2.0  # Airflow adds a jitter of up to the same delay again
_LONGEST_RETRY_DELAY = timedelta(hours=1)

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
        "max_active_tasks": job.parallel,
        "default_args": _task_defaults(job),
        "deadline": _deadline(job),
        "on_failure_callback": notifiers.on_failure(job),
        "on_success_callback": notifiers.on_success(job),
    }


def schedule(job: Job) -> CronTriggerTimetable | DeltaTriggerTimetable | None:
    """A run's logical date is the moment it is due, in UTC, whatever a deployment's configuration says."""
    if job.every:
        return DeltaTriggerTimetable(job.every)
    return CronTriggerTimetable(job.schedule, timezone="UTC") if job.schedule else None


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
    """Counted from the moment the run is due; a run that somebody starts by hand is never late."""
    if job.late_after is None:
        return None
    due = DeadlineReference.DAGRUN_LOGICAL_DATE
    return DeadlineAlert(reference=due, interval=job.late_after, callback=notifiers.on_late(job))
