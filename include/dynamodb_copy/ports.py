"""The only abstractions: what the engine asks of the outside."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Protocol

from dynamodb_copy.model import Checkpoint, Cursor, Durable, Page, Segment


class Source(Protocol):
    """Yields pages; never writes."""

    def segments(self) -> Sequence[Segment]:
        """Split the whole into segments that together hold every change exactly once."""

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor."""


class Sink(Protocol):
    """Stores pages durably."""

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """Store the pages; yield a cursor once its page and all before it can be read back.

        The yielded tallies add up to the pages' tallies plus what the writes cost. Writes to one key never overtake.
        When the generator is closed, nothing that it sent can happen any more.
        """


Step = Callable[[Iterable[Page]], Iterator[Page]]
"""Passes every page on, perhaps changed; it may empty a page, never swallow one: the cursor is progress."""


class CheckpointStore(Protocol):
    """Remembers how far each segment of a run has come."""

    def load(self, segment: Segment) -> Checkpoint:
        """Return the segment's checkpoint, or an empty one."""

    def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
        """Store it in one write; raise LeaseLostError if another attempt owns the segment.

        The write may still be on its way when this returns; the next `save` waits for it, and a segment's last one has
        arrived.
        """


class Limiter(Protocol):
    """Keeps to a number of capacity units per second, shared by all tasks that are active now."""

    def take(self, units: float) -> None:
        """Wait until that many units may be spent."""

    def settle(self, units: float) -> None:
        """Correct what was taken by what it really cost: positive is a debt that the next `take` waits for."""


class Fence(Protocol):
    """Stands between an attempt and the network."""

    def check(self) -> None:
        """Return if a request sent now ends while the lease still holds; raise LeaseLostError otherwise."""
