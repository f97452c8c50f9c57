"""A run of a copy from table to table."""

from __future__ import annotations

from dynamodb_copy.aws.tables import describe
from dynamodb_copy.job import CopyJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import mirroring, planning, prepare, repairing, sealing, verifying
from dynamodb_copy.phases.comparing import Tables, compare
from dynamodb_copy.phases.context import local_schedules
from dynamodb_copy.phases.copying import Progress, copy, fence_out_segments
from dynamodb_copy.phases.forecasting import Forecast, forecast
from dynamodb_copy.phases.prepare import Prepared
from dynamodb_copy.report import Report, Verdict
from dynamodb_copy.runs.opened import Run
from dynamodb_copy.state.plans import Plan


class CopyRun(Run[CopyJob]):
    """A run of a copy from table to table, its verbs in the order of their use."""

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
            return mirroring.mirror(*planned)

    def verify(self) -> Verdict:
        """Compare the target with what was read; raises ContentDiffersError."""
        with self._planned() as (context, plan):
            return verifying.verify(context, plan, sum(fence_out_segments(context, plan), Tally()))

    def seal(self) -> Report:
        """Write the run's report; from then on the copy counts."""
        with self._planned() as (context, plan):
            return sealing.seal(context, plan, fence_out_segments(context, plan))

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
