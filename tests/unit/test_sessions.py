from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types

from stack.emulators import ROOT
from stack.sessions import stop_sessions

STUBBORN_FAMILY = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""

KILLED_OWNER = """
import os, signal, subprocess, sys
from stack.sessions import sessions_that_end_with_us
with sessions_that_end_with_us() as keep:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    keep(child)
    print(child.pid, flush=True)
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def is_running(pid: int) -> bool:
    """Whether it runs: a killed orphan stays a zombie where the container's first process does not reap."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(pid)


def own_a_session(*, end: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED_OWNER, end]
    environment = {"PYTHONPATH": str(ROOT / "tests")}
    return subprocess.run(  # noqa: S603 - the program above
        command, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=30
    )


def test_stopping_a_session_ends_children_in_other_process_groups_that_ignore_a_polite_request(tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = subprocess.Popen([sys.executable, "-c", STUBBORN_FAMILY, str(note)], start_new_session=True)  # noqa: S603 - the program above
    while not (note.exists() and note.read_text()):
        time.sleep(0.01)
    child = int(note.read_text())

    stop_sessions([parent.pid], grace_seconds=0.2)

    assert parent.wait(timeout=5) == -signal.SIGKILL
    assert ends_within(child, seconds=5)


def test_a_session_is_gone_when_the_block_of_its_owner_ends() -> None:
    owner = own_a_session(end="at the block's end")

    assert owner.returncode == 0
    assert not is_running(int(owner.stdout))


def test_a_session_ends_even_when_its_owner_is_killed() -> None:
    owner = own_a_session(end="killed")

    assert owner.returncode == -signal.SIGKILL
    assert ends_within(int(owner.stdout), seconds=10)
