"""The watchers' tasks: look at jobs, tell people of what has changed, and fail as long as something is wrong."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.errors import CopyError, JobFileError
from dynamodb_copy.job import BackupJob, IncrementalBackupJob, Job, JobFolder, jobs_folder, load_folder, load_job
from dynamodb_copy.phases.context import AnyContext, RunContext
from dynamodb_copy.phases.registering import target_of
from dynamodb_copy.phases.watching import JobFiles, Watched, check_chains, told, vanished, watch
from dynamodb_copy_airflow.connections import airflow_clients
from dynamodb_copy_airflow.failures import airflow_errors
from dynamodb_copy_airflow.metrics import report_lag
from dynamodb_copy_airflow.notifiers import Listener, hears_of_failures, hears_of_lateness, tell
from dynamodb_copy_airflow.rhythms import rhythm_of

_TIMES_FASTER = 10
"""How much sooner than others a watcher loses patience: a side that is dark must not hold up the next look."""

_MOST_LINES = 20  # of a message; the task's log has all


class ListJobsOperator(BaseOperator):
    """Names the valid jobs of the folder, or the backup jobs alone."""

    def __init__(self, *, only_backups: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.only_backups = only_backups

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002 -- Airflow calls it with a context
        """Return the names for the mapped tasks, which Airflow skips when there are none."""
        kinds = (BackupJob, IncrementalBackupJob) if self.only_backups else Job
        with airflow_errors():
            return [job.name for job in _folder().jobs if isinstance(job, kinds)]


class _JobOperator(BaseOperator):
    """Looks at one job, whose file is read when the task runs."""

    def __init__(self, *, job_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name


class WatchOperator(_JobOperator):
    """Looks at the runs of one job: how old what its target holds is, and whether a run is missing."""

    def execute(self, context: Context) -> None:  # noqa: ARG002 -- Airflow calls it with a context
        """Log the figures, report the lag as a metric.

        Raises:
            AirflowFailException: something is wrong.
        """
        with airflow_errors():
            job = _job(self.job_name)
            with _opened(job, Clock(now=_hurried)) as looking:
                watched = watch(looking, time.time(), rhythm_of(job))
                self.log.info(watched.described)
                if watched.lag_seconds is not None:
                    report_lag(job.name, watched.lag_seconds)
                _fail_for(_told(looking, watched, hears_of_lateness(job), ("is late", "is well again")))


class CheckChainsOperator(_JobOperator):
    """Looks at all that one backup job has stored."""

    def execute(self, context: Context) -> None:  # noqa: ARG002 -- Airflow calls it with a context
        """Log what is there.

        Raises:
            AirflowFailException: something is wrong.
        """
        with airflow_errors():
            job = _job(self.job_name)
            with _opened(job, Clock()) as looking:
                watched = check_chains(looking, time.time(), rhythm_of(job))
                self.log.info(watched.described)
                words = ("has backups that are not whole", "has whole backups again")
                _fail_for(_told(looking, watched, hears_of_failures([job]), words))


class VanishedOperator(BaseOperator):
    """Looks for jobs that ran once and whose file is gone, on every side that a job of the folder writes to."""

    def execute(self, context: Context) -> None:  # noqa: ARG002 -- Airflow calls it with a context
        """Tell all who hear of failures of the jobs on the same side.

        Raises:
            AirflowFailException: a job has vanished, or a side cannot be asked; all others were.
        """
        with airflow_errors():
            folder = _folder()
            files = _files(folder)
            _fail_for([text for jobs in _sides(folder.jobs) for text in _gone(jobs, files)])


@contextmanager
def _opened(job: Job, clock: Clock) -> Iterator[AnyContext]:
    with airflow_clients() as connect, ExitStack() as opened:
        yield RunContext(job, "watcher", cache(connect), clock=clock, opened=opened)


def _hurried() -> float:
    return time.monotonic() * _TIMES_FASTER


def _gone(jobs: Sequence[Job], files: JobFiles) -> list[str]:
    """What has vanished on the side of these jobs, or why that cannot be known: other sides are asked all the same."""
    listeners, words = hears_of_failures(jobs), ("has vanished", "is well again")
    try:
        with _opened(jobs[0], Clock(now=_hurried)) as looking:
            return [text for watched in vanished(looking, files) for text in _told(looking, watched, listeners, words)]
    except CopyError as error:
        names = ", ".join([job.name for job in jobs])
        return [f"the side that {names} write to cannot be asked for jobs that vanished: {error}"]


def _told(looking: AnyContext, watched: Watched, to: Sequence[Listener], words: tuple[str, str]) -> list[str]:
    """Tell people of problems that they do not know of, or that none is left; return all there is to complain about.

    Remembered is only what everybody was told: told twice is better than not at all.
    """
    problems = [problem.text for problem in watched.problems]
    if not watched.is_news:
        return problems
    happened = words[0] if problems else words[1]
    more = [f"and {len(problems) - _MOST_LINES} more, in the log of the task"] if len(problems) > _MOST_LINES else []
    text = "\n".join([f"{watched.job_name} {happened}", *problems[:_MOST_LINES], *more])
    try:
        for listener in to:
            tell(listener, watched.job_name, (happened, text))
    except CopyError as error:
        return [*problems, f"nobody was told that {watched.job_name} {happened}: {error}"]
    told(looking, watched)
    return problems


def _fail_for(problems: Sequence[str]) -> None:
    if problems:
        raise AirflowFailException("\n".join(problems))


def _job(name: str) -> Job:
    """The job as its file is now; raises JobFileError."""
    other = jobs_folder() / f"{name}.yml"
    return load_job(other if other.exists() else jobs_folder() / f"{name}.yaml")


def _folder() -> JobFolder:
    """The folder's jobs; raises JobFileError when it cannot be read: then all jobs would seem to have vanished."""
    folder = load_folder(jobs_folder())
    if str(jobs_folder()) in folder.errors:
        raise JobFileError(folder.errors[str(jobs_folder())])
    return folder


def _files(folder: JobFolder) -> JobFiles:
    jobs: list[Any] = list(folder.jobs)
    return JobFiles(
        valid=frozenset([job.name for job in jobs]),
        broken=frozenset([name.rpartition(".")[0] for name in folder.errors]),
        targets=frozenset([target_of(job) for job in jobs]),
    )


def _sides(jobs: Sequence[Any]) -> list[list[Job]]:
    """The jobs by region and connection of their targets: each side's registry is read once."""
    sides: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        sides[job.target.region, job.target.connection].append(job)
    return list(sides.values())
