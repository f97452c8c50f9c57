"""A table against a backup, both as they are now; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dynamodb_copy.catalogue import Backup
from dynamodb_copy.phases.comparing import Tables, compare
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.ends import export_source
from dynamodb_copy.phases.forecasting_restores import newest_backup
from dynamodb_copy.phases.prepare import check_keys, existing_target
from dynamodb_copy.phases.restoring import described_by, make_plan
from dynamodb_copy.ports import Source
from dynamodb_copy.report import Verdict


@dataclass(frozen=True, slots=True)
class _BackupAndTable(Tables):
    """A backup that no run has chosen takes the source's place."""

    backup: Backup

    def source(self) -> Source:
        return export_source(self.backup, self.plan, self._segments)


def compare_with_backup(context: RestoreContext, as_of: datetime | None, *, show_keys: bool) -> Verdict:
    """Compare the table with the newest backup up to a moment.

    Raises BackupRefusedError when there is no such backup or it is not whole, TableError when there is no such table.
    """
    backup, _ = newest_backup(context, as_of)
    target = existing_target(context)
    check_keys(described_by(context, backup), target)
    plan = make_plan(context, backup, target)
    verdict = compare(_BackupAndTable(context, plan, lambda: None, backup), show_keys=show_keys)
    statement = (
        f"The table as it is now was compared with {backup.uri}, consistent at {backup.consistent.isoformat()}: what "
        "was written to the table since then shows as a difference."
    )
    return replace(verdict, statement=statement)
