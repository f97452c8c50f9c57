"""The same jobs without Airflow: plan, run, verify and repair from a shell."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console
from rich.filesize import decimal

from dynamodb_copy import errors
from dynamodb_copy.assembly import CopyRun, Forecast
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.job import CopyJob, Job, load_job
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.progress_bars import Meter, shown
from dynamodb_copy.report import Report, Verdict, render_rows

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # BAD_INPUT: nothing was touched

_PROGRAM = "python -m dynamodb_copy"
_SECONDS_BETWEEN_POLLS = 5.0
_SECONDS_BETWEEN_TICKS = 1.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the command line asks of the outside."""

    open_run: Callable[[CopyJob, str], CopyRun]
    messages: Console  # on standard error; standard output is for results alone
    pause: Callable[[threading.Event, float], object]  # seconds at most, and no longer than the event is not set
    new_run_id: Callable[[], str]


class _Outcome(NamedTuple):
    values: dict[str, Any]  # what --json prints
    text: str
    good: bool


class _RefusedError(Exception):
    """Holds the reason; nothing was touched."""


class _StoppedError(Exception):
    """A segment stops after a checkpoint because the whole copy does."""


def main(argv: Sequence[str], outside: Surroundings) -> int:
    """Run one command and return its exit status; wrong arguments raise SystemExit(2)."""
    arguments = _parser().parse_args(argv)
    try:
        outcome: _Outcome = arguments.command(_copy_job(load_job(arguments.jobfile)), arguments, outside)
    except _RefusedError as refused:
        return _failed(refused.args[0], BAD_INPUT, arguments, outside)
    except (errors.JobFileError, errors.ConnectionMissingError) as error:
        return _failed(error, BAD_INPUT, arguments, outside)
    except errors.CopyError as error:
        return _failed(error, FAILED, arguments, outside)
    except KeyboardInterrupt:
        outside.messages.print("interrupted")
        return INTERRUPTED
    sys.stdout.write(f"{json.dumps(outcome.values) if arguments.json else outcome.text}\n")
    return DONE if outcome.good else FAILED


def _copy_job(job: Job) -> CopyJob:
    if isinstance(job, CopyJob):
        return job
    advice = "name the file of such a job"
    raise errors.JobFileError(f"{job.name}: found a {type(job).__name__}; allowed: copies of a table; {advice}")


