"""Changes by the service's incremental exports: no capacity, 35 days of memory, windows of at least 15 minutes."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from dynamodb_copy.aws.exports import RecoveryWindow, recovery_window
from dynamodb_copy.aws.tables import Table
from dynamodb_copy.errors import ChangesLostError
from dynamodb_copy.job import IncrementalBackupJob
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.exported import exported_windows, exports_place
from dynamodb_copy.phases.positioning import required_position
from dynamodb_copy.phases.windowing import (
    WindowsOf,
    check_recovery,
    start_windows,
    started_windows,
    windows_are_done,
)
from dynamodb_copy.ports import Source
from dynamodb_copy.sources.increments import Increments
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position
from dynamodb_copy.windows import windows

_MOST_SHARES = 16


class ExportFeed:
    """Contiguous windows; a position is the last one's end."""

    def __init__(self, context: AnyContext, table: Table) -> None:
        self._context = context
        self._table = table

    def check(self, target_arn: str) -> None:  # noqa: ARG002 - anyone may have exports made
        """Refuse a table without point-in-time recovery."""
        _ = self._recovery

    def ready(self, target_arn: str) -> None:
        """Point-in-time recovery costs money: a person switches it on."""

    def now(self) -> float:
        """The latest moment that can be exported."""
        return self._recovery.latest.timestamp() // 1

    def begin(self, position: Position) -> Position:
        """The first window begins where the base does."""
        now = self.now()
        return replace(position, began=now, up_to=now)

    def lost(self, position: Position) -> str:
        """Recovery that was switched off and on begins anew."""
        try:
            check_recovery(self._recovery, int(position.up_to))
        except ChangesLostError as error:
            return str(error)
        return ""

    def warning(self, position: Position) -> str:
        """Half of the recovery period is the time to act."""
        return check_recovery(self._recovery, int(position.up_to))

    def follow(self, position: Position) -> Position:
        """All windows that have ended: those that an earlier run began, then the later ones."""
        begun = position.windows if position.windows and position.windows[0][0] == position.up_to else ()
        start = begun[-1][1] if begun else int(position.up_to)
        added = [(window.start, window.end) for window in windows(start, int(self.now()))]
        return replace(position, windows=(*begun, *added))

    def segments(self, position: Position) -> int:
        """Shares of the key buckets, each of which goes through the windows in order."""
        job = self._context.job
        wanted = job.segments if isinstance(job.segments, int) else job.parallel
        return min(_MOST_SHARES, wanted) if position.windows else 0

    def source(self, position: Position, plan: Plan) -> Source:
        """The exports of the run's windows, in order."""
        arns = started_windows(self._context, plan.target_arn, position.windows)
        return Increments(exported_windows(self._context, arns), plan.keys, plan.segment_count)

    @cached_property
    def _recovery(self) -> RecoveryWindow:
        return recovery_window(self._context.source_client, self._table.name, needed_by="changes: {by: export}")


def start(context: AnyContext, plan: Plan) -> list[str]:
    """Start the exports of the windows that the run under way reads, each once; return their ARNs."""
    kms_key = context.job.target.kms_key if isinstance(context.job, IncrementalBackupJob) else None
    of = WindowsOf(plan.source_arn, plan.target_arn, exports_place(context), kms_key)
    return start_windows(context, of, _windows(context, plan))


def is_done(context: AnyContext, plan: Plan) -> bool:
    """Whether these exports have completed; raises TableError when one has failed."""
    return windows_are_done(context, started_windows(context, plan.target_arn, _windows(context, plan)))


def _windows(context: AnyContext, plan: Plan) -> tuple[tuple[int, int], ...]:
    position = required_position(context, plan.target_arn)
    return position.windows if position.under_way == context.run else ()
