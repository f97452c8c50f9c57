"""Copies in processes of their own, to be measured, killed and frozen."""

from __future__ import annotations

import multiprocessing
import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from benchmarks.endpoints import Endpoints
from benchmarks.material import ITEMS_TABLE, REGIONS, SOURCE, TARGET
from dynamodb_copy.assembly import AnyRun, BackupRun, CopyRun, RestoreRun, open_run
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.errors import CopyError
from dynamodb_copy.job import read_job
from dynamodb_copy.model import Segment
from dynamodb_copy.report import Verdict
from dynamodb_copy.sinks import open_part, s3_backup
from stack.emulators import boto_client

_BATCH_ITEMS = 25
_SMALL_PART_BYTES = 128 << 10
_SMALL_PIECE_BYTES = 48 << 10
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 300.0

# its modules are imported once: a new process is there in milliseconds
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """One run of a job of `job_text`; opens in any process."""

    endpoints: Endpoints
    job_text: str
    run_id: str
    timeouts: Timeouts = field(default_factory=Timeouts)

    def opened(self) -> AnyRun:
        """Open it with clients of its own."""
        return open_run(read_job("benchmark", self.job_text), self.run_id, self._connect, timeouts=self.timeouts)

    def open(self) -> CopyRun | BackupRun | RestoreRun:
        """Open a run that copies once."""
        run = self.opened()
        assert isinstance(run, CopyRun | BackupRun | RestoreRun)
        return run

    def planned(self) -> CopyRun | BackupRun | RestoreRun:
        """Choose, prepare and plan it, as far as a run of its kind does."""
        run = self.open()
        if isinstance(run, RestoreRun):
            run.choose()
        run.prepare()
        while not isinstance(run, BackupRun) and not run.target_is_active():
            time.sleep(_POLL_SECONDS)
        run.plan()
        return run

    def seal(self) -> None:
        """Make what was stored a backup."""
        run = self.open()
        assert isinstance(run, BackupRun)
        run.seal()

    def verdict(self) -> Verdict:
        """Verify the copy or the restore."""
        run = self.open()
        assert isinstance(run, CopyRun | RestoreRun)
        return run.verify()

    def _connect(self, service: str, region: str, connection: str) -> Any:
        return boto_client(self.endpoints[connection], service, region)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process did from its first request for items on."""

    items: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int  # resident, above what it was before
    errors: tuple[str, ...]  # the names of what ended segments early


@dataclass(frozen=True, slots=True)
class Attempt:
    """A process at work; killed at the latest when its block ends."""

    process: ForkServerProcess
    reports: Connection

    def wait_until_copying(self) -> None:
        """Return when everything is imported and open, and the copy begins."""
        self._next()

    def outcome(self) -> Outcome:
        """Wait for the end of the copy."""
        outcome = self._next()
        assert isinstance(outcome, Outcome)
        return outcome

    def _next(self) -> Outcome | None:
        if not self.reports.poll(_PATIENCE_SECONDS):
            raise TimeoutError(f"process {self.process.pid} said nothing for {_PATIENCE_SECONDS:.0f} s")
        report: Outcome | None = self.reports.recv()  # EOFError: it died, and its traceback is above
        return report


@contextmanager
def copying(run: BenchmarkRun) -> Iterator[Attempt]:
    """Copy what is left of a planned run, each segment in a thread and with clients of its own."""
    with attempting(_copy, run) as attempt:
        yield attempt


@contextmanager
def copying_in_small_parts(run: BenchmarkRun) -> Iterator[Attempt]:
    """The same, with a backup's parts, and their pieces, as many as those of a table hundreds of times larger."""
    with attempting(_copy_in_small_parts, run) as attempt:
        yield attempt


@contextmanager
def copying_plainly(endpoints: Endpoints, target_table: str, items: int) -> Iterator[Attempt]:
    """Copy about as many items with nothing but a boto3 client, as one writes it without further thought."""
    with attempting(_copy_plainly, endpoints, target_table, items) as attempt:
        yield attempt


@contextmanager
def attempting(work: Callable[..., None], *arguments: Any) -> Iterator[Attempt]:
    """Do `work(reports, *arguments)` in a process of its own; it ends with `measure`."""
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Attempt(process, ours)
    finally:
        process.kill()  # a frozen process obeys nothing else
        process.join()
        ours.close()


def _copy(reports: Connection, run: BenchmarkRun) -> None:
    segments = run.open().plan().segments
    runs = [run.open() for _ in segments]

    def copy_all() -> tuple[int, Sequence[str]]:
        with ThreadPoolExecutor(len(segments)) as threads:
            ended = list(threads.map(_copy_segment, runs, segments))
        return sum(items for items, _ in ended), [error for _, error in ended if error]

    with frozen_collector():
        measure(reports, copy_all)


def _copy_in_small_parts(reports: Connection, run: BenchmarkRun) -> None:
    s3_backup.PART_BYTES = _SMALL_PART_BYTES
    open_part.PIECE_BYTES = _SMALL_PIECE_BYTES  # of no meaning to S3 itself, whose least is 5 MiB
    _copy(reports, run)


def _copy_segment(run: CopyRun | BackupRun | RestoreRun, segment: Segment) -> tuple[int, str]:
    try:
        return run.copy(segment, lambda *_: None).items, ""
    except CopyError as error:
        return 0, type(error).__name__


def _copy_plainly(reports: Connection, endpoints: Endpoints, target_table: str, items: int) -> None:
    source, target = [boto_client(endpoints[side], "dynamodb", REGIONS[side]) for side in (SOURCE, TARGET)]

    def copy_all() -> tuple[int, Sequence[str]]:
        copied = 0
        request: dict[str, Any] = {"TableName": ITEMS_TABLE}
        while copied < items:
            page = source.scan(**request)
            for at in range(0, page["Count"], _BATCH_ITEMS):
                puts = [{"PutRequest": {"Item": each}} for each in page["Items"][at : at + _BATCH_ITEMS]]
                target.batch_write_item(RequestItems={target_table: puts})
            copied += page["Count"]
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return copied, ()

    measure(reports, copy_all)


def measure(reports: Connection, copy_all: Callable[[], tuple[int, Sequence[str]]]) -> None:
    """Tell that the work begins, do it, and tell what it took."""
    idle_bytes = _resident_bytes("VmRSS")
    reports.send(None)
    began, cpu_before = time.perf_counter(), _cpu_seconds()
    items, errors = copy_all()
    cpu_seconds, seconds = _cpu_seconds() - cpu_before, time.perf_counter() - began
    peak_bytes = _resident_bytes("VmHWM") - idle_bytes
    reports.send(Outcome(items, seconds, cpu_seconds, peak_bytes, tuple(errors)))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _resident_bytes(field: str) -> int:
    """Of this process, as Linux counts; `resource` would report the peak of the process that it was forked from."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
