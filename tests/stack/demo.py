"""`make demo`: every job of include/jobs through Airflow, between two emulated regions.

First the copies and backups; then the source changes, and what is kept up to date takes the changes alone; then, with
the source region dark, the restores and drills, one of them to a moment between two changes. Succeeds only if every run
does and proves what it shall: targets equal, backups sealed, drills recovered.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob
from stack.acts import DemoFailedError, Stage, perform
from stack.airflow_stack import StackError, exit_on_signals
from stack.emulators import EmulatorError, boto_client, free_port
from stack.local_stack import dark, local_stack
from stack.order_changes import FIRST, SECOND, change, count_orders
from stack.seed import REGION

_NEED_THE_SOURCE = (CopyJob, BackupJob, IncrementalJob, IncrementalBackupJob)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A second that is over, and how many orders there were at its end."""

    time: datetime
    orders: int


def play(stage: Stage) -> Moment:
    """Return the moment to which the orders were brought back; raises DemoFailedError."""
    copy_and_back_up(stage)
    moment = change_the_orders(stage)
    bring_up_to_date(stage)
    stage.console.print(
        f"[bold red]The source region goes dark:[/bold red] {REGION} hangs up on every request from now on."
    )
    with stage.stack.regions.injecting(dark(REGION)):
        restore_and_rehearse(stage, moment)
    return moment


def copy_and_back_up(stage: Stage) -> None:
    """Run every job that reads a table; of the incremental ones this first run takes everything."""
    perform(stage, [job for job in stage.stack.jobs if isinstance(job, _NEED_THE_SOURCE)])


def change_the_orders(stage: Stage) -> Moment:
    """Make two sets of changes; return the moment between them."""
    client = boto_client(stage.stack.endpoint, "dynamodb", REGION)
    change(client, FIRST)
    moment = Moment(_second_that_is_over(), count_orders(client))
    change(client, SECOND)
    stage.console.print(
        f"[bold]The source changes:[/bold] {FIRST.described}; at {moment.time:%H:%M:%S} UTC there are "
        f"{moment.orders:,} orders. Then {SECOND.described}; now there are {count_orders(client):,}.",
        soft_wrap=True,
    )
    return moment


def bring_up_to_date(stage: Stage) -> None:
    """Run every incremental job again; raise DemoFailedError unless it takes every change and nothing else."""
    jobs = [job for job in stage.stack.jobs if isinstance(job, IncrementalJob | IncrementalBackupJob)]
    act = perform(stage, jobs)
    for job in jobs:
        stage.console.print(f"{job.name} {taken(act.figures(job.name), FIRST.count + SECOND.count)}", soft_wrap=True)


def restore_and_rehearse(stage: Stage, moment: Moment) -> None:
    """Run every restore and drill, of chains to the moment; raise DemoFailedError unless those find as many orders."""
    jobs = [job for job in stage.stack.jobs if not isinstance(job, _NEED_THE_SOURCE)]
    chains = {job.target.s3 for job in stage.stack.jobs if isinstance(job, IncrementalBackupJob)}
    drills = [job.name for job in jobs if isinstance(job, DrillJob) and job.source.s3 in chains]
    act = perform(stage, jobs, {name: {"as_of": moment.time.isoformat()} for name in drills})
    for name in drills:
        stage.console.print(f"{name} {found(act.figures(name), moment)}", soft_wrap=True)


def taken(figures: Mapping[str, Any], changes: int) -> str:
    """Say that a run took these changes alone, and how far it lags; raises DemoFailedError when it did not."""
    if figures["items"] != changes:
        raise DemoFailedError(f"{figures['job']} took {figures['items']:,} changes, {changes:,} were made")
    return f"took the {changes:,} changes and nothing else; lag {figures['lag_seconds']:.0f} s"


def found(figures: Mapping[str, Any], moment: Moment) -> str:
    """Say that a drill found the orders of a moment; raises DemoFailedError when it found more or fewer."""
    if figures["scratch_items"] != moment.orders:
        raise DemoFailedError(
            f"{figures['job']} found {figures['scratch_items']:,} orders as of {moment.time.isoformat()}, there were "
            f"{moment.orders:,}"
        )
    return f"found the {moment.orders:,} orders that there were at {moment.time:%H:%M:%S} UTC, between the two changes"


def _second_that_is_over() -> datetime:
    """The one that runs now, after its end: what is written from then on is written in another second."""
    second = datetime.now(UTC).replace(microsecond=0)
    while (left := second + _SECOND - datetime.now(UTC)) > timedelta():
        time.sleep(left.total_seconds())
    return second


def main() -> int:
    """Run the demo; return 0 if everything was proven, 1 otherwise."""
    exit_on_signals()
    console = Console(highlight=False)
    started = time.monotonic()
    try:
        with local_stack(console, port=free_port(), on_schedule=False) as stack:
            moment = play(Stage(console, stack, started))
    except (DemoFailedError, EmulatorError, StackError) as error:
        console.print(f"[red]demo failed[/red] after {time.monotonic() - started:.0f} s")
        console.print("\n".join([str(error), *getattr(error, "__notes__", [])]), markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(
        "Every copy equalled its source by content, and later runs took the changes alone. With the source dark, the "
        f"backup was restored and drilled, and the chain gave back the {moment.orders:,} orders of "
        f"{moment.time:%H:%M:%S} UTC, a moment between two changes. {time.monotonic() - started:.0f} s in all.",
        soft_wrap=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
