"""A run of a disaster-recovery drill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

from dynamodb_copy.aws.tables import describe
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.errors import DrillFailedError
from dynamodb_copy.job import DrillJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import choosing, drilling, replaying, restoring, scratch
from dynamodb_copy.phases.choosing import Choice
from dynamodb_copy.phases.context import AnyContext, RestoreContext
from dynamodb_copy.phases.copying import Progress, copy
from dynamodb_copy.phases.forecasting_restores import RestoreForecast, forecast_drill
from dynamodb_copy.phases.prepare import Prepared
from dynamodb_copy.phases.timing import spans, timed
from dynamodb_copy.report import Verdict
from dynamodb_copy.runs.opened import Run
from dynamodb_copy.state.plans import Plan, load_plan


class DrillRun(Run[DrillJob]):
    """A run of a drill: a restore into a scratch table, checked, measured and dropped."""

    def there_is_a_backup(self) -> bool:
        """Whether a sealed backup can be chosen now."""
        with self._opened() as context:
            return choosing.there_is_one(context, None)

    def choose(self, as_of: datetime | None = None) -> Choice:
        """Choose the backup; a second call returns the first choice."""
        with self._opened() as context, _timed_once(context, "choose"):
            return drilling.choose(context, as_of)

    def began(self) -> datetime:
        """When the run's first attempt began to choose its backup; only after `choose`."""
        with self._opened() as context:
            return datetime.fromtimestamp(spans(context)["choose"].began, UTC)

    def drop_leftovers(self) -> list[str]:
        """Drop scratch tables that dead runs left behind; return what was done, a line each."""
        with self._opened() as context:
            return scratch.drop_leftovers(context)

    def create(self) -> Prepared:
        """Create the scratch table."""
        with self._rehearsed() as restore, _timed_once(restore, "create"):
            return restoring.prepare(restore, scratch.scratch_tags(restore.run_id))

    def target_is_active(self) -> bool:
        """Whether the scratch table and its indexes can be written."""
        with self._rehearsed() as restore:
            target = describe(restore.target_client, restore.job.target.table)
            return target is not None and target.is_active

    def plan(self) -> Plan:
        """Decide segments and limits; a second call returns the stored plan."""
        with self._rehearsed() as restore, _timed_once(restore, "plan"):
            return restoring.plan(restore)

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Load what earlier attempts left of the segment; return its cumulative tally."""
        with self._rehearsal_planned() as (restore, plan), timed(restore, "restore"):
            return copy(restore, plan, segment, on_progress)

    def hand_over(self) -> Plan:
        """Decide the segments of the increments, once the full backup is loaded; there are none without increments."""
        with self._rehearsal_planned() as (restore, plan):
            return replaying.hand_over(restore, plan)

    def apply(self, segment: Segment, on_progress: Progress, _on_drained: object = None) -> Tally:
        """Replay what earlier attempts left of a segment of the increments; return its cumulative tally."""
        with self._rehearsed() as restore, timed(restore, "replay"):
            changes = replaying.of_changes(restore)
            return replaying.apply(changes, load_plan(changes.rows, changes.run), segment, on_progress)

    def check_rows(self) -> drilling.Rows:
        """Count on all sides; raises ContentDiffersError."""
        with self._rehearsal_planned() as (restore, plan), _timed_once(restore, "check rows"):
            return drilling.check_rows(restore, plan)

    def check_content(self) -> Verdict:
        """Compare the scratch table with the backup; raises ContentDiffersError."""
        with self._rehearsal_planned() as (restore, plan), _timed_once(restore, "check content"):
            return drilling.check_content(restore, plan)

    def report(self, triggered: datetime) -> DrillReport:
        """Store the report of what was measured and found, whatever it is."""
        with self._opened() as context:
            return drilling.report(context, triggered)

    def drop(self) -> bool:
        """Drop the scratch table; False if it is gone. Raises TargetRefusedError when a guard holds."""
        with self._rehearsed() as restore:
            return scratch.drop(restore, restore.job.target.table)

    def keep(self) -> str:
        """Keep the scratch table as a table like any other; return its name."""
        with self._rehearsed() as restore:
            scratch.keep(restore, restore.job.target.table)
            return restore.job.target.table

    def forecast(self) -> RestoreForecast:
        """Say which backup would be restored and how long that would take; touches nothing."""
        with self._opened() as context:
            return forecast_drill(context)

    @contextmanager
    def _rehearsed(self) -> Iterator[RestoreContext]:
        with self._opened() as context:
            yield drilling.rehearsed(context)

    @contextmanager
    def _rehearsal_planned(self) -> Iterator[tuple[RestoreContext, Plan]]:
        with self._rehearsed() as restore:
            yield restore, load_plan(restore.rows, restore.run)


@contextmanager
def _timed_once(context: AnyContext, phase: str) -> Iterator[None]:
    """Time a phase that a continued run goes through again in no time: what it took at first counts."""
    context.ensure_state()
    span = spans(context).get(phase)
    is_over = span is not None and span.ended is not None
    with nullcontext() if is_over else timed(context, phase):
        yield


def require_recovered(report: DrillReport) -> None:
    """Raise DrillFailedError for a drill that found problems."""
    if not report.recovered:
        raise DrillFailedError(f"{report.job}: {'; '.join(report.problems)}; the report has the whole of it")
