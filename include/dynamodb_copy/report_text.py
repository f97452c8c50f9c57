"""The readable form that reports share: lines of at most 100 columns, for a task's log and a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from rich.console import Console, RenderableType
from rich.table import Table

_WIDTH_COLUMNS = 100


def render_rows(headline: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a headline and labelled lines in the form that reports have."""
    return text_of([headline, labelled(rows)])


def text_of(parts: Iterable[RenderableType]) -> str:
    """Return renderables one below the other as plain text."""
    # A console without markup: names and notes may hold square brackets.
    console = Console(
        file=StringIO(), width=_WIDTH_COLUMNS, color_system=None, markup=False, emoji=False, highlight=False
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def labelled(rows: Iterable[tuple[str, str]]) -> Table:
    """Rows of a label and its value."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, min_width=9)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(label, value)
    return grid
