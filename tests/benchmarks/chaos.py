"""`python -m benchmarks.chaos [seed]`: kill and freeze runs at random moments, retry them, and see what came of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rich.console import Console

from benchmarks.chaos_of_backups import chaos_of_backups
from benchmarks.chaos_of_chains import chaos_of_chains
from benchmarks.chaos_of_changes import chaos_of_changes
from benchmarks.chaos_of_copies import chaos_of_copies
from benchmarks.chaos_of_followers import chaos_of_followers
from benchmarks.figures import Figure, show
from benchmarks.lanes import lanes
from benchmarks.stories import stories

_KILLS = 50
_KILLS_PER_FREEZE = 5
_HISTORIES = 100
_KINDS = ("copies", "backups", "changes", "followers", "chains")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for."""

    seed: int
    kills: int
    histories: int
    kinds: frozenset[str]


def chaos(asked: _Asked, console: Console) -> Iterator[Figure]:
    """Disturb runs at moments that the seed decides."""
    if asked.kinds & {"copies", "backups"}:
        yield from _of_whole_tables(asked, console)
    if asked.kinds - {"copies", "backups"}:
        yield from _of_changes(asked, console)


def _of_whole_tables(asked: _Asked, console: Console) -> Iterator[Figure]:
    with lanes(asked.seed) as found:
        if "copies" in asked.kinds:
            yield from chaos_of_copies(found, asked.kills, -(-asked.kills // _KILLS_PER_FREEZE), console)
        if "backups" in asked.kinds:
            yield from chaos_of_backups(found, asked.kills, console)


def _of_changes(asked: _Asked, console: Console) -> Iterator[Figure]:
    with stories(asked.seed) as found:
        if "changes" in asked.kinds:
            yield from chaos_of_changes(found, asked.histories, console)
        if "followers" in asked.kinds:
            yield from chaos_of_followers(found, asked.kills, console)
        if "chains" in asked.kinds:
            yield from chaos_of_chains(found, asked.histories, console)


def main() -> int:
    """Print every disturbance and the figures; return 0 if every run ended well."""
    parser = argparse.ArgumentParser(description="Kill and freeze runs at random moments.")
    parser.add_argument("seed", nargs="?", type=int, help="draws the same moments again")
    parser.add_argument("--kills", type=int, default=_KILLS, help=f"of each kind of run; {_KILLS} if not given")
    parser.add_argument("--histories", type=int, default=_HISTORIES, help=f"of each mode; {_HISTORIES} if not given")
    parser.add_argument("--only", action="append", choices=_KINDS, help="this kind of run, and those named likewise")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # the emulators are on this machine
    console = Console(highlight=False)
    seed = Random().randrange(1_000_000) if options.seed is None else options.seed  # noqa: S311 - moments, not secrets
    console.print(f"seed {seed}: `python -m benchmarks.chaos {seed}` draws the same moments")
    asked = _Asked(seed, options.kills, options.histories, frozenset(options.only or _KINDS))
    figures = list(chaos(asked, console))
    show(console, figures)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
