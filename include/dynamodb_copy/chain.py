"""A chain: one full backup with the increments that continue it, and the moments that it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynamodb_copy.catalogue import Backup
from dynamodb_copy.formats.marks import Mark
from dynamodb_copy.stored_increment import Increment


@dataclass(frozen=True, slots=True)
class Chain:
    """One full backup, and the increments that continue it and come at least as far as its end, in order."""

    full: Backup
    increments: tuple[Increment, ...] = ()
    notes: tuple[str, ...] = ()  # why it goes no further than it does, where there is more

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The earliest and the latest moment that it can be restored to; both are the full's end when that is all."""
        earliest = end_of(self.full)
        return earliest, self.increments[-1].end.moment if self.increments else earliest

    @property
    def is_exact(self) -> bool:
        """Whether the full is of one moment, as exports are: a scan takes its time."""
        return not is_scan(self.full)

    @property
    def is_consistent(self) -> bool:
        """Whether all of it together is what the table was at one moment, the latest of its span."""
        return self.is_exact or bool(self.increments)

    @property
    def ends(self) -> list[datetime]:
        """The moments at which the full, if it is of one, and windows end."""
        earliest = end_of(self.full)
        windows = [increment.end.moment for increment in self.increments if increment.is_window]
        return [earliest] * self.is_exact + [end for end in windows if end >= earliest]

    @property
    def described(self) -> str:
        """What it can be restored to, for people."""
        earliest, latest = self.span
        if not self.increments:
            return f"at {earliest.isoformat()}" if self.is_exact else "at no moment: no increment reaches its end"
        if self.increments[-1].is_window:
            return f"at the ends of {len(self.ends)} windows from {self.ends[0].isoformat()} to {latest.isoformat()}"
        return f"from {earliest.isoformat()} to {latest.isoformat()}, any second"


def is_scan(full: Backup) -> bool:
    """Whether a full backup is of no single moment.

    Windows cannot continue it: they tell nothing of an item that came and went within one, and a scan may have read it.
    """
    return full.details is not None and full.details.engine == "scan"


def end_of(full: Backup) -> datetime:
    """The moment from which on a full backup, with the increments after it, is consistent."""
    return full.consistent if full.details is None else datetime.fromisoformat(full.details.ended)


def mark_of(full: Backup) -> Mark:
    """Where the increments begin that continue a full backup."""
    return (full.details.mark if full.details else None) or Mark(full.summary.export_time)
