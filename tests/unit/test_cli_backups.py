"""`run` of backups."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dynamodb_copy import errors
from dynamodb_copy.job import BackupJob
from unit.cli_shell import BACKUP, REPORT, FakeRun, Shell

EXPORT = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01768385930622-efd1a093"
SEALED = replace(REPORT, verdict=replace(REPORT.verdict, outcome="sealed", mode="checksums"))


@dataclass
class _FakeBackupRun(FakeRun):
    expired: tuple[str, ...] = ()

    def prepare(self) -> Any:
        return self.called("prepare", BACKUP)

    def start_export(self) -> Any:
        return self.called("start_export", EXPORT)

    def export_is_done(self) -> Any:
        self.polls_until_done -= 1
        return self.called("export_is_done", self.polls_until_done < 0)

    def seal(self) -> Any:
        return self.called("seal", SEALED)

    def expire(self) -> Any:
        return self.called("expire", list(self.expired))


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys, _FakeBackupRun(), BackupJob)


def test_a_backup_goes_through_all_phases_and_prints_its_report(shell: Shell) -> None:
    assert shell("run") == 0

    assert shell.run.calls == ["open", "prepare", "plan", "copy", "copy", "seal", "expire"]
    assert shell.output == SEALED.render() + "\n"


def test_a_backup_says_where_it_is_put_and_how_far_it_is(shell: Shell) -> None:
    shell("run")

    assert f"backup {BACKUP}\n" in shell.messages
    assert "segments: 2, because it is small\n" in shell.messages
    assert "2 of 2 segments done, 10 items" in shell.messages


def test_an_export_is_waited_for_in_place_of_a_copy(shell: Shell) -> None:
    shell.run.polls_until_done = 2

    assert shell("run", engine="export") == 0

    assert shell.run.calls == ["open", "start_export", *["export_is_done"] * 3, "seal", "expire"]
    assert shell.pauses == [30.0, 30.0]
    assert f"export {EXPORT}\nwaiting until the service's export is done\n" in shell.messages


def test_the_wait_for_an_export_ends_with_the_jobs_timeout(shell: Shell) -> None:
    shell.run.polls_until_done = 1_000_000

    assert shell("run", engine="export", timeout="5m") == 1

    assert sum(shell.pauses) == 300.0
    assert "the service's export is not done after 0:05:00: see why, then continue the run" in shell.messages


def test_each_backup_that_is_deleted_is_named(shell: Shell) -> None:
    shell.run.expired = ("s3://dr-backups/orders/AWSDynamoDB/1", "s3://dr-backups/orders/AWSDynamoDB/2")

    assert shell("run", keep={"full": 3}) == 0

    for address in shell.run.expired:
        assert f"deleted {address}: keep does not keep it any more\n" in shell.messages


def test_a_backup_is_reported_although_older_ones_could_not_be_deleted(shell: Shell) -> None:
    shell.run.failures["expire"] = [errors.ExpirySuspendedError("it shrank")]

    assert shell("run", "--json", keep={"full": 3}) == 1

    assert json.loads(shell.output) == SEALED.as_dict()
    assert "the backup is sealed, but older ones could not be deleted: it shrank\n" in shell.messages


@pytest.mark.parametrize("error", [errors.TableError, errors.BucketRefusedError, errors.AccessError])
@pytest.mark.parametrize(("engine", "phase"), [("scan", "prepare"), ("export", "start_export")])
def test_what_is_refused_before_a_backup_begins_exits_with_2(
    shell: Shell, engine: str, phase: str, error: type[Exception]
) -> None:
    shell.run.failures[phase] = [error("not so")]

    assert shell("run", engine=engine) == 2

    assert shell.messages.endswith("not so\n")


@pytest.mark.parametrize("phase", ["plan", "copy", "seal"])
def test_any_failure_after_that_exits_with_1(shell: Shell, phase: str) -> None:
    shell.run.failures[phase] = [errors.BucketRefusedError("not so")]

    assert shell("run") == 1


@pytest.mark.parametrize(
    ("engine", "phase"),
    [(None, "prepare"), (None, "seal"), (None, "expire"), ("export", "start_export"), ("export", "export_is_done")],
)
def test_every_phase_is_tried_again(shell: Shell, engine: str | None, phase: str) -> None:
    shell.run.failures[phase] = [errors.ServiceUnavailableError("503")]

    assert shell("run", retries=1, **({"engine": engine} if engine else {})) == 0
