"""A measured figure beside its target, and the table of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, what is to be reached, and by how much it is: a ratio of 1 or more reaches the target."""

    what: str
    measured: str
    target: str
    ratio: float

    @property
    def reached(self) -> bool:
        """Whether the target is met."""
        return self.ratio >= 1


def at_least(what: str, measured: float, target: float, unit: str) -> Figure:
    """A figure that is good when high."""
    return Figure(what, f"{_shown(measured)} {unit}", f"≥ {_shown(target)} {unit}", measured / target)


def at_most(what: str, measured: float, target: float, unit: str) -> Figure:
    """A figure that is good when low."""
    ratio = target / measured if measured else inf
    return Figure(what, f"{_shown(measured)} {unit}", f"≤ {_shown(target)} {unit}", ratio)


def all_of(what: str, count: int, target: int, unit: str) -> Figure:
    """A figure that counts successes and allows no failure."""
    return Figure(what, f"{count} {unit}", f"{target} {unit}", count / target)


def show(console: Console, figures: Iterable[Figure]) -> None:
    """Print the table."""
    table = Table()
    for title in ("what", "measured", "target", "ratio", "reached"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for figure in figures:
        reached = "[green]yes[/green]" if figure.reached else "[red]no[/red]"
        table.add_row(figure.what, figure.measured, figure.target, f"{figure.ratio:.2f}", reached)
    console.print(table)


def write_json(file: Path, figures: Sequence[Figure]) -> None:
    """Write one JSON line per figure."""
    lines = [json.dumps(asdict(figure) | {"reached": figure.reached}, ensure_ascii=False) for figure in figures]
    file.write_text("\n".join([*lines, ""]))


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
