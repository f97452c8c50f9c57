"""What the runs of all kinds share; each verb may be killed at any point and called again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Generic, cast

from dynamodb_copy.job import read_job
from dynamodb_copy.phases.context import JobT, RunContext
from dynamodb_copy.state.plans import Plan, load_plan


class Run(Generic[JobT]):
    """One run of one job; many processes may hold the same run open at once."""

    def __init__(self, context: RunContext[JobT]) -> None:
        self._context = context

    @property
    def job(self) -> JobT:
        """The job as it is now; tasks of a planned run work from the plan's."""
        return self._context.job

    @contextmanager
    def _opened(self, **changes: Any) -> Iterator[RunContext[JobT]]:
        """The context of one call, so that threads share no connection; its connections are closed at the end."""
        context = replace(self._context, opened=ExitStack(), **changes)
        with context.opened:
            yield context

    @contextmanager
    def _planned(self) -> Iterator[tuple[RunContext[JobT], Plan]]:
        """The stored plan, and the job as it was when the plan was made."""
        with self._opened() as context:
            plan = load_plan(context.rows, context.run)
            job = cast("JobT", read_job(plan.job_name, plan.job_text))  # a job of this kind made the plan
            yield replace(context, job=job), plan
