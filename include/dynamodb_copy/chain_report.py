"""What a look at chains found: values that travel as plain JSON, and their readable form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from dynamodb_copy.report_text import render_rows

ProblemKind = Literal["gap", "overlap", "fork", "late", "unsealed", "damaged", "part", "foreign", "no full"]


class Problem(NamedTuple):
    """One thing that is wrong."""

    kind: ProblemKind
    id: str  # of the backup or increment; empty where it is of the whole
    text: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What lies below a prefix, to which moments it can be restored, and what is wrong with it."""

    uri: str
    fulls: int
    increments: int
    items: int  # of all fulls
    changes: int  # lines of all increments
    bytes: int  # stored, of all parts
    restorable: tuple[str, ...]
    checksums: bool  # whether every part was read and compared with its checksums
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        lists: dict[str, Any] = {name: list(getattr(self, name)) for name in ("restorable", "notes")}
        problems = [problem._asdict() for problem in self.problems]
        return {**asdict(self), **lists, "problems": problems, "whole": self.whole}

    def render(self) -> str:
        """Readable text of at most 100 columns."""
        count = len(self.problems)
        outcome = "whole" if self.whole else f"{count} problem{'s' if count > 1 else ''}"
        checked = "read and compared with their checksums" if self.checksums else "looked for, and not read"
        rows = [
            ("fulls", f"{self.fulls:,}, of {self.items:,} items"),
            ("increments", f"{self.increments:,}, of {self.changes:,} changes"),
            ("parts", f"{self.bytes:,} bytes; {checked}"),
            *[("restorable", text) for text in self.restorable or ("to no moment",)],
            *[(each.kind, f"{each.id}: {each.text}" if each.id else each.text) for each in self.problems],
            *[("note", note) for note in self.notes],
        ]
        return render_rows(f"{self.uri}: {outcome}", rows)
