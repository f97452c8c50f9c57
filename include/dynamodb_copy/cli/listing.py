"""`backups`: what lies below a prefix, and whether it is whole."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.filesize import decimal
from rich.table import Table

from dynamodb_copy.assembly import Listed, Listing
from dynamodb_copy.cli.outside import Outcome, Surroundings, before_anything_is_touched, place_of


def backups(arguments: Namespace, outside: Surroundings) -> Outcome:
    """List the backups below a prefix; an empty list is a good one too."""
    place = place_of(arguments, outside)
    with before_anything_is_touched():
        listing = outside.list_backups(place)
    return Outcome(listing.as_dict(), _text(listing, outside.columns), good=True)


def _text(listing: Listing, columns: int) -> str:
    if not listing.backups:
        return f"{listing.uri}: no backups; they lie in AWSDynamoDB/ below a prefix: name the prefix above it"
    tables = sorted({_where(each.table) for each in listing.backups if each.table})
    kinds = Counter(each.kind for each in listing.backups)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    of_one = f"{tables[0]}, " if len(tables) == 1 else ""
    headline = f"{listing.uri}: {of_one}{counts}; times are UTC"
    problems = [f"{each.id}: {each.problem}" for each in listing.backups if each.problem]
    return _rendered([headline, _grid(listing.backups, tables), *problems, *listing.notes], columns)


def _grid(backups: Iterable[Listed], tables: Sequence[str]) -> Table:
    """One row for each; the last column, the table's name, is left out where it is the same in all."""
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for heading in ("id", "kind"):
        grid.add_column(heading, no_wrap=True)
    grid.add_column("consistent", min_width=len("2026-11-25"))
    grid.add_column("span", min_width=len("11:10:46 .."))
    for heading in ("items", "size"):
        grid.add_column(heading, justify="right")
    grid.add_column("verified", min_width=len("2026-11-25"))
    for _ in tables[1:2]:
        grid.add_column("table", overflow="fold")
    for each in backups:
        grid.add_row(*_cells(each)[: len(grid.columns)])
    return grid


def _cells(each: Listed) -> list[str]:
    return [
        each.id,
        each.kind,
        _moment(each.consistent),
        _span(each),
        "" if each.items is None else f"{each.items:,}",
        "" if each.bytes is None else decimal(each.bytes),
        each.verified if each.verified in {"never", "unknown"} else _moment(each.verified),
        "" if each.table is None else _where(each.table),
    ]


def _span(each: Listed) -> str:
    """From when to when, without the date where it is that of `consistent`."""
    if each.began is None or each.ended is None:
        return ""
    date = _moment(each.consistent)[: len("2026-11-25 ")]
    return " .. ".join(_moment(end).removeprefix(date) for end in (each.began, each.ended))


def _moment(instant: str | None) -> str:
    if instant is None:
        return ""
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _where(arn: str) -> str:
    match arn.split(":"):
        case [_, _, _, region, _, table]:
            return f"{region}/{table.removeprefix('table/')}"
    return arn


def _rendered(parts: Iterable[RenderableType], columns: int) -> str:
    # A console without markup: names may hold square brackets.
    console = Console(file=StringIO(), width=columns, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).rstrip()
