"""What waits in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from dynamodb_copy.assembly import AnyRun, open_run
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.errors import PermanentError, TransientError
from dynamodb_copy.job import read_job
from dynamodb_copy_airflow.connections import airflow_clients


class VerbTrigger(BaseTrigger):
    """Fires once a verb of a run says true: `{"refusal": None}`, or the text of a permanent failure."""

    def __init__(self, *, job_name: str, job_text: str, run_id: str, verb: str, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no types
        self.job_name = job_name
        self.job_text = job_text
        self.run_id = run_id
        self.verb = verb
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, from which the triggerer makes this trigger again."""
        arguments = ("job_name", "job_text", "run_id", "verb", "poll_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask every `poll_seconds`, in a thread; the sensor's timeout ends the waiting."""
        try:
            with airflow_clients() as connect:
                await self._wait(connect)
            yield _event(refusal=None)
        except PermanentError as error:
            yield _event(refusal=str(error))

    async def _wait(self, connect: Connect) -> None:
        job = read_job(self.job_name, self.job_text)
        run = await asyncio.to_thread(open_run, job, self.run_id, connect)
        while not await asyncio.to_thread(self._is_so, run):  # noqa: ASYNC110 -- AWS sets no asyncio.Event
            await asyncio.sleep(self.poll_seconds)

    def _is_so(self, run: AnyRun) -> bool:
        try:
            return bool(getattr(run, self.verb)())
        except TransientError as error:
            self.log.warning("%s: asking again: %s", self.job_name, error)
            return False


def _event(refusal: str | None) -> TriggerEvent:
    return TriggerEvent({"refusal": refusal})  # type: ignore[no-untyped-call]  # Airflow gives it no types
