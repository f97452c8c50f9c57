"""A run of a backup."""

from __future__ import annotations

from dynamodb_copy.job import BackupJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import backing_up, expiring, exporting
from dynamodb_copy.phases.copying import Progress, copy
from dynamodb_copy.phases.forecasting import BackupForecast, forecast_backup
from dynamodb_copy.report import Report
from dynamodb_copy.runs.opened import Run
from dynamodb_copy.state.plans import Plan


class BackupRun(Run[BackupJob]):
    """A run of a backup, by a scan or by the service's export."""

    def prepare(self) -> str:
        """Refuse what must not be, take the place; return the backup's address. Only with `engine: scan`."""
        with self._opened() as context:
            return backing_up.prepare(context)

    def plan(self) -> Plan:
        """Decide segments and limits; a second call returns the stored plan."""
        with self._opened() as context:
            return backing_up.plan(context)

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Store what earlier attempts left of the segment; return its cumulative tally."""
        with self._planned() as (context, plan):
            return copy(context, plan, segment, on_progress)

    def start_export(self) -> str:
        """Start the service's export, once; return its ARN. Only with `engine: export`."""
        with self._opened() as context:
            return exporting.start(context)

    def export_is_done(self) -> bool:
        """Whether the export has completed; raises TableError when it has failed."""
        with self._opened() as context:
            return exporting.is_done(context)

    def seal(self) -> Report:
        """Make it a backup, which exists from then on."""
        if self.job.engine == "export":
            with self._opened() as context:
                return exporting.seal(context)
        with self._planned() as planned:
            return backing_up.seal(*planned)

    def expire(self) -> list[str]:
        """Delete the backups that `keep` no longer keeps; return their addresses; raises ExpirySuspendedError."""
        with self._opened() as context:
            return expiring.expire(context)

    def forecast(self) -> BackupForecast:
        """Say what would happen, and which backups would be deleted; touches nothing."""
        with self._opened() as context:
            return forecast_backup(context)
