"""Windows of changes by the service's exports: each started once for its target, whatever happens to the runs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.exports import RecoveryWindow, recovery_window
from dynamodb_copy.errors import ChangesLostError, RunIncompleteError, ServiceUnavailableError, TableError
from dynamodb_copy.job import BackupJob, S3At
from dynamodb_copy.phases.context import AnyContext, RunContext
from dynamodb_copy.phases.windowing import (
    WindowsOf,
    check_recovery,
    start_windows,
    started_windows,
    windows_are_done,
)
from dynamodb_copy.windows import Window, windows
from integration.pair import SOURCE_REGION, TIMEOUTS, Side, key_of
from integration.service_jobs import ITEMS, Native, dies, fails, killed, switch_recovery, waited
from job_texts import kind_of
from stack.proxy_faults import Rule, cut_after_forwarding, cut_before_forwarding, nth

pytestmark = pytest.mark.integration

EXPORT = "export_table_to_point_in_time"
TARGET_ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/orders_replica"
HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Staged:
    """A source with a stream, whose changes are exported for a target."""

    native: Native
    stack: ExitStack

    @property
    def of(self) -> WindowsOf:
        """What is exported, for whom, and where to; the target's ARN is the test's own."""
        table_arn = self.native.pair.source.description()["TableArn"]
        return WindowsOf(table_arn, f"{TARGET_ARN}-{self.native.pair.table}", S3At(**self.native.store.place))

    @property
    def recovery(self) -> RecoveryWindow:
        """As the service shows it now."""
        return recovery_window(self.run().source_client, self.native.pair.table, needed_by="changes: {by: export}")

    def renew_recovery(self) -> None:
        """Switch it off and on, as the fake sees it."""
        side = Side(self.native.service.proxy.endpoint, SOURCE_REGION, self.native.pair.table)
        for on in (False, True):
            switch_recovery(side, on=on)

    def run(self, run_id: str = "run", *, connect: Connect | None = None) -> AnyContext:
        """A run as one process sees it."""
        job = kind_of(BackupJob, from_={"table": self.native.pair.table}, to_=self.native.store.place, engine="export")
        made = RunContext(job, run_id, connect or self.native.pair.connect, timeouts=TIMEOUTS)
        made.ensure_state()
        return replace(made, opened=self.stack)

    def killed_at_the_call(self, *, after: bool, number: int = 1) -> AnyContext:
        """A run that ends just before or after an export is asked for."""
        connect = self.native.meeting(killed, EXPORT, lambda at, _request: at == number, after=after)
        return self.run(connect=connect)

    def pass_by(self, *, hours: float) -> list[Window]:
        """The windows that there are then."""
        start = int(self.recovery.earliest.timestamp())
        self.native.service.hours += hours
        return windows(start, int(self.recovery.latest.timestamp()))

    def started(self, cut: list[Window], run_id: str = "run") -> list[str]:
        """The ARNs of the windows' exports."""
        return start_windows(self.run(run_id), self.of, cut)

    def changes(self, arn: str) -> list[dict[str, Any]]:
        """The lines of an export, found by its description."""
        described = self.run().source_client.describe_export(ExportArn=arn)["ExportDescription"]
        read = self.native.store.read
        manifest = read(json.loads(read(described["ExportManifest"]))["manifestFilesS3Key"])
        parts = [read(json.loads(line)["dataFileS3Key"]) for line in manifest.splitlines()]
        return [json.loads(line) for part in parts for line in gzip.decompress(part).splitlines()]


@pytest.fixture
def staged(native: Native) -> Iterator[Staged]:
    """Recovery begins anew with the stream."""
    source = native.pair.source
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    source.client.update_table(TableName=source.table, StreamSpecification=stream)
    with ExitStack() as stack:
        made = Staged(native, stack)
        made.renew_recovery()
        yield made


