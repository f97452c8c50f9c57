"""How many requests may be on their way at once."""

from __future__ import annotations

_FIRST = 16
_MOST = 64


class FlightWindow:
    """Doubles with each round trip until the first throttling; then halves at once and comes back one by one."""

    def __init__(self) -> None:
        self.size = _FIRST
        self.generation = 0  # counts the narrowings: requests sent before one say nothing new about it
        self._successes = 0

    def widen(self) -> None:
        """A request succeeded."""
        self._successes += 1
        if self._successes >= self.size:
            self._successes = 0
            self.size = min(_MOST, self.size + 1 if self.generation else self.size * 2)

    def narrow(self) -> None:
        """A request was throttled or failed."""
        self.size = max(1, self.size // 2)
        self.generation += 1
        self._successes = 0
