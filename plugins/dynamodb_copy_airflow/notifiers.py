"""Messages to SNS about a job's runs, by the job's named connection."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk.definitions.callback import AsyncCallback
from botocore.exceptions import BotoCoreError, ClientError

from dynamodb_copy.aws.faults import translated
from dynamodb_copy.job import BackupJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job, Notify, RestoreJob
from dynamodb_copy_airflow.connections import NamedSnsHook
from dynamodb_copy_airflow.runs import AnyJob

_log = logging.getLogger(__name__)

Listener = tuple[Notify, str]
"""The ARN of a topic, beside the connection that publishes to it."""

_SUBJECT_LIMIT = 100  # of SNS, in characters


class NamedSnsNotifier(SnsNotifier):
    """An SnsNotifier whose connection must exist; deadlines import it by its path in the triggerer."""

    @cached_property
    def hook(self) -> NamedSnsHook:
        """The hook, which raises ConnectionMissingError."""
        return NamedSnsHook(self.aws_conn_id, self.region_name)


def on_failure(job: Job) -> NamedSnsNotifier | None:
    """What tells about a failed run, if the job asks for it."""
    if not (job.notify and job.notify.on_failure):
        return None
    text = f"{job.name}: run {{{{ run_id }}}} failed ({{{{ reason | default('no reason given') }}}})."
    return NamedSnsNotifier(**_message(job.name, job.notify, job.notify.on_failure, ("failed", text)))


def on_success(job: AnyJob) -> NamedSnsNotifier | None:
    """What tells about a run that succeeded, if the job asks for it."""
    if not (job.notify and job.notify.on_success):
        return None
    text = f"{job.name}: run {{{{ run_id }}}} {_done(job)}."
    return NamedSnsNotifier(**_message(job.name, job.notify, job.notify.on_success, ("succeeded", text)))


def on_late(job: Job) -> AsyncCallback:
    """What the triggerer does about a late run: it sends a message if the job asks for one, else it logs a line."""
    if not (job.notify and job.notify.on_late):
        return AsyncCallback(log_lateness, kwargs={"job_name": job.name})
    text = f"{job.name}: run {{{{ dag_run.dag_run_id }}}} was to end by {{{{ deadline.deadline_time }}}} and has not."
    return AsyncCallback(NamedSnsNotifier, kwargs=_message(job.name, job.notify, job.notify.on_late, ("is late", text)))


async def log_lateness(job_name: str) -> None:
    """Tell the triggerer's log; Airflow shows the missed deadline itself."""
    _log.warning("%s: a run is late", job_name)


def hears_of_lateness(job: Job) -> list[Listener]:
    """Who hears that the job is late: `on_late`, else `on_failure`; a job without `late_after` has no `on_late`."""
    topic = (job.notify.on_late or job.notify.on_failure) if job.notify else None
    return [(job.notify, topic)] if job.notify and topic else []


def hears_of_failures(jobs: Iterable[Job]) -> list[Listener]:
    """Who hears of failures of any of these jobs, each topic once."""
    told = {job.notify.on_failure: job.notify for job in jobs if job.notify and job.notify.on_failure}
    return [(notify, topic) for topic, notify in told.items()]


def tell(listener: Listener, job_name: str, news: tuple[str, str]) -> None:
    """Publish what happened to a job and the text about it, from within a task.

    Raises:
        CopyError: there is no such connection or topic, or SNS does not answer.
    """
    message = _message(job_name, *listener, news)
    hook = NamedSnsHook(message["aws_conn_id"], message["region_name"])
    try:
        hook.publish_to_target(message["target_arn"], message["message"], message["subject"])
    except (ClientError, BotoCoreError) as error:
        raise translated(error, message["target_arn"]) from error


def _done(job: AnyJob) -> str:
    if isinstance(job, BackupJob | IncrementalBackupJob):
        return f"backed up {job.source.table} to {job.target.s3}; seal's log has the report"
    if isinstance(job, RestoreJob):
        return f"restored {job.source.s3} into {job.target.table}; seal's log has the report"
    if isinstance(job, DrillJob):
        return f"recovered {job.source.s3} within the objectives; report's log has the figures"
    if isinstance(job, IncrementalJob):
        return f"brought {job.target.table} up to date with {job.source.table}; seal's log has the report"
    return f"copied {job.source.table} to {job.target.table}; seal's log has the report"


def _message(job_name: str, notify: Notify, topic_arn: str, news: tuple[str, str]) -> dict[str, Any]:
    happened, text = news
    return {
        "aws_conn_id": notify.connection,
        "region_name": topic_arn.split(":")[3],
        "target_arn": topic_arn,
        "subject": f"{job_name[: _SUBJECT_LIMIT - len(happened) - 1]} {happened}",
        "message": text,
    }
