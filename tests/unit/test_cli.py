from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from dynamodb_copy import errors
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.progress_bars import Meter, shown
from dynamodb_copy.report import Verdict
from unit.cli_shell import EQUAL, FORECAST, REPORT, Shell

DIFFERS = replace(EQUAL, outcome="differs", missing=1, differing=("key 5f2a",))
SUPERSET, UNVERIFIED = replace(EQUAL, outcome="superset", extra=3), replace(EQUAL, outcome="not verified")
RESULTS = {"run": REPORT.as_dict(), "verify": EQUAL.as_dict(), "plan": {"job": "orders", **asdict(FORECAST)}}


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def test_a_run_goes_through_all_phases_and_prints_its_report(shell: Shell) -> None:
    assert shell("run") == 0

    assert shell.run.calls == ["open", "prepare", "target_is_active", "plan", "copy", "copy", "verify", "seal"]
    assert shell.output == REPORT.render() + "\n"


def test_a_mirroring_job_deletes_after_the_copy_and_before_verify(shell: Shell) -> None:
    assert shell("run", to_={"mirror": {"max_deletes": "5%"}}) == 0

    assert shell.run.calls[-4:] == ["copy", "mirror", "verify", "seal"]
    assert "12 items deleted" in shell.messages


@pytest.mark.parametrize("command", RESULTS)
def test_json_is_one_object_and_alone_on_standard_output(shell: Shell, command: str) -> None:
    assert shell(command, "--json") == 0

    assert json.loads(shell.output) == RESULTS[command]


def test_messages_tell_what_was_found_and_decided_and_how_far_it_is(shell: Shell) -> None:
    shell("run")

    assert "target arn:target: created\nTTL comes later\n" in shell.messages
    assert "segments: 2, because it is small\nno scaling\n" in shell.messages
    assert "2 of 2 segments done, 10 items" in shell.messages


def test_a_run_without_verification_is_done_when_its_job_wants_none(shell: Shell) -> None:
    shell.run.verdict = UNVERIFIED

    assert shell("run", verify="none") == 0


def test_a_run_says_at_its_start_how_it_can_be_continued(shell: Shell) -> None:
    shell("run")

    first, second = shell.messages.splitlines()[:2]
    assert first == "orders: run cli/new; if it stops early, continue with"
    assert second == f"  python -m dynamodb_copy run {shell.folder}/orders.yaml --run-id cli/new"


def test_a_run_id_continues_that_run(shell: Shell) -> None:
    shell("run", "--run-id", "cli/yesterday")

    assert shell.run.opened_as == ["cli/yesterday"]


