"""`python -m benchmarks.chaos [seed]`: kill and freeze runs at random moments, retry them, and see what came of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from random import Random

from rich.console import Console

from benchmarks.chaos_of_backups import chaos_of_backups
from benchmarks.chaos_of_copies import chaos_of_copies
from benchmarks.figures import Figure, show
from benchmarks.lanes import lanes

_KILLS = 50
_KILLS_PER_FREEZE = 5


def chaos(seed: int, kills: int, console: Console) -> Iterator[Figure]:
    """Disturb copies, backups and restores at moments that the seed decides."""
    with lanes(seed) as found:
        yield from chaos_of_copies(found, kills, -(-kills // _KILLS_PER_FREEZE), console)
        yield from chaos_of_backups(found, kills, console)


def main() -> int:
    """Print every disturbance and the figures; return 0 if every run ended well."""
    parser = argparse.ArgumentParser(description="Kill and freeze runs at random moments.")
    parser.add_argument("seed", nargs="?", type=int, help="draws the same moments again")
    parser.add_argument("--kills", type=int, default=_KILLS, help=f"of each kind of run; {_KILLS} if not given")
    options = parser.parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # the emulators are on this machine
    console = Console(highlight=False)
    seed = Random().randrange(1_000_000) if options.seed is None else options.seed  # noqa: S311 - moments, not secrets
    console.print(f"seed {seed}: `python -m benchmarks.chaos {seed}` draws the same moments")
    figures = list(chaos(seed, options.kills, console))
    show(console, figures)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
