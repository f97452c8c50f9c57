"""A run of a restore."""

from __future__ import annotations

from datetime import datetime

from dynamodb_copy.aws.tables import describe
from dynamodb_copy.job import RestoreJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import choosing, importing, proving, replaying, restoring
from dynamodb_copy.phases.choosing import Choice
from dynamodb_copy.phases.comparing_restores import compare_with_backup
from dynamodb_copy.phases.context import local_schedules
from dynamodb_copy.phases.copying import Progress, copy
from dynamodb_copy.phases.forecasting_restores import RestoreForecast, forecast_restore
from dynamodb_copy.phases.prepare import Prepared
from dynamodb_copy.report import Report, Verdict
from dynamodb_copy.runs.opened import Run
from dynamodb_copy.state.plans import Plan, load_plan


class RestoreRun(Run[RestoreJob]):
    """A run of a restore, item by item or by the service's ImportTable."""

    def choose(self, as_of: datetime | None = None) -> Choice:
        """Choose the backup; a second call returns the first choice. `as_of` overrides the job's `restore`."""
        with self._opened() as context:
            return choosing.choose(context, as_of or self._asked)

    def prepare(self) -> Prepared:
        """Refuse what must not be, create what is missing. Only with `engine: load`, like `plan` and `copy`."""
        with self._opened() as context:
            return restoring.prepare(context)

    def target_is_active(self) -> bool:
        """Whether the target and its indexes can be written."""
        target = describe(self._context.target_client, self._context.job.target.table)
        return target is not None and target.is_active

    def plan(self) -> Plan:
        """Decide segments and limits; a second call returns the stored plan."""
        with self._opened() as context:
            return restoring.plan(context)

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Load what earlier attempts left of the segment; return its cumulative tally."""
        with self._planned() as (context, plan):
            return copy(context, plan, segment, on_progress)

    def hand_over(self) -> Plan:
        """Decide the segments of the increments, once the full backup is loaded; there are none without increments."""
        with self._planned() as planned:
            return replaying.hand_over(*planned)

    def apply(self, segment: Segment, on_progress: Progress, _on_drained: object = None) -> Tally:
        """Replay what earlier attempts left of a segment of the increments; return its cumulative tally."""
        with self._planned() as (context, _):
            changes = replaying.of_changes(context)
            return replaying.apply(changes, load_plan(changes.rows, changes.run), segment, on_progress)

    def start_import(self) -> str:
        """Start the service's import, once; return its ARN. Only with `engine: import`."""
        with self._opened() as context:
            return importing.start(context)

    def import_is_done(self) -> bool:
        """Whether the import has completed; raises TableError when it has failed."""
        with self._opened() as context:
            return importing.is_done(context)

    def verify(self) -> Verdict:
        """Compare the table with what the backup holds; raises ContentDiffersError."""
        if self.job.engine == "import":
            with self._opened() as context:
                importing.plan(context)
        with self._planned() as planned:
            return proving.verify(*planned)

    def seal(self) -> Report:
        """Give a created table its TTL and tags, and write the run's report."""
        with self._planned() as (context, plan):
            seal = importing.seal if context.job.engine == "import" else restoring.seal
            return seal(context, plan)

    def forecast(self) -> RestoreForecast:
        """Say which backup would be restored, into what and how long that would take; touches nothing."""
        with self._opened() as context:
            return forecast_restore(context, self._asked)

    def compare(self, as_of: datetime | None = None, *, show_keys: bool = False) -> Verdict:
        """Compare the table with the newest backup as both are now; writes nothing. `as_of` as for `choose`."""
        with self._opened(schedule=local_schedules()) as context:
            return compare_with_backup(context, as_of or self._asked, show_keys=show_keys)

    @property
    def _asked(self) -> datetime | None:
        """Up to when the job wants a backup."""
        return None if self.job.restore == "latest" else self.job.restore
