"""`python -m benchmarks.chaos [seed]`: kill and freeze copies at random moments, retry them, and compare the tables."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from rich.console import Console

from benchmarks.attempt import BenchmarkRun, copying
from benchmarks.endpoints import TwoRegions, two_dynalites
from benchmarks.figures import Figure, all_of, at_most, show
from benchmarks.material import ITEM_BYTES, ITEMS_TABLE, SOURCE, TARGET, fill_items_table, job_text
from dynamodb_copy.aws.connection_pool import Timeouts

_KILLS = 50
_FREEZES = 10
_ITEMS = 20_000
_SEGMENTS = 2
_PAGE_ITEMS = (1 << 20) // ITEM_BYTES
"""What one Scan may return: 1 MB."""
_COPY_SECONDS = 2.0
"""About what a copy takes that nobody disturbs: moments are drawn from this time."""
_TIMEOUTS = Timeouts(connect_seconds=0.5, read_seconds=1.5)  # leases of 6 s: a retry does not wait long


@dataclass(slots=True)
class _Chaos:
    regions: TwoRegions
    random: Random
    console: Console
    equal: int = 0
    most_read_again: float = 0.0  # items, per segment
    late_batches: int = 0  # sent by a frozen attempt after it woke up
    ended_by: dict[str, int] = field(default_factory=dict)

    def kill(self, number: int) -> None:
        """Kill a copy with SIGKILL, and let another attempt finish it."""
        run = self._planned(f"killed-{number}")
        before = self._items_read()
        with copying(run) as attempt:
            attempt.wait_until_copying()
            time.sleep(self.random.uniform(0, _COPY_SECONDS))
        self._finish(run)
        again = (self._items_read() - before - _ITEMS) / _SEGMENTS
        self.most_read_again = max(self.most_read_again, again)
        self._judge(run, f"kill {number + 1}/{_KILLS}: {again:,.0f} items per segment read again")

    def freeze(self, number: int) -> None:
        """Stop a copy with SIGSTOP, let another attempt finish it, and wake the first one up."""
        run = self._planned(f"frozen-{number}")
        with copying(run) as zombie:
            zombie.wait_until_copying()
            time.sleep(self.random.uniform(0, _COPY_SECONDS))
            os.kill(zombie.process.pid or 0, signal.SIGSTOP)
            self._finish(run)
            before = self._batches_written()
            os.kill(zombie.process.pid or 0, signal.SIGCONT)
            errors = zombie.outcome().errors
        late = self._batches_written() - before
        self.late_batches += late
        for error in errors or ("nothing: it was done",):
            self.ended_by[error] = self.ended_by.get(error, 0) + 1
        self._judge(run, f"freeze {number + 1}/{_FREEZES}: the zombie ended by {errors}, {late} batches sent late")

    def _planned(self, name: str) -> BenchmarkRun:
        run = BenchmarkRun(self.regions.endpoints, job_text(name, segments=_SEGMENTS), name, _TIMEOUTS)
        run.planned()
        return run

    def _finish(self, run: BenchmarkRun) -> None:
        with copying(run) as retry:
            retry.wait_until_copying()
            outcome = retry.outcome()
        assert outcome.items == _ITEMS, outcome

    def _judge(self, run: BenchmarkRun, what: str) -> None:
        outcome = run.verdict().outcome
        self.equal += outcome == "equal"
        self.console.print(f"{what}: {outcome}")

    def _items_read(self) -> int:
        scans = [each for each in self.regions.proxies[SOURCE].exchanges if each.operation == "Scan"]
        return sum(each.items for each in scans if each.table == ITEMS_TABLE)

    def _batches_written(self) -> int:
        return self.regions.proxies[TARGET].count("BatchWriteItem")


def chaos(seed: int, console: Console) -> Iterator[Figure]:
    """Disturb copies at moments that the seed decides."""
    with two_dynalites() as regions:
        fill_items_table(regions.direct[SOURCE], _ITEMS)
        disturbed = _Chaos(regions, Random(seed), console)  # noqa: S311 - moments, not secrets
        for number in range(_KILLS):
            disturbed.kill(number)
        yield all_of(
            f"kill -9 of a {_ITEMS:,}-item copy, then retry: equal by digest", disturbed.equal, _KILLS, "times"
        )
        yield at_most("items read again per segment, at most", disturbed.most_read_again, _PAGE_ITEMS, "items")
        disturbed.equal = 0
        for number in range(_FREEZES):
            disturbed.freeze(number)
        yield all_of("SIGSTOP, retry to the end, SIGCONT: equal by digest", disturbed.equal, _FREEZES, "times")
        yield at_most("batches sent late by woken attempts", disturbed.late_batches, _FREEZES, "batches")
        console.print(f"woken attempts ended by: {disturbed.ended_by}")


def main() -> int:
    """Print every disturbance and the figures; return 0 if every copy ended equal."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # the emulators are on this machine
    console = Console(highlight=False)
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else Random().randrange(1_000_000)  # noqa: S311 - as above
    console.print(f"seed {seed}: `python -m benchmarks.chaos {seed}` draws the same moments")
    figures = list(chaos(seed, console))
    show(console, figures)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
