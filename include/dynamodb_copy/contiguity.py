"""Which increment continues which. docs/backup-format.md tells when one does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from dynamodb_copy.formats.increment_manifest import IncrementSummary
from dynamodb_copy.formats.marks import Mark
from dynamodb_copy.stored_increment import Increment

CLOCKS_DIFFER = timedelta(minutes=5)
"""By which a moment that a run's clock told is distrusted against the service's."""


def may_hold_after(summary: IncrementSummary, moment: datetime) -> bool:
    """Whether an increment may hold changes that a backup which is complete up to a moment lacks."""
    ends = [datetime.fromisoformat(summary.to_time)]
    if isinstance(sealed := summary.values.get("endTime"), str):
        ends.append(datetime.fromisoformat(sealed))
    return max(ends) + CLOCKS_DIFFER >= moment


class IncrementSequence:
    """The increments of one table, by time; what they hold is never looked at."""

    def __init__(self, increments: Iterable[Increment]) -> None:
        self.increments = sorted(increments, key=lambda each: (each.start.moment, each.end.moment, each.id))
        self._starting: defaultdict[tuple[str | None, datetime], list[int]] = defaultdict(list)
        for index, increment in enumerate(self.increments):
            self._starting[_place(increment.start)].append(index)
        self._next: dict[int, int] = {}
        self._reach: dict[int, datetime] = {}
        for index in reversed(range(len(self.increments))):
            self._continue(index)

    def after(self, mark: Mark) -> tuple[Increment, ...]:
        """Those that continue a mark, one after the other; where several could, what comes furthest."""
        run: list[Increment] = []
        index = self._furthest(self.followers(mark))
        while index is not None:
            run.append(self.increments[index])
            index = self._next.get(index)
        return tuple(run)

    def followers(self, mark: Mark, first: int = 0) -> list[int]:
        """The indexes, from `first` on, of increments that continue a mark."""
        if mark.hash is not None:
            found = [index for index in self._starting[_place(mark)] if index >= first]
        else:
            found = self._first_of_stream(mark.moment, first)
        return [*found, *self._windows(mark.moment, first)]

    def _continue(self, index: int) -> None:
        end = self.increments[index].end
        following = self._furthest(self.followers(end, index + 1))
        if following is not None:
            self._next[index] = following
        self._reach[index] = end.moment if following is None else max(end.moment, self._reach[following])

    def _furthest(self, indexes: list[int]) -> int | None:
        """Of windows that come equally far the one that ends first, so that most moments are the end of one."""
        return max(indexes, key=lambda index: (self._reach[index], -_ends(self.increments[index])), default=None)

    def _windows(self, moment: datetime, first: int) -> Iterator[int]:
        for index in self._begun(moment, first):
            if self.increments[index].is_window and self.increments[index].end.moment > moment:
                yield index

    def _first_of_stream(self, moment: datetime, first: int) -> list[int]:
        """What was sealed before a moment holds nothing later; what was sealed after it may."""
        for index in self._begun(moment, first):
            increment = self.increments[index]
            if not increment.is_window and increment.sealed + CLOCKS_DIFFER > moment:
                return [other for other in self._starting[_place(increment.start)] if other >= index]
        return []

    def _begun(self, moment: datetime, first: int) -> Iterator[int]:
        for index in range(first, len(self.increments)):
            if self.increments[index].start.moment > moment:
                return
            yield index


def _place(mark: Mark) -> tuple[str | None, datetime]:
    """A frontier that did not move has the same hash for as long as nothing changes: its moment tells more."""
    return mark.hash, mark.moment


def _ends(increment: Increment) -> float:
    return increment.end.moment.timestamp()