def _failed(error: errors.CopyError, status: int, arguments: argparse.Namespace, outside: Surroundings) -> int:
    outside.messages.print(str(error))
    if arguments.json:
        sys.stdout.write(json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n")
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("jobfile", metavar="JOBFILE", type=Path, help="the job's YAML file")
    common.add_argument("--json", action="store_true", help="print the result as one JSON object on standard output")
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Copy DynamoDB tables as job files say.")
    added = parser.add_subparsers(required=True, metavar="COMMAND")
    commands = {name: added.add_parser(name, parents=[common], help=what) for name, (_, what) in _COMMANDS.items()}
    for name, command in commands.items():
        command.set_defaults(command=_COMMANDS[name][0])
    commands["run"].add_argument("--run-id", type=_run_id, help="continue the run of this id where it was stopped")
    commands["verify"].add_argument("--show-keys", action="store_true", help="name differing items by their keys")
    return parser


def _run_id(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give the id that the stopped run printed when it began")
    return text


def _plan(job: CopyJob, _arguments: argparse.Namespace, outside: Surroundings) -> _Outcome:
    with _before_anything_is_touched():
        forecast = outside.open_run(job, outside.new_run_id()).forecast()
    return _Outcome({"job": job.name, **asdict(forecast)}, _forecast_text(job, forecast), good=True)


def _verify(job: CopyJob, arguments: argparse.Namespace, outside: Surroundings) -> _Outcome:
    outside.messages.print(f"{job.name}: comparing source and target")
    with _before_anything_is_touched(), frozen_collector():
        verdict = outside.open_run(job, outside.new_run_id()).compare(show_keys=arguments.show_keys)
    return _compared(job, verdict)


def _repair(job: CopyJob, _arguments: argparse.Namespace, outside: Surroundings) -> _Outcome:
    with _before_anything_is_touched():
        run = outside.open_run(job, outside.new_run_id())
    outside.messages.print(f"{job.name}: writing what differs")
    with frozen_collector():
        return _compared(job, run.repair())


def _run(job: CopyJob, arguments: argparse.Namespace, outside: Surroundings) -> _Outcome:
    run_id = arguments.run_id or outside.new_run_id()
    again = f"{_PROGRAM} run {shlex.quote(str(arguments.jobfile))} --run-id {shlex.quote(run_id)}"
    outside.messages.print(f"{job.name}: run {run_id}; if it stops early, continue with\n  {again}")
    if job.preconditions:
        outside.messages.print("preconditions are awaited by Airflow only: make sure that they hold")
    try:
        report = _Run(job, run_id, outside).whole(continued=arguments.run_id is not None)
    except KeyboardInterrupt:
        outside.messages.print(f"stopped, nothing is lost; continue with\n  {again}")
        raise
    return _Outcome(report.as_dict(), report.render(), good=report.verdict.outcome != "differs")


def _compared(job: CopyJob, verdict: Verdict) -> _Outcome:
    # What only the target has is what a mirror is there to remove.
    good = verdict.outcome == "equal" or (verdict.outcome == "superset" and not job.target.mirror)
    return _Outcome(verdict.as_dict(), f"{job.name}: {verdict.render()}", good)


_COMMANDS: dict[str, tuple[Callable[..., _Outcome], str]] = {
    "plan": (_plan, "say what a run would do and how long it would take; touch nothing"),
    "run": (_run, "do what the job says, once"),
    "verify": (_verify, "compare source and target now; write nothing"),
    "repair": (_repair, "write only what differs, then compare again"),
}


def _forecast_text(job: CopyJob, forecast: Forecast) -> str:
    seconds = forecast.seconds
    time = "not known: the job sets no limit" if seconds is None else f"about {timedelta(seconds=math.ceil(seconds))}"
    rows = [
        ("items", f"{forecast.items:,} in {forecast.segments} segments, as the service last counted them"),
        ("size", decimal(forecast.bytes)),
        ("target", "would be created like the source" if forecast.creates_target else "exists"),
        ("time", time),
        ("capacity", f"{forecast.read_units:,.0f} read units, {forecast.write_units:,.0f} write units"),
        ("price", "not estimated: prices of capacity units differ by region and change"),
        *[("note", note) for note in forecast.notes],
    ]
    return render_rows(f"{job.name}: what a run would do; nothing was touched", rows)


@contextmanager
def _before_anything_is_touched() -> Iterator[None]:
    try:
        yield
    except (errors.TableError, errors.TargetRefusedError, errors.AccessError) as error:
        raise _RefusedError(error) from error


class _Run:
    def __init__(self, job: CopyJob, run_id: str, outside: Surroundings) -> None:
        self._job = job
        self._outside = outside
        self._say = outside.messages.print
        self._stop = threading.Event()
        with _before_anything_is_touched():
            self._run = outside.open_run(job, run_id)

    def whole(self, *, continued: bool) -> Report:
        with _before_anything_is_touched():
            prepared = self._patiently(self._run.prepare)
        found = f"target {prepared.target_arn}: {'created' if prepared.created else 'exists'}"
        self._say("\n".join([found, *prepared.notes]))
        self._wait_until_active()
        plan = self._patiently(self._run.plan)
        self._say("\n".join([plan.reason, *plan.notes]))
        with frozen_collector():
            self._copy(plan.segments, continued=continued)
            return self._finish()

    def _wait_until_active(self) -> None:
        for _ in range(math.ceil(self._job.timeout.total_seconds() / _SECONDS_BETWEEN_POLLS)):
            if self._patiently(self._run.target_is_active):
                return
            self._say("waiting until the target is ACTIVE")
            self._outside.pause(self._stop, _SECONDS_BETWEEN_POLLS)
        raise errors.TableError(f"the target is not ACTIVE after {self._job.timeout}: see why, then continue the run")

    def _copy(self, segments: Sequence[Segment], *, continued: bool) -> None:
        meter = Meter(segments, continued=continued)
        with shown(meter, self._outside.messages) as tick, ThreadPoolExecutor(self._job.parallel) as pool:
            try:
                pending = {pool.submit(self._copy_one, segment, meter) for segment in segments}
                while pending:
                    done, pending = wait(pending, _SECONDS_BETWEEN_TICKS, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    tick()
            except BaseException:  # Ctrl-C too, which may come while segments are still being submitted
                self._say("stopping: segments under way end at their next checkpoint")
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _copy_one(self, segment: Segment, meter: Meter) -> None:
        def advanced(at: Segment, tally: Tally) -> None:
            meter.advanced(at, tally)
            if self._stop.is_set():
                raise _StoppedError

        meter.finished(segment, self._patiently(lambda: self._run.copy(segment, advanced)))

    def _finish(self) -> Report:
        if self._job.target.mirror:
            self._say(f"{self._patiently(self._run.mirror):,} items deleted that the source does not have")
        self._say(f"verifying ({self._job.verify})")
        self._patiently(self._run.verify)
        return self._patiently(self._run.seal)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        retries_left = self._job.retries
        while True:
            try:
                return attempt()
            except errors.TransientError as error:
                if not retries_left or self._stop.is_set():
                    raise
                self._say(f"{error}\ntrying again in {self._job.retry_delay}; tries left: {retries_left}")
            retries_left -= 1
            self._outside.pause(self._stop, self._job.retry_delay.total_seconds())
