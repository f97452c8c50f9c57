"""Each command on jobs that take what has changed: into a table, or into a chain of backups."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dynamodb_copy import errors
from dynamodb_copy.assembly import ChainForecast, ChangesForecast
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob, Job
from dynamodb_copy.model import Segment
from unit.cli_shell import EQUAL, FORECAST, REPORT, FakeRun, Shell

KINDS = (IncrementalJob, IncrementalBackupJob)
BY_EXPORT = {"changes": {"by": "export"}, "base": "export"}
STAGING = {"staging": "s3://staging/orders"}
WINDOW = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01768385930622-efd1a093"
OLD = "s3://dr-backups/orders/AWSDynamoDB/1"
UP_TO_DATE = ChangesForecast(None, "2026-11-25T05:58:30+00:00", 90.4, ["unread for long"])
NEEDS_BASE = ChangesForecast(FORECAST, "", None, ["the first run copies everything", *FORECAST.notes])
GOES_ON = ChainForecast(
    makes_full=False, up_to="2026-11-25T05:58:30+00:00", lag_seconds=90.4, would_delete=[OLD], notes=["unread for long"]
)
BEGINS = ChainForecast(makes_full=True, up_to="", lag_seconds=None, would_delete=[], notes=["the first run"])
SINCE = "makes {} | changes by stream, since 2026-11-25T05:58:30+00:00 | lag 0:01:30"
FORECASTS: dict[type[Job], Any] = {IncrementalJob: UP_TO_DATE, IncrementalBackupJob: GOES_ON}


@dataclass
class _FakeChanges(FakeRun):
    """A run of either kind."""

    expires: tuple[str, ...] = ()
    polls_until_exported: int = 0

    def base_is_exported(self) -> Any:
        self.polls_until_exported -= 1
        return self.called("base_is_exported", self.polls_until_exported < 0)

    def start_windows(self) -> Any:
        return self.called("start_windows", [WINDOW])

    def windows_are_done(self) -> Any:
        self.polls_until_done -= 1
        return self.called("windows_are_done", self.polls_until_done < 0)

    def expire(self) -> Any:
        return self.called("expire", list(self.expires))


@dataclass
class _FakeChain(_FakeChanges):
    def prepare(self) -> Any:
        return self.called("prepare", "an increment of s3://dr-backups/orders, complete up to 2026-11-25T05:58:30Z")


ShellOf = Callable[[type[Job]], Shell]


@pytest.fixture
def shell_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> ShellOf:
    def made(kind: type[Job]) -> Shell:
        run = _FakeChain if kind is IncrementalBackupJob else _FakeChanges
        return Shell(tmp_path, capsys, run(changes=[Segment(0, 1)], forecasted=FORECASTS[kind]), kind)

    return made


def lines_of(output: str) -> str:
    return " | ".join(" ".join(line.split()) for line in output.splitlines())


def test_the_first_run_of_a_copy_goes_through_base_and_changes(shell_of: ShellOf) -> None:
    shell = shell_of(IncrementalJob)
    shell.run.polls_until_active = 1

    assert shell("run", "--run-id", "cli/1") == 0

    assert shell.run.calls == [
        *("open", "prepare", "target_is_active", "target_is_active", "plan", "copy", "copy", "hand_over", "apply"),
        "seal",
    ]
    assert shell.run.opened_as == ["cli/1"]
    assert "target arn:target: created\nTTL comes later\n" in shell.messages
    assert "1 segments of changes\n" in shell.messages
    assert shell.output == REPORT.render() + "\n"


def test_the_first_run_of_a_chain_goes_through_full_backup_and_changes(shell_of: ShellOf) -> None:
    shell = shell_of(IncrementalBackupJob)
    shell.run.expires = (OLD,)

    assert shell("run", keep={"full": 2}) == 0

    assert shell.run.calls == ["open", "prepare", "plan", "copy", "copy", "hand_over", "apply", "seal", "expire"]
    assert "an increment of s3://dr-backups/orders, complete up to 2026-11-25T05:58:30Z\n" in shell.messages
    assert f"deleted {OLD}: keep does not keep it any more\n" in shell.messages
    assert shell.output == REPORT.render() + "\n"


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_run_has_no_base(shell_of: ShellOf, kind: type[Job]) -> None:
    shell = shell_of(kind)
    shell.run.segments = ()

    assert shell("run") == 0

    assert "copy" not in shell.run.calls
    assert shell.run.calls.count("apply") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_has_nothing_to_read_yet_is_sealed_all_the_same(shell_of: ShellOf, kind: type[Job]) -> None:
    shell = shell_of(kind)
    shell.run.segments, shell.run.changes = (), ()

    assert shell("run") == 0

    assert "apply" not in shell.run.calls
    assert shell.run.calls[-1] == ("seal" if kind is IncrementalJob else "expire")


@pytest.mark.parametrize("kind", KINDS)
def test_exports_of_the_service_are_waited_for(shell_of: ShellOf, kind: type[Job]) -> None:
    shell = shell_of(kind)
    shell.run.segments, shell.run.polls_until_exported, shell.run.polls_until_done = (), 1, 2

    assert shell("run", **BY_EXPORT, **(STAGING if kind is IncrementalJob else {})) == 0

    calls = [call for call in shell.run.calls if call not in {"open", "prepare", "target_is_active", "expire"}]
    assert calls == [
        *["base_is_exported"] * 2,
        *("plan", "hand_over", "start_windows"),
        *["windows_are_done"] * 3,
        *("apply", "seal"),
    ]
    assert shell.pauses == [30.0] * 3
    assert "waiting until the service's export is done\n" in shell.messages
    assert f"export {WINDOW}\n" in shell.messages
    assert "waiting until the service's last export is done\n" in shell.messages


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gap_exits_with_2_before_anything_is_touched(
    shell_of: ShellOf,
    kind: type[Job],
    as_json: bool,  # noqa: FBT001 - a parameter's value
) -> None:
    shell = shell_of(kind)
    shell.run.failures["prepare"] = [errors.ChangesLostError("the stream was replaced")]

    assert shell("run", *(["--json"] if as_json else [])) == 2

    assert shell.run.calls == ["open", "prepare"]
    assert shell.messages.endswith("the stream was replaced\n")
    told = {"error": "ChangesLostError", "message": "the stream was replaced"}
    assert (json.loads(shell.output) if as_json else shell.output) == (told if as_json else "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [errors.TableError, errors.TargetRefusedError, errors.AccessError])
def test_what_is_refused_before_a_run_begins_exits_with_2(
    shell_of: ShellOf, kind: type[Job], error: type[Exception]
) -> None:
    shell = shell_of(kind)
    shell.run.failures["prepare"] = [error("not so")]

    assert shell("run") == 2

    assert shell.messages.endswith("not so\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", ["plan", "copy", "hand_over", "apply", "seal"])
def test_any_failure_after_that_exits_with_1(shell_of: ShellOf, kind: type[Job], phase: str) -> None:
    shell = shell_of(kind)
    shell.run.failures[phase] = [errors.ChangesLostError("trimmed meanwhile")]

    assert shell("run") == 1

    assert shell.messages.endswith("trimmed meanwhile\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", ["prepare", "plan", "copy", "hand_over", "apply", "seal"])
def test_every_phase_is_tried_again(shell_of: ShellOf, kind: type[Job], phase: str) -> None:
    shell = shell_of(kind)
    shell.run.failures[phase] = [errors.ServiceUnavailableError("503")]

    assert shell("run", retries=1) == 0


def test_an_increment_is_reported_although_an_older_backup_could_not_be_deleted(shell_of: ShellOf) -> None:
    shell = shell_of(IncrementalBackupJob)
    shell.run.failures["expire"] = [errors.ExpirySuspendedError("it shrank")]

    assert shell("run", keep={"full": 2}) == 1

    assert shell.output == REPORT.render() + "\n"
    assert "could not be deleted: it shrank\n" in shell.messages


def test_the_plan_of_a_table_that_is_kept_up_to_date_says_since_when_and_how_far_behind(shell_of: ShellOf) -> None:
    shell = shell_of(IncrementalJob)

    assert shell("plan") == 0

    assert lines_of(shell.output) == (
        "orders: what a run would do; nothing was touched | changes by stream, since 2026-11-25T05:58:30+00:00 | "
        "lag 0:01:30 | note unread for long"
    )


def test_the_plan_of_a_first_run_says_what_its_base_takes(shell_of: ShellOf) -> None:
    shell = shell_of(IncrementalJob)
    shell.run.forecasted = NEEDS_BASE

    assert shell("plan") == 0

    lines = lines_of(shell.output)
    assert "changes by stream, from now on | items 20,000 in 4 segments" in lines
    assert "target would be created like the source" in lines
    assert lines.endswith("note the first run copies everything | note PITR is not copied")


@pytest.mark.parametrize(
    ("forecast", "expected"),
    [
        (
            GOES_ON,
            f"{SINCE.format('an increment')} | keep would delete {OLD} | note unread for long",
        ),
        (BEGINS, "makes a full backup and an increment | changes by stream, from now on | lag | note the first run"),
        (
            replace(GOES_ON, makes_full=True, would_delete=[], notes=[]),
            SINCE.format("a full backup and an increment"),
        ),
    ],
)
def test_the_plan_of_a_chain_says_what_a_run_makes(shell_of: ShellOf, forecast: ChainForecast, expected: str) -> None:
    shell = shell_of(IncrementalBackupJob)
    shell.run.forecasted = forecast

    assert shell("plan") == 0

    assert lines_of(shell.output) == f"orders: what a run would do; nothing was touched | {expected}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_as_json_is_the_forecast(shell_of: ShellOf, kind: type[Job]) -> None:
    shell = shell_of(kind)

    assert shell("plan", "--json") == 0

    assert json.loads(shell.output) == {"job": "orders", **asdict(FORECASTS[kind])}
    assert shell.run.calls == ["open", "forecast"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [errors.ChangesLostError, errors.TableError, errors.TargetRefusedError])
def test_a_plan_that_is_refused_exits_with_2(shell_of: ShellOf, kind: type[Job], error: type[Exception]) -> None:
    shell = shell_of(kind)
    shell.run.failures["forecast"] = [error("not so")]

    assert shell("plan") == 2

    assert shell.messages == "not so\n"


@pytest.mark.parametrize(("outcome", "status"), [("equal", 0), ("superset", 0), ("differs", 1)])
@pytest.mark.parametrize(("command", "said"), [("verify", "comparing source and target"), ("repair", "writing what")])
def test_a_table_that_is_kept_up_to_date_is_compared_and_repaired_like_a_copy(
    shell_of: ShellOf, command: str, said: str, outcome: Any, status: int
) -> None:
    shell = shell_of(IncrementalJob)
    shell.run.verdict = replace(EQUAL, outcome=outcome)

    assert shell(command) == status

    assert shell.run.calls == ["open", "compare" if command == "verify" else "repair"]
    assert shell.messages.startswith(f"orders: {said}")
    assert shell.output == f"orders: {shell.run.verdict.render()}\n"


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("verify", "allowed: copies and restores; a drill of the same prefix verifies a chain, and `chain` checks"),
        ("repair", "allowed: copies; a chain is never changed: `run` extends it"),
    ],
)
def test_a_chain_is_neither_verified_nor_repaired_and_the_refusal_names_what_does(
    shell_of: ShellOf, command: str, instead: str
) -> None:
    shell = shell_of(IncrementalBackupJob)

    assert shell(command) == 2

    assert shell.messages.startswith(f"{command}: orders is an incremental backup; {instead}")
    assert shell.run.calls == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "allowed"),
    [(["--as-of", "2026-11-24"], "restores and drills"), (["--keep-scratch"], "drills")],
)
def test_options_of_other_kinds_exit_with_2(
    shell_of: ShellOf, kind: type[Job], options: list[str], allowed: str
) -> None:
    shell = shell_of(kind)

    assert shell("run", *options) == 2

    word = "incremental copy" if kind is IncrementalJob else "incremental backup"
    assert shell.messages == f"{options[0]}: orders is an {word}; allowed: {allowed}; leave {options[0]} out\n"
    assert shell.run.calls == []