@pytest.mark.parametrize("arguments", [["run", "x.yaml", "--run-id", ""], ["run"], ["copy", "x.yaml"], []])
def test_wrong_arguments_exit_with_2(shell: Shell, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        shell.main(*arguments)

    assert exited.value.code == 2
    assert shell.run.calls == []


def test_a_wrong_job_file_exits_with_2_and_only_its_errors(shell: Shell) -> None:
    assert shell("run", verify="perhaps", parallel=0) == 2

    assert "verify" in shell.messages
    assert "parallel" in shell.messages
    assert "Traceback" not in shell.messages
    assert shell.run.calls == []


@pytest.mark.parametrize("command", ["plan", "run", "verify", "repair"])
def test_a_missing_profile_exits_with_2(shell: Shell, command: str) -> None:
    shell.run.failures["open"] = [errors.ConnectionMissingError("there is no profile aws_oregon")]

    assert shell(command) == 2

    assert shell.messages.endswith("there is no profile aws_oregon\n")


@pytest.mark.parametrize("error", [errors.TableError, errors.TargetRefusedError, errors.AccessError])
@pytest.mark.parametrize(
    ("command", "phase"), [("run", "prepare"), ("plan", "forecast"), ("verify", "compare"), ("repair", "open")]
)
def test_a_refusal_before_anything_is_touched_exits_with_2(
    shell: Shell, command: str, phase: str, error: type[Exception]
) -> None:
    shell.run.failures[phase] = [error("not so")]

    assert shell(command) == 2

    assert shell.messages.endswith("not so\n")


@pytest.mark.parametrize(
    ("phase", "error"),
    [
        ("plan", errors.AccessError),
        ("copy", errors.AccessError),
        ("copy", errors.TableError),
        ("mirror", errors.MirrorRefusedError),
        ("verify", errors.ContentDiffersError),
        ("seal", errors.TableError),
    ],
)
def test_any_failure_after_that_exits_with_1(shell: Shell, phase: str, error: type[Exception]) -> None:
    shell.run.failures[phase] = [error("not so")]

    assert shell("run", to_={"mirror": {"max_deletes": "5%"}}) == 1

    assert shell.messages.endswith("not so\n")


@pytest.mark.parametrize(
    ("phase", "error"), [("verify", errors.ContentDiffersError), ("prepare", errors.TargetRefusedError)]
)
def test_a_failure_is_one_json_object_too(shell: Shell, phase: str, error: type[Exception]) -> None:
    shell.run.failures[phase] = [error("not so")]

    shell("run", "--json")

    assert json.loads(shell.output) == {"error": error.__name__, "message": "not so"}


def test_a_defect_shows_its_traceback(shell: Shell) -> None:
    shell.run.failures["copy"] = [ZeroDivisionError("a defect")]

    with pytest.raises(ZeroDivisionError):
        shell("run")


def test_transient_errors_are_tried_again_after_the_jobs_delay(shell: Shell) -> None:
    shell.run.failures["copy"] = [errors.ServiceUnavailableError("503"), errors.LeaseLostError("another attempt")]

    assert shell("run", segments=1, retries=2, retry_delay="30s") == 0

    assert shell.run.calls.count("copy") == 4
    assert shell.pauses == [30.0, 30.0]
    assert "503\ntrying again in 0:00:30; tries left: 2\n" in shell.messages


@pytest.mark.parametrize(("error", "tries"), [(errors.ServiceUnavailableError, 3), (errors.ItemRefusedError, 1)])
def test_transient_errors_use_up_the_retries_and_permanent_ones_none(
    shell: Shell, error: type[Exception], tries: int
) -> None:
    shell.run.segments = [Segment(0, 1)]
    shell.run.failures["copy"] = [error("not now")] * 9

    assert shell("run", retries=2) == 1

    assert shell.run.calls.count("copy") == tries


@pytest.mark.parametrize("phase", ["prepare", "target_is_active", "plan", "verify", "seal"])
def test_every_phase_is_tried_again(shell: Shell, phase: str) -> None:
    shell.run.failures[phase] = [errors.TargetBusyError("another run holds the target")]

    assert shell("run", retries=1) == 0


def test_a_run_waits_until_the_target_is_active(shell: Shell) -> None:
    shell.run.polls_until_active = 3

    assert shell("run") == 0

    assert shell.pauses == [5.0] * 3
    assert shell.run.calls[:6] == ["open", "prepare", *["target_is_active"] * 4]


def test_the_wait_for_the_target_ends_with_the_jobs_timeout(shell: Shell) -> None:
    shell.run.polls_until_active = 1_000_000

    assert shell("run", timeout="1m") == 1

    assert sum(shell.pauses) == 60.0
    assert "not ACTIVE after 0:01:00" in shell.messages


def test_no_more_segments_are_copied_at_once_than_the_job_says(shell: Shell) -> None:
    under_way: set[Segment] = set()
    seen: list[int] = []

    def copying(segment: Segment, _checkpoint: Callable[[], None]) -> None:
        under_way.add(segment)
        seen.append(len(under_way))
        time.sleep(0.02)
        under_way.remove(segment)

    shell.run.segments = [Segment(n, 8) for n in range(8)]
    shell.run.while_copying = copying

    assert shell("run", parallel=3) == 0
    assert max(seen) == 3


def _until_stopped(checkpoint: Callable[[], None]) -> None:
    while True:  # ends by what a checkpoint raises, or by the test's time limit
        checkpoint()
        time.sleep(0.005)


def test_a_failure_stops_running_segments_at_their_checkpoint_and_begins_no_more(shell: Shell) -> None:
    def copying(segment: Segment, checkpoint: Callable[[], None]) -> None:
        if segment.index == 1:
            raise errors.ItemRefusedError("too large")
        _until_stopped(checkpoint)

    shell.run.segments = [Segment(n, 8) for n in range(8)]
    shell.run.while_copying = copying

    assert shell("run", parallel=2) == 1

    assert {segment.index for segment in shell.run.released} <= {0, 1, 2}
    assert shell.messages.endswith("too large\n")


def test_ctrl_c_releases_what_is_held_and_says_how_to_continue(shell: Shell) -> None:
    def copying(segment: Segment, checkpoint: Callable[[], None]) -> None:
        if segment.index == 1:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        _until_stopped(checkpoint)

    shell.run.while_copying = copying

    assert shell("run") == 130

    assert sorted(shell.run.released) == list(shell.run.segments)
    assert "verify" not in shell.run.calls
    assert f"continue with\n  python -m dynamodb_copy run {shell.folder}/orders.yaml --run-id cli/new" in shell.messages


def test_ctrl_c_stops_segments_even_while_others_are_only_being_submitted(shell: Shell) -> None:
    def copying(_segment: Segment, checkpoint: Callable[[], None]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        _until_stopped(checkpoint)

    shell.run.segments = [Segment(0, 1)]
    shell.run.while_copying = copying
    others = set(threading.enumerate())

    assert shell("run") == 130

    for thread in set(threading.enumerate()) - others:
        thread.join(timeout=5)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("verdict", "mirror", "status"),
    [
        (EQUAL, False, 0),
        (SUPERSET, False, 0),
        (DIFFERS, False, 1),
        (SUPERSET, {"max_deletes": "5%"}, 1),
        (UNVERIFIED, False, 1),
    ],
)
@pytest.mark.parametrize("command", ["verify", "repair"])
def test_the_verdict_decides_the_exit_status(
    shell: Shell, command: str, verdict: Verdict, mirror: object, status: int
) -> None:
    shell.run.verdict = verdict

    assert shell(command, to_={"mirror": mirror}) == status

    assert shell.output == f"orders: {verdict.render()}\n"


@pytest.mark.parametrize(("command", "call"), [("verify", "compare"), ("repair", "repair"), ("plan", "forecast")])
def test_each_other_command_is_one_call(shell: Shell, command: str, call: str) -> None:
    shell(command)

    assert shell.run.calls == ["open", call]


@pytest.mark.parametrize(("options", "shown_keys"), [((), False), (("--show-keys",), True)])
def test_keys_are_shown_only_when_asked_for(shell: Shell, options: tuple[str, ...], shown_keys: bool) -> None:  # noqa: FBT001  # pytest passes it by name
    shell("verify", *options)

    assert shell.run.keys_shown is shown_keys


@pytest.mark.parametrize(
    ("seconds", "time_shown"), [(125.0, "time about 0:02:05"), (None, "time not known: the job sets no limit")]
)
def test_a_plan_says_what_how_long_and_at_what_capacity(shell: Shell, seconds: float | None, time_shown: str) -> None:
    shell.run.forecasted = replace(FORECAST, seconds=seconds)

    assert shell("plan") == 0

    lines = " | ".join(" ".join(line.split()) for line in shell.output.splitlines())
    assert lines.startswith("orders: what a run would do; nothing was touched | items 20,000 in 4 segments")
    assert "target would be created" in lines
    assert time_shown in lines
    assert "capacity 1,050 read units, 20,000 write units" in lines
    assert "price not estimated" in lines
    assert "note PITR is not copied" in lines


def test_preconditions_are_left_to_airflow_and_that_is_said(shell: Shell) -> None:
    table = {"table": "flags", "region": "us-east-1", "connection": "aws_virginia"}

    assert shell("run", preconditions=[{"table_exists": table}]) == 0

    assert "preconditions are awaited by Airflow only" in shell.messages


def test_a_terminal_shows_bars(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shell.is_terminal = True
    shell.run.while_copying = lambda _segment, checkpoint: checkpoint()

    assert shell("run") == 0

    assert "segments done" in shell.messages
    assert "10 items" in shell.messages
    assert shell.output == REPORT.render() + "\n"


def test_python_m_starts_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["dynamodb_copy", "plan", "nowhere.yaml"])

    with pytest.raises(SystemExit) as exited:
        runpy.run_module("dynamodb_copy", run_name="__main__")

    output, messages = capsys.readouterr()
    assert (exited.value.code, output) == (2, "")
    assert messages.startswith("nowhere.yaml: ")


def test_a_line_of_progress_comes_every_ten_seconds_and_at_the_end() -> None:
    now, to, segment = [0.0], io.StringIO(), Segment(0, 2)
    meter = Meter([segment, Segment(1, 2)], continued=False, clock=lambda: now[0])

    with shown(meter, Console(file=to, soft_wrap=True)) as tick:
        for second in range(1, 25):
            now[0] = float(second)
            meter.advanced(segment, Tally(items=100 * second))
            tick()
        meter.finished(segment, Tally(items=2400))

    assert to.getvalue().splitlines() == [
        "0 of 2 segments done, 1,000 items, 100 items/s, 0:00:10",
        "0 of 2 segments done, 2,000 items, 100 items/s, 0:00:20",
        "1 of 2 segments done, 2,400 items, 100 items/s, 0:00:24",
    ]


def test_what_an_earlier_invocation_copied_does_not_count_towards_the_rate() -> None:
    now, segment = [0.0], Segment(0, 1)
    meter = Meter([segment], continued=True, clock=lambda: now[0])

    meter.advanced(segment, Tally(items=1_000_000))
    now[0] = 2.0
    meter.advanced(segment, Tally(items=1_000_500))

    assert (meter.items, meter.items_per_second) == (1_000_500, 250.0)


def test_the_collector_is_as_it_was_after_a_copy_that_fails() -> None:
    thresholds = gc.get_threshold()

    with contextlib.suppress(ZeroDivisionError), frozen_collector():
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > 100 * thresholds[0]
        raise ZeroDivisionError

    assert (gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()) == (0, thresholds, True)
