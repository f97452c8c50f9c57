"""A table against a backup, both as they are now; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dynamodb_copy.phases.choosing import last_micros
from dynamodb_copy.phases.comparing import Tables, compare
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.ends import Stored, chain_state, export_source
from dynamodb_copy.phases.finding import Found, find
from dynamodb_copy.phases.prepare import check_keys, existing_target
from dynamodb_copy.phases.restoring import described_by, make_plan
from dynamodb_copy.ports import Source
from dynamodb_copy.report import Verdict


@dataclass(frozen=True, slots=True)
class _BackupAndTable(Tables):
    """A backup that no run has chosen takes the source's place, with the increments after it."""

    found: Found

    def source(self) -> Source:
        if not self.found.increments:
            return export_source(self.found.full, self.plan, self.segments)
        until = None if self.found.until is None else last_micros(self.found.until)
        stored = Stored(self.found.full, self.found.increments, until)
        return chain_state(self.context, stored, self.plan, segments=self.segments, on_block=self.on_page)


def compare_with_backup(context: RestoreContext, as_of: datetime | None, *, show_keys: bool) -> Verdict:
    """Compare the table with what the backups lead to at a moment; None is the latest.

    Raises BackupRefusedError when the moment cannot be had or a backup is not whole, TableError when there is no table.
    """
    found = find(context, as_of)
    target = existing_target(context)
    check_keys(described_by(context, found.full), target)
    plan = make_plan(context, found.full, target)
    verdict = compare(_BackupAndTable(context, plan, lambda: None, found), show_keys=show_keys)
    statement = (
        f"The table as it is now was compared with {found.described}, consistent at {found.consistent.isoformat()}: "
        "what was written to the table since then shows as a difference."
    )
    return replace(verdict, statement=statement)
