"""One run of one job as its verbs: what the DAGs and the command line call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.tables import describe
from dynamodb_copy.job import Job
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import planning, prepare, repairing
from dynamodb_copy.phases.comparing import Tables, compare
from dynamodb_copy.phases.context import RunContext, local_schedules
from dynamodb_copy.phases.copying import Progress, copy
from dynamodb_copy.phases.forecasting import Forecast, forecast
from dynamodb_copy.phases.mirroring import mirror
from dynamodb_copy.phases.prepare import Prepared
from dynamodb_copy.phases.sealing import seal
from dynamodb_copy.phases.verifying import verify
from dynamodb_copy.report import Report, Verdict
from dynamodb_copy.state.plans import Plan, load_plan

__all__ = ["CopyRun", "Forecast", "Plan", "Prepared", "Progress", "open_run"]


def open_run(
    job: Job, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> CopyRun:
    """Open a run by its id; many processes may hold the same run open at once."""
    return CopyRun(RunContext(job, run_id, cache(connect), timeouts or Timeouts(), clock or Clock()))


class CopyRun:
    """A run's verbs, in the order of their use; each may be killed at any point and called again."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def prepare(self) -> Prepared:
        """Refuse what must not be, create what is missing."""
        with self._opened() as context:
            return prepare.prepare(context)

    def target_is_active(self) -> bool:
        """Whether the target and its indexes can be written."""
        target = describe(self._context.target_client, self._context.job.target.table)
        return target is not None and target.is_active

    def plan(self) -> Plan:
        """Decide segments and limits; a second call returns the stored plan."""
        with self._opened() as context:
            return planning.plan(context)

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Copy what earlier attempts left of the segment; return its cumulative tally."""
        with self._planned() as (context, plan):
            return copy(context, plan, segment, on_progress)

    def mirror(self) -> int:
        """Delete from the target what the source does not have; return how many keys the run deleted."""
        with self._planned() as planned:
            return mirror(*planned)

    def verify(self) -> Verdict:
        """Compare the target with what was read; raises ContentDiffersError."""
        with self._planned() as planned:
            return verify(*planned)

    def seal(self) -> Report:
        """Write the run's report; from then on the copy counts."""
        with self._planned() as planned:
            return seal(*planned)

    def repair(self) -> Verdict:
        """Write only what differs, then compare again."""
        with self._opened() as context:
            return repairing.repair(context)

    def forecast(self) -> Forecast:
        """Say what would happen; touches nothing."""
        with self._opened() as context:
            return forecast(context)

    def compare(self, *, show_keys: bool = False) -> Verdict:
        """Compare source and target as they are now; writes nothing."""
        with self._opened(schedule=local_schedules()) as context:
            source = prepare.readable_source(context)
            target = prepare.existing_target(context)
            prepare.check_shapes(source, target)
            plan = planning.make_plan(context, source, target)
            return compare(Tables(context, plan, lambda: None), show_keys=show_keys)

    @contextmanager
    def _opened(self, **changes: Any) -> Iterator[RunContext]:
        """The context of one call, so that threads share no connection; its connections are closed at the end."""
        context = replace(self._context, opened=ExitStack(), **changes)
        with context.opened:
            yield context

    @contextmanager
    def _planned(self) -> Iterator[tuple[RunContext, Plan]]:
        """The stored plan, and the job as it was when the plan was made."""
        with self._opened() as context:
            plan = load_plan(context.rows, context.run)
            yield replace(context, job=Job.from_text(plan.job_name, plan.job_text)), plan
