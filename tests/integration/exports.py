"""Incremental copies and chains by the service's exports, and what they begin with and lead to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from dynamodb_copy.assembly import IncrementalBackupRun, IncrementalRun, open_run
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.chain import Chain
from dynamodb_copy.chain_check import check_chain
from dynamodb_copy.chains import chain_for
from dynamodb_copy.phases import export_feed
from dynamodb_copy.report import Report
from dynamodb_copy.windows import windows
from integration.chains import restored
from integration.changes import chain_run, incremental_job, next_second, undrained
from integration.pair import SOURCE_REGION, TIMEOUTS, Hurried, Pair, Side, item_of, unseen
from integration.service_jobs import Native, switch_recovery, waited

BY_EXPORT, BY_STREAM = {"by": "export"}, {"by": "stream"}
EXPORT = "export_table_to_point_in_time"
_LAG_HOURS = 300 / 3600  # the latest moment that can be exported is five minutes ago

AnyRun = IncrementalRun | IncrementalBackupRun


@dataclass(frozen=True, slots=True)
class Exporting:
    """Runs by exports; changes can be exported up to now, and up to later once time has passed."""

    native: Native

    @property
    def pair(self) -> Pair:
        """The tables."""
        return self.native.pair

    @property
    def exports(self) -> list[str]:
        """The ARNs of all exports that cost money."""
        return self.native.exports

    @property
    def bucket(self) -> Bucket:
        """Where chains and staged exports lie."""
        return Bucket(self.native.store.client, self.native.store.bucket)

    def copy(self, run_id: str, *, connect: Connect | None = None, **job: Any) -> Any:
        """Open a run that brings the target up to date, as one process does."""
        values = {"changes": BY_EXPORT, "staging": self.native.store.place["s3"], **job}
        made = incremental_job(self.pair, **values)
        name = f"{self.pair.table}/{run_id}"
        return open_run(made, name, connect or self.pair.connect, timeouts=TIMEOUTS, clock=clock_for(values))

    def chain(self, run_id: str, *, connect: Connect | None = None, **job: Any) -> Any:
        """Open a run that extends the chain, as one process does."""
        values = {"changes": BY_EXPORT, **job}
        made = chain_run(self.native.store, run_id, clock=clock_for(values), **values)
        return type(made)(replace(made._context, connect=connect or self.pair.connect))  # noqa: SLF001 - as `at` does

    def exported_once(self) -> bool:
        """Whether the windows follow one another, each with one export."""
        cut = self.windows()
        return [start for start, _ in cut[1:]] == [end for _, end in cut[:-1]]

    def pass_by(self, *, minutes: float = 30) -> None:
        """Let time pass; emulators write their streams by their own clock, so that changes are told from now on."""
        self.native.service.hours += minutes / 60

    def renew_recovery(self) -> None:
        """Switch it off and on, as the fake sees it."""
        side = Side(self.native.service.proxy.endpoint, SOURCE_REGION, self.pair.table)
        for on in (False, True):
            switch_recovery(side, on=on)

    def described(self, arn: str) -> dict[str, Any]:
        """An export as the service shows it."""
        source = self.pair.connect("dynamodb", SOURCE_REGION, "aws_virginia")
        shown: dict[str, Any] = source.describe_export(ExportArn=arn)["ExportDescription"]
        return shown

    @property
    def window_exports(self) -> list[str]:
        """The ARNs of the incremental ones."""
        return [arn for arn in self.exports if self.described(arn)["ExportType"] != "FULL_EXPORT"]

    def windows(self) -> list[tuple[int, int]]:
        """Of the incremental exports, in the order in which they were started."""
        shown = [self.described(arn) for arn in self.exports]
        times = [each["IncrementalExportSpecification"] for each in shown if each["ExportType"] != "FULL_EXPORT"]
        ends = [(each["ExportFromTime"], each["ExportToTime"]) for each in times]
        return [(int(start.timestamp()), int(end.timestamp())) for start, end in ends]

    def stored(self) -> Chain:
        """The chain that leads furthest."""
        return chain_for(self.bucket, self.native.store.prefix, until=None, known_root=lambda _: None)

    def problems(self) -> list[str]:
        """Everything that is wrong below the prefix."""
        report = check_chain(self.bucket, self.native.store.prefix, lambda _: None, deep=True)
        return [f"{each.kind} {each.text}" for each in report.problems]


def clock_for(job: dict[str, Any]) -> Clock | None:
    """Nobody has to wait for leases; a stream tells its changes in its own time."""
    return Hurried() if job["changes"]["by"] == "export" else None


@pytest.fixture
def exporting(native: Native) -> Exporting:
    """A source of 40 items with a stream, whose recovery began with it; the latest restorable moment is now."""
    source = native.pair.source
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    source.client.update_table(TableName=source.table, StreamSpecification=stream)
    made = Exporting(native)
    made.renew_recovery()
    native.service.hours = _LAG_HOURS
    return made


@pytest.fixture
def short_windows(exporting: Exporting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is enough for a window, so that histories are told in seconds."""
    monkeypatch.setattr(export_feed, "windows", partial(windows, least_seconds=1))
    monkeypatch.setattr(exporting.native.service.exports._windows, "_least_seconds", 1)  # noqa: SLF001


def based(run: AnyRun) -> None:
    """The run up to the end of its base."""
    run.prepare()
    if run.job.base == "export":
        waited(run.base_is_exported)
    for segment in run.plan().segments:
        run.copy(segment, unseen)


def windowed(run: AnyRun) -> AnyRun:
    """The run, after the end of its windows' exports."""
    based(run)
    run.hand_over()
    run.start_windows()
    waited(run.windows_are_done)
    return run


def applied(run: AnyRun) -> AnyRun:
    """The run, after its changes were applied."""
    for segment in windowed(run).hand_over().segments:
        run.apply(segment, unseen, undrained)
    return run


def brought_up(run: AnyRun) -> Report:
    """All verbs of the run, one after the other."""
    return applied(run).seal()


def streamed(run: AnyRun) -> None:
    """The rest of a run whose base is exported, and whose changes come by the stream."""
    for segment in run.plan().segments:
        run.copy(segment, unseen)
    for segment in run.hand_over().segments:
        run.apply(segment, unseen, undrained)
    run.seal()


def change(source: Side) -> None:
    """Four keys that were there and were not, put and deleted."""
    next_second()
    source.put(item_of(7, note={"S": "changed"}), item_of(1000))
    source.delete(8, 9)


def moment(report: Report) -> int:
    """Up to when its target holds every change."""
    return int(datetime.fromisoformat(report.up_to).timestamp())


def assert_same(exporting: Exporting, kind: str) -> None:
    """The target, or what the chain leads to, is what the source is."""
    if kind == "chain":
        assert exporting.problems() == []
        restored(exporting.native.store.restore())
    assert exporting.pair.target.items() == exporting.pair.source.items()
