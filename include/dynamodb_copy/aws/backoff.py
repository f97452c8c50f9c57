"""How long to wait before trying again: exponential with full jitter, until patience ends.

Source of the shape: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from dynamodb_copy.errors import ServiceUnavailableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, sleep and chance, so that tests own them."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Random = field(default_factory=Random)


class Patience:
    """The waits of one piece of work that keeps failing; progress renews it."""

    base_seconds = 0.05
    cap_seconds = 10.0
    total_seconds = 300.0
    _most_doublings = 8  # beyond the cap already

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._failing_since: float | None = None

    def renew(self) -> None:
        """Something succeeded: the next wait is shorter, and patience begins anew."""
        self._failures = max(0, self._failures - 1)
        self._failing_since = None

    def wait(self, error: ServiceUnavailableError) -> None:
        """Sleep before the next try; raises the error when nothing but failures came for as long as patience lasts.

        Patience begins with the first failure: waiting for a limit or a lease uses none of it up.
        """
        now = self._clock.now()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since > self.total_seconds:
            raise error
        longest = min(self.cap_seconds, self.base_seconds * 2**self._failures)
        self._failures = min(self._failures + 1, self._most_doublings)
        self._clock.sleep(self._clock.random.uniform(0, longest))


def patiently(request: Callable[[], T], clock: Clock) -> T:
    """Try until it succeeds, fails for good, or patience ends."""
    patience = Patience(clock)
    while True:
        try:
            return request()
        except ServiceUnavailableError as error:
            patience.wait(error)
