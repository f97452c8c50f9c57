"""A run of an incremental copy from table to table."""

from __future__ import annotations

from dynamodb_copy.aws.tables import describe
from dynamodb_copy.job import IncrementalJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import applying, catching_up, planning, repairing
from dynamodb_copy.phases.applying import Drained
from dynamodb_copy.phases.comparing import Tables, compare
from dynamodb_copy.phases.context import local_schedules
from dynamodb_copy.phases.copying import Progress
from dynamodb_copy.phases.forecasting_changes import ChangesForecast, forecast_changes
from dynamodb_copy.phases.prepare import Prepared, check_shapes, existing_target, readable_source
from dynamodb_copy.report import Report, Verdict
from dynamodb_copy.runs.changes_run import ChangesRun
from dynamodb_copy.state.plans import Plan


class IncrementalRun(ChangesRun[IncrementalJob]):
    """A run of an incremental copy: a base where the target has none, then what changed; verbs in their order."""

    def prepare(self) -> Prepared:
        """Refuse what must not be, create what is missing, mark where the changes begin; raises ChangesLostError."""
        with self._opened() as context:
            return catching_up.prepare(context)

    def target_is_active(self) -> bool:
        """Whether the target and its indexes can be written."""
        target = describe(self._context.target_client, self._context.job.target.table)
        return target is not None and target.is_active

    def base_is_exported(self) -> bool:
        """Whether the service's export of the base is done, or none is needed. Only with `base: export`."""
        with self._opened() as context:
            return catching_up.base_is_exported(context)

    def plan(self) -> Plan:
        """Decide the base's segments, of which there are none once the target has its base."""
        with self._opened() as context:
            return catching_up.plan(context)

    def hand_over(self) -> Plan:
        """Decide the segments of the changes, once the base is whole; there are none when no window has ended yet."""
        with self._planned() as planned:
            return catching_up.hand_over(*planned)

    def apply(self, segment: Segment, on_progress: Progress, on_drained: Drained) -> Tally:
        """Write the changes of a segment that earlier attempts left; return its cumulative tally."""
        with self._changes() as (context, plan):
            return applying.apply(context, plan, segment, on_progress, on_drained)

    def seal(self) -> Report:
        """Move the target's position on, and write the run's report."""
        with self._planned() as (_, base), self._changes() as (context, plan):
            return applying.seal(context, base, plan)

    def forecast(self) -> ChangesForecast:
        """Say what would happen; touches nothing."""
        with self._opened() as context:
            return forecast_changes(context)

    def compare(self, *, show_keys: bool = False) -> Verdict:
        """Compare source and target as they are now; writes nothing."""
        with self._opened(schedule=local_schedules()) as context:
            source, target = readable_source(context), existing_target(context)
            check_shapes(source, target)
            plan = planning.make_plan(context, source, target)
            return compare(Tables(context, plan, lambda: None), show_keys=show_keys)

    def repair(self) -> Verdict:
        """Write only what differs, then compare again."""
        with self._opened() as context:
            return repairing.repair(context)
