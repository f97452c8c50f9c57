"""Many tasks on one simulated clock: hours of waiting in milliseconds, in the same order each time."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from random import Random

from dynamodb_copy.aws.backoff import Clock


class _EndedError(BaseException):
    """The simulation is over; unwinds a task that still sleeps."""


class _Task:
    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.may_go_on = threading.Semaphore(0)
        self.failure: BaseException | None = None


class SimulatedTime:
    """One task runs at a time; time passes only when all of them sleep."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self._waiting: list[tuple[float, int, _Task]] = []
        self._numbers = iter(range(1_000_000_000))
        self._back = threading.Semaphore(0)
        self._current: _Task | None = None
        self._ended = False

    def clock(self, *, offset: float = 0.0) -> Clock:
        """A machine's clock, which may be set differently from the others'."""
        return Clock(now=lambda: self.now + offset, sleep=self.sleep, random=Random(0))  # noqa: S311 - no secrets

    def sleep(self, seconds: float) -> None:
        """Let the others go on, and return when that much time has passed."""
        assert self._current is not None
        mine = self._current
        self._wait_for(mine, seconds)
        self._back.release()
        mine.may_go_on.acquire()
        if self._ended:
            raise _EndedError

    def run(self, *works: Callable[[], None], until: float = float("inf")) -> None:
        """Run all tasks to their ends, or for `until` seconds; raises what one of them raised."""
        tasks = [_Task(work) for work in works]
        threads = [threading.Thread(target=self._lead, args=[task], daemon=True) for task in tasks]
        for thread, task in zip(threads, tasks, strict=True):
            self._wait_for(task, 0.0)
            thread.start()
        end = self.now + until
        while self._waiting:
            wakes, _, self._current = heapq.heappop(self._waiting)
            self._ended = self._ended or wakes > end
            self.now = self.now if self._ended else wakes
            self._current.may_go_on.release()
            self._back.acquire()
        for thread in threads:
            thread.join()
        failures = [task.failure for task in tasks if task.failure is not None]
        if failures:
            raise failures[0]

    def _wait_for(self, task: _Task, seconds: float) -> None:
        heapq.heappush(self._waiting, (self.now + max(0.0, seconds), next(self._numbers), task))

    def _lead(self, task: _Task) -> None:
        task.may_go_on.acquire()
        try:
            if not self._ended:
                task.work()
        except _EndedError:
            pass
        except BaseException as failure:  # noqa: BLE001 - raised again in the test's thread
            task.failure = failure
        finally:
            self._back.release()
