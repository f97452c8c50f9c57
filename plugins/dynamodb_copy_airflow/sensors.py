"""What a run waits for: its preconditions, a backup, a table, and jobs of the service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import BaseSensorOperator, Context, TaskGroup
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.job import DrillJob, Precondition
from dynamodb_copy_airflow.connections import airflow_clients
from dynamodb_copy_airflow.failures import airflow_errors
from dynamodb_copy_airflow.parameters import as_of
from dynamodb_copy_airflow.preconditions import holds
from dynamodb_copy_airflow.restore_operators import log_choice
from dynamodb_copy_airflow.runs import AnyJob, opened_run, run_name
from dynamodb_copy_airflow.triggers import VerbTrigger

_SECONDS_BETWEEN_CHECKS = 60

Verb = Literal["target_is_active", "export_is_done", "import_is_done", "base_is_exported", "windows_are_done"]

_POLL_SECONDS: dict[Verb, float] = {"target_is_active": 5.0}
_SERVICE_POLL_SECONDS = 30.0  # its exports and imports take five minutes at least


class PreconditionSensor(BaseSensorOperator):
    """Checks once a minute, holding no worker in between, until the precondition holds or the timeout is over."""

    def __init__(self, *, job: AnyJob, precondition: Precondition, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=_SECONDS_BETWEEN_CHECKS, timeout=job.timeout, **kwargs)
        self.job = job
        self.precondition = precondition

    def poke(self, context: Context) -> bool:  # noqa: ARG002 -- Airflow calls it with a context
        """Say whether the precondition holds; what cannot be known is an error, not a "not yet"."""
        with airflow_errors(), airflow_clients() as connect:
            return holds(self.precondition, connect, s3_region=self.job.source.region)


def preconditions(job: AnyJob) -> list[TaskGroup]:
    """Declare a group with one sensor for each precondition; no group without any."""
    if not job.preconditions:
        return []
    with TaskGroup("preconditions") as group:
        for number, each in enumerate(job.preconditions, start=1):
            (kind,) = each.model_fields_set
            PreconditionSensor(task_id=f"{kind}_{number}", job=job, precondition=each)
    return [group]


class BackupSealedSensor(BaseSensorOperator):
    """Waits until there is a backup, holding no worker, and chooses it; with `as_of` it chooses or fails at once."""

    def __init__(self, *, job: DrillJob, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=_SECONDS_BETWEEN_CHECKS, timeout=job.timeout, **kwargs)
        self.job = job

    def poke(self, context: Context) -> bool:
        """Choose, if there is something to choose from, and log the choice."""
        moment = as_of(context)
        with opened_run(self.job, context) as run:
            if moment is None and not run.there_is_a_backup():
                self.log.info("%s holds no sealed backup yet", self.job.source.s3)
                return False
            log_choice(run.choose(moment), self.log)
        return True


class VerbSensor(BaseSensorOperator):
    """Waits until a verb of the run says true: not at all if it does at once, else in the triggerer."""

    def __init__(self, *, job: AnyJob, verb: Verb, **kwargs: Any) -> None:
        super().__init__(timeout=job.timeout, **kwargs)
        self.job = job
        self.verb: Verb = verb

    def execute(self, context: Context) -> None:
        """Return if the verb says true; defer otherwise."""
        with opened_run(self.job, context) as run:
            if getattr(run, self.verb)():
                return
        poll_seconds = _POLL_SECONDS.get(self.verb, _SERVICE_POLL_SECONDS)
        self.log.info("%s: not yet; the triggerer asks every %.0f s", self.verb, poll_seconds)
        self.defer(
            trigger=VerbTrigger(
                job_name=self.job.name,
                job_text=self.job.text,
                run_id=run_name(context),
                verb=self.verb,
                poll_seconds=poll_seconds,
            ),
            method_name="finish",
            timeout=timedelta(seconds=self.timeout),
        )

    def finish(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002 -- Airflow calls it with a context
        """Take what the trigger found.

        Raises:
            AirflowFailException: the verb will never say true.
        """
        if event["refusal"]:
            raise AirflowFailException(event["refusal"])
