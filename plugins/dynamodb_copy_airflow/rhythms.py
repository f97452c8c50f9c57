"""When a job's runs are due, by the same reading of cron fields that Airflow uses."""

from __future__ import annotations

from croniter import croniter  # type: ignore[import-untyped]  # it has no types

from dynamodb_copy.job import IncrementalJob, Job
from dynamodb_copy.phases.lateness import Rhythm


def rhythm_of(job: Job) -> Rhythm | None:
    """The moments, in epoch seconds, at which runs are due; None for a job that is started by hand.

    Of a job that runs without pause, a run is due to end `run_for` after the one before it.
    """
    length = job.run_for if isinstance(job, IncrementalJob) and job.is_continuous else job.every
    if length is not None:
        seconds = length.total_seconds()
        return Rhythm(lambda moment: moment + seconds, lambda moment: moment - seconds)
    if job.schedule is None:
        return None
    fields: str = job.schedule
    return Rhythm(
        lambda moment: float(croniter(fields, moment).get_next(float)),
        lambda moment: float(croniter(fields, moment).get_prev(float)),
    )
