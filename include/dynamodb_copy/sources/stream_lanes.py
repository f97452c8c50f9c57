"""How far each shard of a segment has come, and which shards follow those that were read to their end."""

from __future__ import annotations

import math
from collections import deque

from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.aws.shard_reader import ShardReader
from dynamodb_copy.aws.streams import shards, stream_status
from dynamodb_copy.lineage import BEGINNING, END
from dynamodb_copy.model import Cursor
from dynamodb_copy.sources.stream_listing import SURE_SECONDS, Listing
from dynamodb_copy.sources.stream_records import Told

SAFE_SECONDS = 5.0  # records may show up that much later than their moment
_QUIET_REPLIES = 5  # a reply may be empty though records follow
_GRAIN_SECONDS = 1.0  # of a record's moment
_LIST_AGAIN_SECONDS = 2.0
_CHILDLESS_SECONDS = 60.0


class Lane:
    """One shard: its reader, and up to when its changes have been passed on. Moments are the service's."""

    def __init__(self, reader: ShardReader, seen: int, safe: float) -> None:
        self.reader = reader
        self.seen = seen  # epoch microseconds: the latest written_at
        self.safe = safe  # epoch seconds: everything up to then is passed on, also what shows up late
        self.drained = -math.inf  # epoch seconds: nothing from before is left that can be seen
        self.ended_at = 0.0  # by the machine's clock
        self.waits_until = 0.0  # by the machine's clock: for its children
        self._quiet: deque[float] = deque()

    def tell(self, told: Told) -> None:
        """Some records are passed on."""
        self._quiet.clear()
        self.reader.passed_on(told.after)
        self.seen = told.seen
        self._reach(told.created - _GRAIN_SECONDS)

    def tell_nothing(self, now: float) -> None:
        """A reply without records, or with such alone as were passed on before."""
        self._quiet.append(now)
        while len(self._quiet) > _QUIET_REPLIES and now - self._quiet[1] >= SAFE_SECONDS:
            self._quiet.popleft()
        if len(self._quiet) >= _QUIET_REPLIES and now - self._quiet[0] >= SAFE_SECONDS:
            self._reach(self._quiet[0])

    def _reach(self, moment: float) -> None:
        self.drained = max(self.drained, moment)
        self.safe = max(self.safe, moment - SAFE_SECONDS)


class Lanes:
    """The shards of one segment: those being read, and those that ended and whose children are not surely known yet.

    One that ended stays in the frontier beside those children that are listed already, so that no sibling of theirs
    that is listed later is forgotten, whenever the reader is killed.
    """

    def __init__(self, wire: Wire, stream_arn: str, cursor: Cursor) -> None:
        self.stream_arn = stream_arn
        self.wire = wire
        self._open: dict[str, Lane] = {}
        self._ended: dict[str, Lane] = {}
        self._listing = Listing()
        self._drained: float = cursor["drained"]
        for shard, after in cursor["frontier"].items():
            reader = ShardReader(wire, stream_arn, shard, BEGINNING if after == END else after)
            self._open[shard] = Lane(reader, cursor["seen"].get(shard, 0), cursor["drained"])
            if after == END:
                self.end(self._open[shard])

    @property
    def open(self) -> list[Lane]:
        """Those that are being read."""
        return list(self._open.values())

    @property
    def cursor(self) -> Cursor:
        """Where all of them stand, as JSON."""
        lanes = self._open | self._ended
        frontier = {shard: lane.reader.after for shard, lane in self._open.items()} | dict.fromkeys(self._ended, END)
        seen = {shard: lane.seen for shard, lane in lanes.items()}
        drained = min([lane.safe for lane in lanes.values()], default=self._drained)
        return {"frontier": frontier, "seen": seen, "drained": drained}

    @property
    def list_at(self) -> float:
        """When to ask for children that may still be listed, by the machine's clock; infinite if there are none."""
        waiting = self._waiting()
        if not waiting:
            return math.inf
        childless = [lane for lane in waiting if not self._listing.shows_children(lane.reader.shard)]
        if any(lane.ended_at >= self._listing.at for lane in childless):
            return -math.inf
        return self._listing.at + (_LIST_AGAIN_SECONDS if childless else SURE_SECONDS)

    def end(self, lane: Lane) -> None:
        """The shard was read to its end."""
        lane.ended_at = self.wire.clock.now()
        lane.waits_until = lane.ended_at + _CHILDLESS_SECONDS
        self._ended[lane.reader.shard] = self._open.pop(lane.reader.shard)

    def children(self) -> list[Lane]:
        """New lanes for the children of shards that ended, as soon as they are listed."""
        if not self._ended:
            return []
        found = self._adopted()
        if self.wire.clock.now() >= self.list_at:
            self._list()
            found += self._adopted()
        return found

    def _waiting(self) -> list[Lane]:
        now = self.wire.clock.now()
        return [lane for lane in self._ended.values() if now < lane.waits_until]

    def _list(self) -> None:
        begun = self.wire.clock.now()
        listed = shards(self.wire, self.stream_arn)
        self._listing = self._listing.followed_by(listed, begun, self.wire.clock.now())
        childless = [lane for lane in self._waiting() if not self._listing.shows_children(lane.reader.shard)]
        if childless and stream_status(self.wire, self.stream_arn)["StreamStatus"] == "DISABLED":
            for lane in childless:
                lane.waits_until = 0.0

    def _adopted(self) -> list[Lane]:
        """A child that ended gives way to its own children after its parent did, or it would be taken for unread."""
        adopted: list[Lane] = []
        for shard in [shard for shard in self._ended if self._listing.shows_children(shard)]:
            if self._listing.parents.get(shard) in self._ended:
                continue
            known = self._open.keys() | self._ended.keys()
            unknown = [child.id for child in self._listing.children[shard] if child.id not in known]
            adopted += [self._opened(child, self._ended[shard]) for child in unknown]
            if self._listing.is_sure_of(shard):
                del self._ended[shard]
        return adopted

    def _opened(self, shard: str, parent: Lane) -> Lane:
        lane = Lane(ShardReader(self.wire, self.stream_arn, shard, BEGINNING), parent.seen, parent.safe)
        self._open[shard] = lane
        return lane
