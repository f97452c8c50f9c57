"""`run` of restores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dynamodb_copy import errors
from dynamodb_copy.assembly import Choice
from dynamodb_copy.job import RestoreJob
from dynamodb_copy.model import Segment
from unit.cli_shell import BACKUP, CHOICE, REPORT, FakeRun, Shell

IMPORT = "arn:aws:dynamodb:us-west-2:123456789012:table/orders/import/01768385930622-efd1a093"
AS_OF = datetime(2026, 11, 24, 3, tzinfo=UTC)


@dataclass
class _FakeRestoreRun(FakeRun):
    choice: Choice = CHOICE
    asked: datetime | None = None

    def choose(self, as_of: datetime | None = None) -> Any:
        self.asked = as_of
        return self.called("choose", self.choice)

    def start_import(self) -> Any:
        return self.called("start_import", IMPORT)

    def import_is_done(self) -> Any:
        self.polls_until_done -= 1
        return self.called("import_is_done", self.polls_until_done < 0)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys, _FakeRestoreRun(), RestoreJob)


def test_a_restore_goes_through_all_phases_and_prints_its_report(shell: Shell) -> None:
    shell.run.polls_until_active = 1

    assert shell("run") == 0

    before = ["open", "choose", "prepare", "target_is_active", "target_is_active", "plan"]
    assert shell.run.calls == [*before, "copy", "copy", "hand_over", "verify", "seal"]
    assert shell.output == REPORT.render() + "\n"


def test_increments_are_replayed_before_the_table_is_verified(shell: Shell) -> None:
    shell.run.changes = [Segment(0, 3), Segment(1, 3), Segment(2, 3)]
    shell.run.choice = replace(CHOICE, increments=(("orders/AWSDynamoDB/1", "ab"), ("orders/AWSDynamoDB/2", "cd")))

    assert shell("run") == 0

    assert shell.run.calls[-6:] == ["hand_over", "apply", "apply", "apply", "verify", "seal"]
    assert f"backup {BACKUP} with 2 increments: 12,000 items, consistent at" in shell.messages
    assert "3 segments of changes" in shell.messages


def test_an_import_is_waited_for_in_place_of_a_copy(shell: Shell) -> None:
    shell.run.polls_until_done = 1

    assert shell("run", engine="import") == 0

    begun = ["open", "choose", "start_import", "import_is_done", "import_is_done"]
    assert shell.run.calls == [*begun, "verify", "seal"]
    assert shell.pauses == [30.0]
    assert f"import {IMPORT}\nwaiting until the service's import is done\n" in shell.messages


def test_a_restore_says_which_backup_it_chose(shell: Shell) -> None:
    shell("run")

    chosen = f"backup {BACKUP}: 12,000 items, consistent at 2026-11-25T02:00:04+00:00\npassed over: a damaged one\n"
    assert chosen in shell.messages


@pytest.mark.parametrize("instant", ["2026-11-24T03:00:00Z", "2026-11-24T03:00", "2026-11-24T04:00:00+01:00"])
def test_as_of_is_an_instant_as_in_job_files(shell: Shell, instant: str) -> None:
    shell.run.choice = replace(CHOICE, as_of=AS_OF.isoformat())

    assert shell("run", "--as-of", instant) == 0

    assert shell.run.asked == AS_OF
    assert "counts for new runs" not in shell.messages


def test_without_as_of_the_job_decides(shell: Shell) -> None:
    shell("run")

    assert shell.run.asked is None


def test_a_wrong_instant_exits_with_2_and_shows_a_right_one(shell: Shell) -> None:
    with pytest.raises(SystemExit) as exited:
        shell.main("run", "orders.yaml", "--as-of", "yesterday")

    assert exited.value.code == 2
    assert shell.run.calls == []
    assert "found 'yesterday'; allowed: a date or moment such as 2026-12-01 or 2026-12-01T02:00:00Z" in shell.usage


def test_the_command_that_continues_a_restore_asks_for_the_same_backup(shell: Shell) -> None:
    shell("run", "--as-of", "2026-11-24T03:00:00Z")

    assert shell.messages.splitlines()[1].endswith("--run-id cli/new --as-of 2026-11-24T03:00:00+00:00")


@pytest.mark.parametrize(
    ("chosen_as_of", "earlier"),
    [(None, "the latest"), ("2026-11-20T00:00:00+00:00", "that of 2026-11-20T00:00:00+00:00")],
)
def test_a_continued_run_that_chose_otherwise_says_so(shell: Shell, chosen_as_of: str | None, earlier: str) -> None:
    shell.run.choice = replace(CHOICE, as_of=chosen_as_of)

    assert shell("run", "--run-id", "cli/yesterday", "--as-of", "2026-11-24T03:00:00Z") == 0

    assert f"--as-of counts for new runs: this one chose {earlier} when it began" in shell.messages


@pytest.mark.parametrize(
    "error", [errors.BackupRefusedError, errors.TableError, errors.TargetRefusedError, errors.AccessError]
)
@pytest.mark.parametrize(
    ("engine", "phase"), [("load", "choose"), ("load", "prepare"), ("import", "choose"), ("import", "start_import")]
)
def test_what_is_refused_before_a_restore_begins_exits_with_2(
    shell: Shell, engine: str, phase: str, error: type[Exception]
) -> None:
    shell.run.failures[phase] = [error("not so")]

    assert shell("run", engine=engine) == 2

    assert shell.messages.endswith("not so\n")


@pytest.mark.parametrize("phase", ["plan", "copy", "verify", "seal"])
def test_any_failure_after_that_exits_with_1(shell: Shell, phase: str) -> None:
    shell.run.failures[phase] = [errors.BackupRefusedError("a part is damaged")]

    assert shell("run") == 1


def test_an_import_that_failed_exits_with_1(shell: Shell) -> None:
    shell.run.failures["import_is_done"] = [errors.TableError("the import failed")]

    assert shell("run", engine="import") == 1
