from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from stack.airflow_stack import stop_sessions

STUBBORN_FAMILY = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """Whether it runs: a killed orphan stays a zombie where the container's first process does not reap."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_stopping_a_session_ends_children_in_other_process_groups_that_ignore_a_polite_request(tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = subprocess.Popen([sys.executable, "-c", STUBBORN_FAMILY, str(note)], start_new_session=True)  # noqa: S603 - the program above
    while not (note.exists() and note.read_text()):
        time.sleep(0.01)
    child = int(note.read_text())

    stop_sessions([parent.pid], grace_seconds=0.2)

    assert parent.wait(timeout=5) == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child)


def test_a_second_ctrl_c_counts_again_once_everything_has_stopped() -> None:
    stop_sessions([])

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