def test_each_window_has_an_export_of_its_changes_in_order(staged: Staged) -> None:
    staged.native.pair.source.delete(0)
    staged.native.pair.source.fill([ITEMS])
    cut = staged.pass_by(hours=50)

    arns = staged.started(cut)

    waited(partial(windows_are_done, staged.run(), arns))
    assert arns == staged.native.exports
    assert [window.end - window.start for window in cut] == [DAY, DAY, pytest.approx(2 * HOUR, abs=330)]
    first, *others = [staged.changes(arn) for arn in arns]
    assert sorted(("OldImage" in line, "NewImage" in line) for line in first) == [(False, True), (True, False)]
    assert [line["Keys"] for line in first if "OldImage" in line] == [key_of(0)]
    assert others == [[], []]


def test_the_request_says_the_window_the_view_the_place_and_its_owner(staged: Staged) -> None:
    (window,) = staged.pass_by(hours=1)
    place = replace(staged.of, kms_key="alias/changes")

    (arn,) = start_windows(staged.run(), place, [window])

    shown = staged.run().source_client.describe_export(ExportArn=arn)["ExportDescription"]
    times = shown["IncrementalExportSpecification"]
    assert [times[end].timestamp() for end in ("ExportFromTime", "ExportToTime")] == [*window]
    assert times["ExportViewType"] == "NEW_AND_OLD_IMAGES"
    assert (shown["S3Bucket"], shown["S3Prefix"]) == (staged.native.store.bucket, staged.native.store.prefix)
    assert (shown["S3SseAlgorithm"], shown["S3SseKmsKeyId"]) == ("KMS", "alias/changes")


def test_no_run_of_a_target_starts_a_windows_export_again(staged: Staged) -> None:
    cut = staged.pass_by(hours=26)
    first = staged.started(cut, "monday")
    again = staged.started(cut, "monday")
    staged.native.service.hours += 9
    waited(partial(windows_are_done, staged.run(), first))

    later = staged.started(cut, "tuesday")

    assert first == again == later == staged.native.exports


def test_another_target_has_exports_of_its_own(staged: Staged) -> None:
    cut = staged.pass_by(hours=1)
    first = staged.started(cut)

    second = start_windows(staged.run(), replace(staged.of, target_arn=f"{staged.of.target_arn}-2"), cut)

    assert first != second
    assert first + second == staged.native.exports


@pytest.mark.parametrize("hours", [0, 9])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_a_kill_around_a_call_leaves_one_export_of_each_window(
    staged: Staged, number: int, hours: int, *, after: bool
) -> None:
    cut = staged.pass_by(hours=50)
    dies(partial(start_windows, staged.killed_at_the_call(after=after, number=number), staged.of, cut))
    left = list(staged.native.exports)
    staged.native.service.hours += hours

    arns = staged.started(cut)

    assert len(left) == (number if after else number - 1)
    assert arns == staged.native.exports
    assert len(arns) == len(cut) == 3


@pytest.mark.parametrize("hours", [0, 9])
@pytest.mark.parametrize(("fault", "begun"), [(cut_before_forwarding, 0), (cut_after_forwarding, 1)])
def test_an_attempt_whose_replies_are_all_lost_leaves_one_export(
    staged: Staged, fault: Any, begun: int, hours: int
) -> None:
    cut = staged.pass_by(hours=1)
    with staged.native.service.proxy.injecting(Rule(fault(), "ExportTableToPointInTime", nth(1, 2))):
        error = fails(partial(staged.started, cut))
    left = list(staged.native.exports)
    staged.native.service.hours += hours

    arns = staged.started(cut)

    assert isinstance(error, ServiceUnavailableError)
    assert len(left) == begun
    assert arns == staged.native.exports


def test_windows_are_waited_for_and_known_to_every_later_attempt(staged: Staged) -> None:
    cut = staged.pass_by(hours=26)
    arns = staged.started(cut)

    known = started_windows(staged.run("later"), staged.of.target_arn, cut)
    looks = [windows_are_done(staged.run(), known) for _ in range(3)]

    assert known == arns
    assert looks == [False, False, True]


def test_a_window_that_nobody_started_is_told(staged: Staged) -> None:
    cut = staged.pass_by(hours=26)
    staged.started(cut[:1])

    with pytest.raises(RunIncompleteError, match="1 of 2 exports were not started; let the run's start_windows task"):
        started_windows(staged.run(), staged.of.target_arn, cut)


