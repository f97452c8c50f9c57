"""Sessions of processes that end with the process that started them, however that ends.

The module is also the program that sees to it: it reads the ids of session leaders from its standard input, and at the
end of the input, which a killed process leaves too, it stops every process of these sessions.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil  # type: ignore[import-untyped]  # ships no types

from stack.emulators import ROOT

_GRACE_SECONDS = 4.0


@contextmanager
def sessions_that_end_with_us() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Yield a function that takes the leader of a session: every process of it is gone after the block."""
    reader, writer = os.pipe()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "stack.sessions"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdin=reader,
        start_new_session=True,  # Ctrl-C does not reach it
    )
    os.close(reader)
    leaders: list[subprocess.Popen[bytes]] = []

    def keep(leader: subprocess.Popen[bytes]) -> None:
        leaders.append(leader)
        os.write(writer, b"%d\n" % leader.pid)

    try:
        yield keep
    finally:
        os.close(writer)
        for process in (keeper, *leaders):
            process.wait()


def stop_sessions(leaders: Sequence[int], *, grace_seconds: float = _GRACE_SECONDS) -> None:
    """End every process of these sessions, politely, then by force."""
    _signal_all(leaders, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while _living(leaders) and time.monotonic() < deadline:
        time.sleep(0.1)
    while _living(leaders):
        _signal_all(leaders, signal.SIGKILL)
        time.sleep(0.05)


def _signal_all(leaders: Sequence[int], number: signal.Signals) -> None:
    for pid in _living(leaders):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _living(leaders: Sequence[int]) -> list[int]:
    return [pid for pid in psutil.pids() if _session_of(pid) in leaders and not _is_zombie(pid)]


def _session_of(pid: int) -> int | None:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def _is_zombie(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


if __name__ == "__main__":
    stop_sessions([int(line) for line in sys.stdin])
