"""What each command says of jobs that are no copies, and which options are for which of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dynamodb_copy import errors
from dynamodb_copy.assembly import BackupForecast, RestoreForecast
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, Job, RestoreJob
from unit.cli_shell import BACKUP, EQUAL, FakeRun, Shell

OF_BACKUP = BackupForecast(4, 20_000, 8_600_000, 125.0, 1050.0, ["s3://dr-backups/orders/AWSDynamoDB/1"], ["4, so"])
OF_RESTORE = RestoreForecast(
    id="01768385930622-efd1a093",
    uri=BACKUP,
    consistent="2026-11-25T02:00:04+00:00",
    age_seconds=14_396.4,
    table="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    items=12_000,
    bytes=5_220_113,
    target="us-west-2/orders",
    creates_target=True,
    segments=4,
    seconds=36.0,
    write_units=36_000.0,
    notes=["segments: 4"],
)
FORECASTS: dict[type[Job], Any] = {BackupJob: OF_BACKUP, RestoreJob: OF_RESTORE, DrillJob: OF_RESTORE}
CALLED = {CopyJob: "copy", BackupJob: "backup", RestoreJob: "restore", DrillJob: "drill"}

ShellOf = Callable[[type[Job]], Shell]


@dataclass
class _FakeRestoreRun(FakeRun):
    asked: datetime | None = None

    def compare(self, as_of: datetime | None = None, *, show_keys: bool = False) -> Any:
        self.asked = as_of
        return super().compare(show_keys=show_keys)


@pytest.fixture
def shell_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> ShellOf:
    def made(kind: type[Job]) -> Shell:
        run = _FakeRestoreRun() if kind is RestoreJob else FakeRun()
        return Shell(tmp_path, capsys, replace(run, forecasted=FORECASTS.get(kind)), kind)

    return made


def lines_of(output: str) -> str:
    return " | ".join(" ".join(line.split()) for line in output.splitlines())


def test_the_plan_of_a_backup_says_what_how_long_and_what_would_be_deleted(shell_of: ShellOf) -> None:
    shell = shell_of(BackupJob)

    assert shell("plan") == 0

    lines = lines_of(shell.output)
    assert lines.startswith("orders: what a run would do; nothing was touched | items 20,000 in 4 segments, as the")
    assert "target a new backup below s3://dr-backups/orders" in lines
    assert "time about 0:02:05" in lines
    assert "capacity 1,050 read units" in lines
    assert "keep would delete s3://dr-backups/orders/AWSDynamoDB/1" in lines
    assert lines.endswith("note 4, so")


def test_the_plan_of_an_export_leaves_time_and_segments_to_the_service(shell_of: ShellOf) -> None:
    shell = shell_of(BackupJob)
    shell.run.forecasted = replace(OF_BACKUP, seconds=None)

    assert shell("plan", engine="export") == 0

    assert "items 20,000 as the service last counted them" in lines_of(shell.output)
    assert "time not known: the service makes the export" in lines_of(shell.output)


@pytest.mark.parametrize("kind", [RestoreJob, DrillJob])
def test_the_plan_of_a_restore_says_which_backup_and_how_old_it_is(shell_of: ShellOf, kind: type[Job]) -> None:
    shell = shell_of(kind)

    assert shell("plan") == 0

    lines = lines_of(shell.output)
    assert f"backup 01768385930622-efd1a093 | {BACKUP} | consistent at 2026-11-25T02:00:04+00:00, 3:59:56 ago" in lines
    assert "of arn:aws:dynamodb:us-east-1:123456789012:table/orders | items 12,000 in 4 segments | size 5.2 MB" in lines
    assert "target us-west-2/orders would be created | time about 0:00:36" in lines
    assert "capacity 36,000 write units, and those of indexes" in lines


def test_the_plan_of_a_restore_into_a_table_that_exists_says_so(shell_of: ShellOf) -> None:
    shell = shell_of(RestoreJob)
    shell.run.forecasted = replace(OF_RESTORE, creates_target=False)

    assert shell("plan") == 0

    assert "target us-west-2/orders exists" in lines_of(shell.output)


def test_the_plan_of_an_import_leaves_time_and_capacity_to_the_service(shell_of: ShellOf) -> None:
    shell = shell_of(RestoreJob)
    shell.run.forecasted = replace(OF_RESTORE, segments=0, seconds=None, write_units=0.0)

    assert shell("plan", engine="import") == 0

    assert "items 12,000 | size" in lines_of(shell.output)
    assert "time not known: the service makes the import | capacity none of the table's" in lines_of(shell.output)


@pytest.mark.parametrize("kind", FORECASTS)
def test_a_plan_as_json_is_the_forecast(shell_of: ShellOf, kind: type[Job]) -> None:
    shell = shell_of(kind)

    assert shell("plan", "--json") == 0

    assert json.loads(shell.output) == {"job": "orders", **asdict(FORECASTS[kind])}
    assert shell.run.calls == ["open", "forecast"]


@pytest.mark.parametrize("error", [errors.BackupRefusedError, errors.BucketRefusedError, errors.TargetRefusedError])
@pytest.mark.parametrize("kind", FORECASTS)
def test_a_plan_that_is_refused_exits_with_2(shell_of: ShellOf, kind: type[Job], error: type[Exception]) -> None:
    shell = shell_of(kind)
    shell.run.failures["forecast"] = [error("not so")]

    assert shell("plan") == 2

    assert shell.messages == "not so\n"


@pytest.mark.parametrize(("outcome", "status"), [("equal", 0), ("superset", 0), ("differs", 1)])
def test_a_restored_table_is_compared_with_its_backup(shell_of: ShellOf, outcome: Any, status: int) -> None:
    shell = shell_of(RestoreJob)
    shell.run.verdict = replace(EQUAL, outcome=outcome)

    assert shell("verify", "--show-keys") == status

    assert shell.run.calls == ["open", "compare"]
    assert (shell.run.asked, shell.run.keys_shown) == (None, True)
    assert shell.messages == "orders: comparing backup and table\n"
    assert shell.output == f"orders: {shell.run.verdict.render()}\n"


def test_an_older_backup_can_be_compared_with(shell_of: ShellOf) -> None:
    shell = shell_of(RestoreJob)

    assert shell("verify", "--as-of", "2026-11-24T03:00:00Z") == 0

    assert shell.run.asked == datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("command", "kind", "advice"),
    [
        ("verify", BackupJob, "a drill of the same prefix verifies a backup"),
        ("verify", DrillJob, "use `run`"),
        ("repair", BackupJob, "`run` makes a new one"),
        ("repair", RestoreJob, "`verify` compares the table with the backup"),
        ("repair", DrillJob, "use `run`"),
    ],
)
def test_a_command_that_a_kind_does_not_have_exits_with_2_and_names_another(
    shell_of: ShellOf, command: str, kind: type[Job], advice: str
) -> None:
    shell = shell_of(kind)

    assert shell(command, "--json") == 2

    assert shell.messages.startswith(f"{command}: orders is a {CALLED[kind]}; allowed: ")
    assert advice in shell.messages
    assert json.loads(shell.output) == {"error": "ArgumentsError", "message": shell.messages.rstrip("\n")}
    assert shell.run.calls == []


@pytest.mark.parametrize(
    ("command", "kind", "options", "allowed"),
    [
        ("run", CopyJob, ["--as-of", "2026-11-24"], "restores and drills"),
        ("run", BackupJob, ["--as-of", "2026-11-24"], "restores and drills"),
        ("verify", CopyJob, ["--as-of", "2026-11-24"], "restores"),
        ("run", CopyJob, ["--keep-scratch"], "drills"),
        ("run", BackupJob, ["--keep-scratch"], "drills"),
        ("run", RestoreJob, ["--keep-scratch"], "drills"),
    ],
)
def test_an_option_that_a_kind_does_not_have_exits_with_2_and_one_message(
    shell_of: ShellOf, command: str, kind: type[Job], options: list[str], allowed: str
) -> None:
    shell = shell_of(kind)

    assert shell(command, *options) == 2

    option = options[0]
    expected = f"{option}: orders is a {CALLED[kind]}; allowed: {allowed}; leave {option} out\n"
    assert shell.messages == expected
    assert shell.run.calls == []
