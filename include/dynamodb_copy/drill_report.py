"""What a drill measured and found: values that travel as plain JSON, and their readable form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from dynamodb_copy.report_text import render_rows


@dataclass(frozen=True, slots=True)
class DrillReport:
    """One rehearsed restore, against its objectives."""

    job: str
    run_id: str
    backup: str  # URI
    table: str  # ARN of the table that was backed up
    scratch: str  # ARN
    triggered: str  # ISO 8601
    consistent: str  # ISO 8601: the backup holds all that was written before
    rpo_seconds: float  # age of what was recovered
    rpo_objective_seconds: float
    rto_seconds: float | None  # from the trigger until the table was verified; None: it was not
    rto_objective_seconds: float
    phases: Mapping[str, float]  # seconds by name, in their order
    manifest_items: int  # of the full backup, like `read_items`
    read_items: int | None  # from S3; None: not counted
    scratch_items: int | None
    backup_digest: str  # 32 hexadecimal digits, or empty; with increments, of the state that they lead to
    scratch_digest: str
    source_now: str  # what the live source says, if it answers
    notes: tuple[str, ...]
    problems: tuple[str, ...]  # empty: recovered within the objectives
    increments: int = 0  # that followed the full backup
    until: str | None = None  # ISO 8601: of their changes, those of this second and before were taken; None: all
    replayed_changes: int | None = None  # None: not counted
    expected_items: int | None = None  # that the full backup and its increments lead to; None without increments

    @property
    def recovered(self) -> bool:
        """Whether everything was restored, proven, and within the objectives."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        lists = {"notes": list(self.notes), "problems": list(self.problems)}
        return {**asdict(self), **lists, "recovered": self.recovered}

    def render(self) -> str:
        """Readable text of at most 100 columns, for a task's log and a terminal."""
        count = len(self.problems)
        outcome = "recovered" if self.recovered else f"FAILED: {count} problem{'s' if count > 1 else ''}"
        phases = "  ".join(f"{name} {seconds:,.1f} s" for name, seconds in self.phases.items())
        rows = [
            ("run", self.run_id),
            ("backup", self.backup),
            *self._increment_rows(),
            ("of", self.table),
            ("into", self.scratch),
            ("RTO", f"{_took(self.rto_seconds)}, objective {_took(self.rto_objective_seconds)}"),
            ("RPO", f"{_took(self.rpo_seconds)}, objective {_took(self.rpo_objective_seconds)}"),
            ("", f"triggered {self.triggered}, backup consistent at {self.consistent}"),
            ("phases", phases),
            ("rows", f"{self.manifest_items:,} in the manifest"),
            ("", f"{_counted(self.read_items)} read from S3"),
            *self._replay_rows(),
            ("", f"{_counted(self.scratch_items)} in the scratch table, by a strongly consistent count"),
            ("digest", f"{self.backup_digest or 'not known'} backup"),
            ("", f"{self.scratch_digest or 'not compared'} scratch table"),
            ("source", self.source_now),
            *[("note", note) for note in self.notes],
            *[("problem", problem) for problem in self.problems],
        ]
        return render_rows(f"{self.job}: drill {outcome}", rows)

    def _increment_rows(self) -> list[tuple[str, str]]:
        if not self.increments:
            return []
        until = f", changes up to {self.until}" if self.until else ", all of their changes"
        return [("", f"and {self.increments:,} increment{'s' if self.increments > 1 else ''}{until}")]

    def _replay_rows(self) -> list[tuple[str, str]]:
        if not self.increments:
            return []
        return [
            ("", f"{_counted(self.replayed_changes)} changes replayed"),
            ("", f"{_counted(self.expected_items)} items come of both, by another way than the replay's"),
        ]


def _took(seconds: float | None) -> str:
    """A backup that was begun after the trigger has a negative age: nothing was lost."""
    return "not reached" if seconds is None else str(timedelta(seconds=max(0, round(seconds))))


def _counted(items: int | None) -> str:
    return "not counted:" if items is None else f"{items:,}"
