"""What a run waits for: its preconditions, and its target."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.assembly import open_run
from dynamodb_copy.job import Job, Precondition
from dynamodb_copy_airflow.connections import airflow_clients
from dynamodb_copy_airflow.failures import airflow_errors
from dynamodb_copy_airflow.operators import run_name
from dynamodb_copy_airflow.preconditions import holds
from dynamodb_copy_airflow.triggers import TableActiveTrigger

_SECONDS_BETWEEN_CHECKS = 60


class PreconditionSensor(BaseSensorOperator):
    """Checks once a minute, holding no worker in between, until the precondition holds or the timeout is over."""

    def __init__(self, *, job: Job, precondition: Precondition, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=_SECONDS_BETWEEN_CHECKS, timeout=job.timeout, **kwargs)
        self.job = job
        self.precondition = precondition

    def poke(self, context: Context) -> bool:  # noqa: ARG002 -- Airflow calls it with a context
        """Say whether the precondition holds; what cannot be known is an error, not a "not yet"."""
        with airflow_errors(), airflow_clients() as connect:
            return holds(self.precondition, connect, s3_region=self.job.source.region)


class TableActiveSensor(BaseSensorOperator):
    """Waits until the target and its indexes are ACTIVE: at once if they are, else in the triggerer."""

    def __init__(self, *, job: Job, **kwargs: Any) -> None:
        super().__init__(timeout=job.timeout, **kwargs)
        self.job = job

    def execute(self, context: Context) -> None:
        """Return if the target is active; defer otherwise."""
        run_id = run_name(context)
        with airflow_errors(), airflow_clients() as connect:
            if open_run(self.job, run_id, connect).target_is_active():
                return
        self.log.info("%s is not active yet", self.job.target.table)
        self.defer(
            trigger=TableActiveTrigger(job_name=self.job.name, job_text=self.job.text, run_id=run_id),
            method_name="finish",
            timeout=timedelta(seconds=self.timeout),
        )

    def finish(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002 -- Airflow calls it with a context
        """Take what the trigger found.

        Raises:
            AirflowFailException: the target will not become active.
        """
        if event["refusal"]:
            raise AirflowFailException(event["refusal"])
