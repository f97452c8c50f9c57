"""A table's stream as a source: a segment is some of its shards, with all that descend from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.lineage import Frontier
from dynamodb_copy.model import Cursor, KeySchema, Page, Segment
from dynamodb_copy.sources.stream_drain import Drain
from dynamodb_copy.sources.stream_lanes import Lanes
from dynamodb_copy.sources.stream_records import Wanted


@dataclass(frozen=True, slots=True)
class TableStream:
    """Reads every change of a key in order, each at least once; several threads may read segments at the same time.

    Moments are epoch seconds by the service's clock. A cursor is `{"frontier": {...}, "seen": {...}, "drained": ...}`:
    where each shard is read on, the latest `written_at` of each, and up to when all is passed on.
    """

    wire: Wire  # of streams
    stream_arn: str
    starts: Sequence[Frontier]  # one for each segment
    keys: KeySchema
    until: float  # a segment ends once it is drained to then
    not_before: float  # older changes are read and not passed on
    known_since: float  # everything up to then was read before: what the stream has forgotten of it is not missed
    skip_ttl: bool = False  # leave out the deletes that TTL makes
    with_old: bool = True  # with the items before the changes

    def segments(self) -> Sequence[Segment]:
        """One for each start."""
        return [Segment(index, len(self.starts)) for index in range(len(self.starts))]

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Yield the segment's pages that follow `after`, in order; the last one, and it alone, has no cursor.

        A page is what one request read, or an empty one after some seconds of quiet; the last but one is empty and has
        the final cursor. Raises ChangesLostError when the stream has forgotten what nobody has read.
        """
        start = {"frontier": self.starts[segment.index], "seen": {}, "drained": self.known_since}
        wire = self.wire.sibling()
        try:
            lanes = Lanes(wire, self.stream_arn, after or start)
            wanted = Wanted(self.keys, self.not_before, self.skip_ttl, self.with_old)
            yield from Drain(lanes, wanted, self.until).pages()
        finally:
            wire.close()
