"""A run that extends a chain of backups."""

from __future__ import annotations

from dynamodb_copy.job import IncrementalBackupJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import expiring, extending, sealing_increments, storing
from dynamodb_copy.phases.copying import Progress
from dynamodb_copy.phases.forecasting_changes import ChainForecast, forecast_chain
from dynamodb_copy.report import Report
from dynamodb_copy.runs.changes_run import ChangesRun
from dynamodb_copy.state.plans import Plan


class IncrementalBackupRun(ChangesRun[IncrementalBackupJob]):
    """A run that extends a chain: a full backup where one is due, then an increment; verbs in their order."""

    def prepare(self) -> str:
        """Refuse what must not be, take the place; return what the run makes. Raises ChangesLostError."""
        with self._opened() as context:
            return extending.prepare(context)

    def base_is_exported(self) -> bool:
        """Whether the service's export of a full backup is done, or none is due. Only with `base: export`."""
        with self._opened() as context:
            return extending.base_is_exported(context)

    def plan(self) -> Plan:
        """Decide the full backup's segments, of which there are none when none is due."""
        with self._opened() as context:
            return extending.plan(context)

    def hand_over(self) -> Plan:
        """Seal the full backup, and decide the segments of the increment; none where the service exports it."""
        with self._planned() as planned:
            return extending.hand_over(*planned)

    def apply(self, segment: Segment, on_progress: Progress, _on_drained: object = None) -> Tally:
        """Store the changes of a segment that earlier attempts left; return its cumulative tally."""
        with self._changes() as (context, plan):
            return storing.store_changes(context, plan, segment, on_progress)

    def seal(self) -> Report:
        """Make it the chain's next increment, and write the run's report."""
        with self._planned() as (_, base), self._changes() as (context, plan):
            return sealing_increments.seal(context, base, plan)

    def expire(self) -> list[str]:
        """Delete the chains that `keep` no longer keeps; return their addresses; raises ExpirySuspendedError."""
        with self._opened() as context:
            return expiring.expire(context)

    def forecast(self) -> ChainForecast:
        """Say what would happen; touches nothing."""
        with self._opened() as context:
            return forecast_chain(context)
