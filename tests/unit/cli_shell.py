"""A shell with a fake outside: runs commands on a job file and remembers what they asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dynamodb_copy.assembly import Choice, Forecast, Listing, Prepared
from dynamodb_copy.chain_report import ChainReport
from dynamodb_copy.cli import Surroundings, main
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.job import CopyJob, Job, S3At
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.report import Report, SegmentReport, Verdict
from job_texts import text_of

NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)
EQUAL = Verdict("equal", "content", 9, 9, 0, 0, 0, 0, "ab" * 16, "ab" * 16, (), (), "Both hold the same items.")
SEGMENT = SegmentReport("segment 1/1", 9, 900, 1.0, 9.0, 0, 0, 2.0)
TIMES = ("2026-11-23T09:13:00Z", "2026-11-23T09:13:08Z")
REPORT = Report("orders", "cli/1", "arn:source", "arn:target", *TIMES, (SEGMENT,), EQUAL, 0, ())
FORECAST = Forecast(4, 20_000, 8_600_000, 125.0, 1050.0, 20_000.0, creates_target=True, notes=["PITR is not copied"])
BACKUP = "s3://dr-backups/orders/AWSDynamoDB/01768385930622-efd1a093"
CHOICE = Choice(
    uri=BACKUP,
    folder="orders/AWSDynamoDB/01768385930622-efd1a093",
    root="ab" * 32,
    consistent="2026-11-25T02:00:04+00:00",
    items=12_000,
    table_arn="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    as_of=None,
    notes=("passed over: a damaged one",),
)
RECOVERED = DrillReport(
    job="orders",
    run_id="cli/new",
    backup=BACKUP,
    table="arn:table",
    scratch="arn:scratch",
    triggered="2026-11-25T06:00:00+00:00",
    consistent="2026-11-25T02:00:04+00:00",
    rpo_seconds=14_396.0,
    rpo_objective_seconds=86_400.0,
    rto_seconds=90.0,
    rto_objective_seconds=1800.0,
    phases={"choose": 0.4, "restore": 60.0},
    manifest_items=12_000,
    read_items=12_000,
    scratch_items=12_000,
    backup_digest="ab" * 16,
    scratch_digest="ab" * 16,
    source_now="about 12,100 items now",
    notes=(),
    problems=(),
)

WHOLE = ChainReport("s3://dr-backups/orders", 1, 2, 12_000, 300, 5_220_113, ("at 2026-11-25",), checksums=False)


@dataclass
class FakeRun:
    """A run of a copy that notes its calls and fails as it is told to; a failure is raised once, then forgotten."""

    segments: Sequence[Segment] = (Segment(0, 2), Segment(1, 2))
    changes: Sequence[Segment] = ()  # of a second stage
    failures: dict[str, list[BaseException]] = field(default_factory=dict)
    verdict: Verdict = EQUAL
    forecasted: Any = field(default_factory=lambda: FORECAST)
    polls_until_active: int = 0
    polls_until_done: int = 0  # of the service's export or import
    while_copying: Callable[[Segment, Callable[[], None]], None] = lambda _segment, _checkpoint: None
    calls: list[str] = field(default_factory=list)
    released: list[Segment] = field(default_factory=list)
    opened_as: list[str] = field(default_factory=list)
    keys_shown: bool | None = None

    def called(self, name: str, result: Any = None) -> Any:
        """Note the call, and fail if that was told; else return the result."""
        self.calls.append(name)
        if self.failures.get(name):
            raise self.failures[name].pop(0)
        return result

    def prepare(self) -> Any:
        """As a run."""
        return self.called("prepare", Prepared("arn:target", created=True, notes=["TTL comes later"]))

    def target_is_active(self) -> Any:
        """As a run."""
        self.polls_until_active -= 1
        return self.called("target_is_active", self.polls_until_active < 0)

    def plan(self) -> Any:
        """As a run."""
        plan = SimpleNamespace(segments=self.segments, reason="segments: 2, because it is small", notes=["no scaling"])
        return self.called("plan", plan)

    def copy(self, segment: Segment, on_progress: Callable[[Segment, Tally], None]) -> Tally:
        """As a run."""
        try:
            self.called("copy")
            self.while_copying(segment, lambda: on_progress(segment, Tally(items=5)))
            return Tally(items=5, seconds=1.0)
        finally:
            self.released.append(segment)

    def hand_over(self) -> Any:
        """As a run that has a second stage."""
        plan = SimpleNamespace(segments=self.changes, reason=f"{len(self.changes)} segments of changes", notes=[])
        return self.called("hand_over", plan)

    def apply(self, _segment: Segment, _on_progress: object, _on_drained: object) -> Any:
        """As a run that has a second stage."""
        return self.called("apply", Tally(items=3, seconds=1.0))

    def mirror(self) -> Any:
        """As a run."""
        return self.called("mirror", 12)

    def verify(self) -> Any:
        """As a run."""
        return self.called("verify", self.verdict)

    def seal(self) -> Any:
        """As a run."""
        return self.called("seal", replace(REPORT, verdict=self.verdict))

    def repair(self) -> Any:
        """As a run."""
        return self.called("repair", self.verdict)

    def forecast(self) -> Any:
        """As a run."""
        return self.called("forecast", self.forecasted)

    def compare(self, *, show_keys: bool = False) -> Any:
        """As a run."""
        self.keys_shown = show_keys
        return self.called("compare", self.verdict)


@dataclass
class Shell:
    """Runs commands on the job file `orders.yaml` against a fake run."""

    folder: Path
    captured: pytest.CaptureFixture[str]
    run: Any = field(default_factory=FakeRun)
    kind: type[Job] = CopyJob
    pauses: list[float] = field(default_factory=list)
    messages: str = ""
    output: str = ""
    usage: str = ""  # what is said about wrong arguments
    is_terminal: bool = False
    profiles: dict[str, str | None] = field(default_factory=dict)  # their regions by their names
    listing: Callable[[S3At], Listing] = lambda _place: Listing("s3://dr-backups/orders", (), ())
    chains: Callable[[S3At, bool], ChainReport] = lambda _place, _deep: WHOLE
    columns: int = 100

    def __call__(self, command: str, *options: str, **job: Any) -> int:
        """Run a command on a job file of these changes; its exit status."""
        jobfile = self.folder / "orders.yaml"
        jobfile.write_text(text_of(self.kind, **job))
        return self.main(command, str(jobfile), *options)

    def main(self, *arguments: str) -> int:
        """Run a command line; what it wrote is kept."""
        to = io.StringIO()
        console = Console(file=to, force_terminal=self.is_terminal, markup=False, highlight=False, soft_wrap=True)
        try:
            return main(arguments, self.outside(console))
        finally:
            self.messages = to.getvalue()
            self.output, self.usage = self.captured.readouterr()

    def outside(self, messages: Console) -> Surroundings:
        """All that a command can ask of the outside."""
        return Surroundings(
            open_run=self.open_run,
            messages=messages,
            pause=lambda _, seconds: self.pauses.append(seconds),
            new_run_id=lambda: "cli/new",
            now=lambda: NOW,
            region_of=lambda profile: self.profiles[profile],
            list_backups=self.listing,
            check_chains=self.chains,
            columns=self.columns,
        )

    def open_run(self, job: Job, run_id: str) -> Any:
        """Open the fake, which is of the job's kind."""
        assert type(job) is self.kind
        self.run.opened_as.append(run_id)
        return self.run.called("open", self.run)
