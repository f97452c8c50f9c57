"""`run` of drills."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dynamodb_copy import errors
from dynamodb_copy.assembly import Prepared
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.job import DrillJob
from dynamodb_copy.model import Segment
from unit.cli_shell import CHOICE, NOW, RECOVERED, FakeRun, Shell

FAILED = replace(RECOVERED, problems=("the counts of rows differ",))
CHECKS = ["check_rows", "check_content"]


@dataclass
class _FakeDrillRun(FakeRun):
    made: DrillReport = RECOVERED
    leftovers: list[str] = field(default_factory=list)
    first_began: datetime = NOW + timedelta(seconds=2)
    asked: datetime | None = None
    triggered: datetime | None = None

    def drop_leftovers(self) -> Any:
        return self.called("drop_leftovers", self.leftovers)

    def choose(self, as_of: datetime | None = None) -> Any:
        self.asked = as_of
        return self.called("choose", CHOICE)

    def create(self) -> Any:
        return self.called("create", Prepared("arn:scratch", created=True, notes=[]))

    def check_rows(self) -> Any:
        return self.called("check_rows")

    def check_content(self) -> Any:
        return self.called("check_content", self.verdict)

    def began(self) -> datetime:
        return self.first_began

    def report(self, triggered: datetime) -> Any:
        self.triggered = triggered
        return self.called("report", self.made)

    def drop(self) -> Any:
        return self.called("drop", True)  # noqa: FBT003  # what the verb returns

    def keep(self) -> Any:
        return self.called("keep", "orders-drill-0123456789ab")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys, _FakeDrillRun(), DrillJob)


def test_a_drill_goes_through_all_phases_and_prints_its_report(shell: Shell) -> None:
    assert shell("run") == 0

    before = ["open", "drop_leftovers", "choose", "create", "target_is_active", "plan", "copy", "copy"]
    assert shell.run.calls == [*before, "hand_over", *CHECKS, "report", "drop"]
    assert shell.output == RECOVERED.render() + "\n"
    assert shell.messages.endswith("the scratch table was dropped\n")


def test_increments_are_replayed_before_anything_is_checked(shell: Shell) -> None:
    shell.run.changes = [Segment(0, 2), Segment(1, 2)]

    assert shell("run") == 0

    assert shell.run.calls[-7:] == ["hand_over", "apply", "apply", *CHECKS, "report", "drop"]


def test_a_drill_that_did_not_recover_exits_with_1(shell: Shell) -> None:
    shell.run.made = FAILED

    assert shell("run", "--json") == 1

    assert json.loads(shell.output) == FAILED.as_dict()


def test_what_is_done_with_leftovers_is_said(shell: Shell) -> None:
    shell.run.leftovers = ["arn:old, left behind by a run, was dropped", "arn:older looks like one and stays"]

    shell("run")

    assert "\n".join(shell.run.leftovers) in shell.messages


@pytest.mark.parametrize("phase", ["create", "target_is_active", "plan", "copy", "check_rows", "check_content"])
def test_a_drill_that_fails_is_reported_and_dropped_nevertheless(shell: Shell, phase: str) -> None:
    shell.run.failures[phase] = [errors.ContentDiffersError("not what was read")]
    shell.run.made = FAILED

    assert shell("run", segments=1) == 1

    assert shell.run.calls[-2:] == ["report", "drop"]
    assert shell.output == FAILED.render() + "\n"
    assert "not what was read\n" in shell.messages


def test_a_drill_that_was_dropped_before_is_not_recovered_by_its_old_report(shell: Shell) -> None:
    shell.run.failures["plan"] = [errors.TableError("it was dropped and created again")]

    assert shell("run", "--run-id", "cli/yesterday") == 1


@pytest.mark.parametrize("phase", ["drop_leftovers", "choose"])
def test_a_drill_without_a_backup_has_no_report_and_exits_with_1(shell: Shell, phase: str) -> None:
    shell.run.failures[phase] = [errors.BackupRefusedError("there is none")]

    assert shell("run", "--json") == 1

    assert json.loads(shell.output) == {"error": "BackupRefusedError", "message": "there is none"}
    assert shell.run.calls[-1] == phase


def test_a_scratch_table_that_cannot_be_dropped_is_a_failure_with_a_report(shell: Shell) -> None:
    shell.run.failures["drop"] = [errors.TargetRefusedError("deletion protection is on")]

    assert shell("run") == 1

    assert shell.output == RECOVERED.render() + "\n"
    assert shell.messages.endswith("deletion protection is on\n")


def test_a_report_that_fails_leaves_no_scratch_table(shell: Shell) -> None:
    shell.run.failures["report"] = [errors.AccessError("s3:PutObject is not permitted")]

    assert shell("run") == 1

    assert shell.run.calls[-1] == "drop"
    assert shell.output == ""


def test_a_defect_leaves_no_scratch_table(shell: Shell) -> None:
    shell.run.failures["copy"] = [ZeroDivisionError("a defect")]

    with pytest.raises(ZeroDivisionError):
        shell("run")

    assert shell.run.calls[-1] == "drop"


def test_report_and_drop_are_tried_again_although_the_copy_was_stopped(shell: Shell) -> None:
    shell.run.failures |= {
        "copy": [errors.ItemRefusedError("too large")],
        "report": [errors.ServiceUnavailableError("503")],
        "drop": [errors.ServiceUnavailableError("503")],
    }

    assert shell("run", segments=1, retries=1) == 1

    assert shell.run.calls[-4:] == ["report", "report", "drop", "drop"]


@pytest.mark.parametrize("made", [RECOVERED, FAILED])
def test_the_scratch_table_stays_when_that_is_asked_for(shell: Shell, made: DrillReport) -> None:
    shell.run.made = made

    shell("run", "--keep-scratch")

    assert shell.run.calls[-1] == "keep"
    assert shell.messages.endswith("scratch table orders-drill-0123456789ab stays: drop it when you are done\n")


def test_a_scratch_table_that_was_not_made_whole_is_dropped_all_the_same(shell: Shell) -> None:
    shell.run.failures["create"] = [errors.TargetBusyError("another run is there")]

    assert shell("run", "--keep-scratch", retries=0) == 1

    assert shell.run.calls[-1] == "drop"


def test_a_drill_begins_with_its_command(shell: Shell) -> None:
    shell("run")

    assert shell.run.triggered == NOW


def test_a_continued_drill_began_with_its_first_attempt(shell: Shell) -> None:
    shell.run.first_began = NOW - timedelta(minutes=20)

    shell("run", "--run-id", "cli/yesterday")

    assert shell.run.triggered == NOW - timedelta(minutes=20)


def test_as_of_chooses_the_backup_and_is_part_of_the_command_that_continues(shell: Shell) -> None:
    shell("run", "--as-of", "2026-11-24", "--keep-scratch")

    assert shell.run.asked == datetime(2026, 11, 24, tzinfo=UTC)
    again = shell.messages.splitlines()[1]
    assert again.endswith("--run-id cli/new --as-of 2026-11-24T00:00:00+00:00 --keep-scratch")


def _interrupting(_segment: Segment, checkpoint: Callable[[], None]) -> None:
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    while True:  # ends by what a checkpoint raises, or by the test's time limit
        checkpoint()
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("options", "last_call", "advice"),
    [
        ((), "drop", "stopped: this drill proves nothing; begin a new one\n"),
        (("--keep-scratch",), "keep", "stopped, nothing is lost; continue with\n  python -m dynamodb_copy run"),
    ],
)
def test_ctrl_c_ends_a_drill_without_a_report(
    shell: Shell, options: tuple[str, ...], last_call: str, advice: str
) -> None:
    shell.run.segments = [Segment(0, 1)]
    shell.run.while_copying = _interrupting

    assert shell("run", *options) == 130

    assert "report" not in shell.run.calls
    assert shell.run.calls[-1] == last_call
    assert advice in shell.messages