def test_no_windows_are_nothing_to_wait_for(staged: Staged) -> None:
    assert staged.started([]) == started_windows(staged.run(), staged.of.target_arn, []) == []
    assert windows_are_done(staged.run(), [])


def test_a_failed_export_is_told_with_its_reason_and_the_next_run_makes_another(staged: Staged) -> None:
    cut = staged.pass_by(hours=26)
    staged.native.service.exports.fail_next("S3AccessDenied", "Access Denied (Service: Amazon S3)")
    failed, fine = staged.started(cut)

    error = fails(lambda: waited(partial(windows_are_done, staged.run(), [failed, fine])))
    again = staged.started(cut, "next")

    assert isinstance(error, TableError)
    assert f"{failed} is FAILED: S3AccessDenied: Access Denied (Service: Amazon S3); correct that" in str(error)
    assert again == [staged.native.exports[2], fine]
    waited(partial(windows_are_done, staged.run(), again))
    assert staged.started(cut, "third") == again
    assert len(staged.native.exports) == 3


@pytest.mark.parametrize("hours", [0, 9])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_a_failed_export_is_made_anew_leaves_one_more(staged: Staged, hours: int, *, after: bool) -> None:
    cut = staged.pass_by(hours=1)
    staged.native.service.exports.fail_next("InternalServerError", "Try again")
    failed = staged.started(cut)
    fails(lambda: waited(partial(windows_are_done, staged.run(), failed)))
    dies(partial(start_windows, staged.killed_at_the_call(after=after), staged.of, cut))
    staged.native.service.hours += hours

    arns = staged.started(cut)

    assert [*failed, *arns] == staged.native.exports


def test_an_export_that_failed_before_anybody_remembered_it_is_made_anew(staged: Staged) -> None:
    cut = staged.pass_by(hours=1)
    staged.native.service.exports.fail_next("InternalServerError", "Try again")
    dies(partial(start_windows, staged.killed_at_the_call(after=True), staged.of, cut))
    failed = list(staged.native.exports)
    fails(lambda: waited(partial(windows_are_done, staged.run(), failed)))

    arns = staged.started(cut)

    assert [*failed, *arns] == staged.native.exports
    assert len(arns) == 1


def test_windows_that_begin_or_end_together_are_others(staged: Staged) -> None:
    (window,) = staged.pass_by(hours=2)
    start, end = window

    arns = staged.started([window, Window(start, end - HOUR), Window(start + HOUR // 2, end)])

    assert arns == staged.native.exports
    assert len(set(arns)) == 3


def test_an_export_that_lies_elsewhere_is_of_no_use(staged: Staged) -> None:
    cut = staged.pass_by(hours=1)
    elsewhere = S3At(**{**staged.native.store.place, "s3": f"s3://{staged.native.store.bucket}/elsewhere"})
    (there,) = start_windows(staged.run(), replace(staged.of, place=elsewhere), cut)

    (here,) = staged.started(cut)

    assert staged.native.exports == [there, here]
    assert staged.started(cut) == [here]


def test_a_gap_in_recovery_is_told_before_anything_is_exported(staged: Staged) -> None:
    position = int(staged.recovery.earliest.timestamp())
    staged.native.service.hours += 1
    before = check_recovery(staged.recovery, position)
    staged.renew_recovery()

    with pytest.raises(ChangesLostError, match=r"recovery was switched off and on.*say on_gap: full"):
        check_recovery(staged.recovery, position)

    assert before == ""
    assert staged.native.exports == []


def test_changes_that_are_read_once_a_month_are_warned_of_and_then_lost(staged: Staged) -> None:
    position = int(staged.recovery.earliest.timestamp())
    staged.native.service.hours += 24 * 30
    warning = check_recovery(staged.recovery, position)
    staged.native.service.hours += 24 * 6

    with pytest.raises(ChangesLostError):
        check_recovery(staged.recovery, position)

    assert "are unread, for 30.0 of the 35 days" in warning
