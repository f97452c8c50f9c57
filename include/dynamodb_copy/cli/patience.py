"""How the command line calls a run's verbs: again after what may pass, and until what is awaited is there."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TypeVar

from dynamodb_copy.cli.outside import Surroundings
from dynamodb_copy.errors import TableError, TransientError
from dynamodb_copy.job import Job

T = TypeVar("T")


class Patience:
    """As much of it as a job has; once `stop` is set there is none left."""

    def __init__(self, job: Job, outside: Surroundings) -> None:
        self.job = job
        self.stop = threading.Event()
        self.messages = outside.messages
        self.say = outside.messages.print
        self._outside = outside

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return what the attempt returns, trying again as the job's `retries` and `retry_delay` say."""
        retries_left = self.job.retries
        while True:
            try:
                return attempt()
            except TransientError as error:
                if not retries_left or self.stop.is_set():
                    raise
                self.say(f"{error}\ntrying again in {self.job.retry_delay}; tries left: {retries_left}")
            retries_left -= 1
            self._outside.pause(self.stop, self.job.retry_delay.total_seconds())

    def wait(self, is_so: Callable[[], bool], *, poll_seconds: float, waiting: str, missing: str) -> None:
        """Ask until it is so, saying `waiting`; raises TableError with what is `missing` after the job's timeout."""
        for _ in range(math.ceil(self.job.timeout.total_seconds() / poll_seconds)):
            if self.patiently(is_so):
                return
            self.say(waiting)
            self._outside.pause(self.stop, poll_seconds)
        raise TableError(f"{missing} after {self.job.timeout}: see why, then continue the run")
