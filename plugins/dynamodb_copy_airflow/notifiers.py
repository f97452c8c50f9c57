"""Messages to SNS about a job's runs, by the job's named connection."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk.definitions.callback import AsyncCallback

from dynamodb_copy.job import BackupJob, DrillJob, Job, Notify, RestoreJob
from dynamodb_copy_airflow.connections import NamedSnsHook
from dynamodb_copy_airflow.runs import AnyJob

_log = logging.getLogger(__name__)

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
    return NamedSnsNotifier(**_message(job, job.notify, job.notify.on_failure, ("failed", text)))


def on_success(job: AnyJob) -> NamedSnsNotifier | None:
    """What tells about a run that succeeded, if the job asks for it."""
    if not (job.notify and job.notify.on_success):
        return None
    text = f"{job.name}: run {{{{ run_id }}}} {_done(job)}."
    return NamedSnsNotifier(**_message(job, job.notify, job.notify.on_success, ("succeeded", text)))


def on_late(job: Job) -> AsyncCallback:
    """What the triggerer does about a late run: it sends a message if the job asks for one, else it logs a line."""
    if not (job.notify and job.notify.on_late):
        return AsyncCallback(log_lateness, kwargs={"job_name": job.name})
    text = f"{job.name}: run {{{{ dag_run.dag_run_id }}}} was to end by {{{{ deadline.deadline_time }}}} and has not."
    return AsyncCallback(NamedSnsNotifier, kwargs=_message(job, job.notify, job.notify.on_late, ("is late", text)))


async def log_lateness(job_name: str) -> None:
    """Tell the triggerer's log; Airflow shows the missed deadline itself."""
    _log.warning("%s: a run is late", job_name)


def _done(job: AnyJob) -> str:
    if isinstance(job, BackupJob):
        return f"backed up {job.source.table} to {job.target.s3}; seal's log has the report"
    if isinstance(job, RestoreJob):
        return f"restored {job.source.s3} into {job.target.table}; seal's log has the report"
    if isinstance(job, DrillJob):
        return f"recovered {job.source.s3} within the objectives; report's log has the figures"
    return f"copied {job.source.table} to {job.target.table}; seal's log has the report"


def _message(job: Job, notify: Notify, topic_arn: str, news: tuple[str, str]) -> dict[str, Any]:
    happened, text = news
    return {
        "aws_conn_id": notify.connection,
        "region_name": topic_arn.split(":")[3],
        "target_arn": topic_arn,
        "subject": f"{job.name[: _SUBJECT_LIMIT - len(happened) - 1]} {happened}",
        "message": text,
    }
