"""`python -m benchmarks.run [name …]`: measure, print the table, and fail if a target is missed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.backups import backup_cpu
from benchmarks.client_cpu import client_cpu
from benchmarks.dag_run import dag_run
from benchmarks.drain import drain_cpu
from benchmarks.drill import drill
from benchmarks.few_changes import few_changes
from benchmarks.figures import Figure, show, write_json
from benchmarks.limits import limits
from benchmarks.memory import memory
from benchmarks.round_trips import round_trips

Benchmark = Callable[[], Iterator[Figure]]

_ALL = (client_cpu, backup_cpu, drain_cpu, round_trips, memory, limits, dag_run, few_changes, drill)
BENCHMARKS: Mapping[str, Benchmark] = {benchmark.__name__: benchmark for benchmark in _ALL}


def main(benchmarks: Mapping[str, Benchmark]) -> int:
    """Run those that the command line names, or all; return 0 if every target is reached."""
    parser = argparse.ArgumentParser(description="Measure and compare with the targets.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(benchmarks)}; all if none is given")
    parser.add_argument("--json", type=Path, help="write a JSON line per figure to this file, too")
    options = parser.parse_args()
    if unknown := set(options.names) - set(benchmarks):
        parser.error(f"found {', '.join(sorted(unknown))}; allowed: {', '.join(benchmarks)}")
    figures = _measured({name: benchmarks[name] for name in options.names or benchmarks})
    if options.json:
        write_json(options.json, figures)
    return 0 if all(figure.reached for figure in figures) else 1


def _measured(benchmarks: Mapping[str, Benchmark]) -> Sequence[Figure]:
    # clients find the emulators without any proxy that this machine may have
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    console = Console(highlight=False)
    figures: list[Figure] = []
    for name, benchmark in benchmarks.items():
        began = time.monotonic()
        figures += benchmark()
        console.print(f"[dim]{name}: {time.monotonic() - began:.0f} s[/dim]")
    show(console, figures)
    return figures


if __name__ == "__main__":
    sys.exit(main(BENCHMARKS))
