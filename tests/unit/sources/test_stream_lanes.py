"""How far a shard has come, and when the children of one that ended are known."""

from __future__ import annotations

import math
from typing import Any

from dynamodb_copy.aws.shard_reader import ShardReader
from dynamodb_copy.lineage import END
from dynamodb_copy.sources.stream_lanes import Lane, Lanes
from dynamodb_copy.sources.stream_records import Told
from fake_stream import STREAM
from fakes import FakeWire, scripted


class Listed:
    """A stream of which only the listing matters: `P>a` is a child of P, `P>a!` one that is closed."""

    def __init__(self, *shards: str) -> None:
        self.shards = shards
        self.status = "ENABLED"
        self.wire = FakeWire(self._answer)
        self.lanes = Lanes(self.wire, STREAM, {"frontier": {"P": "7"}, "seen": {"P": 3}, "drained": 100.0})
        self.end("P")

    def _answer(self, _: str, __: dict[str, Any]) -> dict[str, Any]:
        return {"StreamDescription": {"StreamStatus": self.status, "Shards": [_shown(shard) for shard in self.shards]}}

    @property
    def frontier(self) -> dict[str, str]:
        """Where its shards stand."""
        found: dict[str, str] = self.lanes.cursor["frontier"]
        return found

    def found(self) -> list[str]:
        """The children that are new, once it is time to ask for them."""
        if math.isfinite(self.lanes.list_at):
            self.wire.clock.sleep(max(0.0, self.lanes.list_at - self.wire.clock.now()))
        return [lane.reader.shard for lane in self.lanes.children()]

    def end(self, shard: str) -> None:
        """Read a shard to its end."""
        self.lanes.end(next(lane for lane in self.lanes.open if lane.reader.shard == shard))


def _shown(shard: str) -> dict[str, Any]:
    parent, _, name = shard.partition(">")
    numbers = {"EndingSequenceNumber": "9"} if name.endswith("!") else {}
    return {"ShardId": name.removesuffix("!"), "ParentShardId": parent, "SequenceNumberRange": numbers}


def lane() -> Lane:
    return Lane(ShardReader(FakeWire(scripted()), STREAM, "a", ""), 0, 50.0)


def test_five_empty_replies_over_five_seconds_say_that_all_from_before_them_was_read() -> None:
    quiet = lane()

    for moment in (100.0, 101.0, 102.0, 103.0, 104.0):
        quiet.tell_nothing(moment)
    assert quiet.drained == -math.inf
    quiet.tell_nothing(105.0)

    assert (quiet.drained, quiet.safe) == (100.0, 95.0)


def test_few_empty_replies_say_nothing_however_long_they_take() -> None:
    slow = lane()

    for moment in (100.0, 110.0, 120.0, 130.0):
        slow.tell_nothing(moment)
    assert slow.drained == -math.inf
    slow.tell_nothing(140.0)

    assert slow.drained == 100.0


def test_quiet_that_lasts_moves_the_moment_on() -> None:
    quiet = lane()

    for moment in range(100, 130):
        quiet.tell_nothing(float(moment))

    assert quiet.drained == 124.0


def test_records_end_the_quiet_and_show_what_was_read_before_them() -> None:
    busy = lane()
    for moment in (100.0, 101.0, 102.0, 103.0):
        busy.tell_nothing(moment)

    busy.tell(Told([], "7", 9, 90.0))
    busy.tell_nothing(106.0)

    assert (busy.drained, busy.safe, busy.reader.after, busy.seen) == (89.0, 84.0, "7", 9)


def test_a_shard_that_ended_stays_in_the_frontier_until_no_sibling_can_be_missing() -> None:
    stream = Listed("x>P!", "P>a")

    assert stream.found() == ["a"]
    assert stream.frontier == {"P": END, "a": ""}
    stream.shards = (*stream.shards, "P>b")
    assert stream.found() == ["b"]

    assert stream.frontier == {"a": "", "b": ""}
    assert stream.lanes.list_at == math.inf
    assert stream.lanes.cursor["seen"] == {"a": 3, "b": 3}


def test_a_listing_that_shows_a_shard_as_open_does_not_show_all_its_children_yet() -> None:
    stream = Listed("x>P", "P>a")

    assert stream.found() == []
    assert stream.frontier == {"P": END}
    stream.shards = ("x>P!", "P>a", "P>b")

    assert stream.found() == ["a", "b"]


def test_a_shard_that_was_shown_as_closed_stays_closed_whatever_later_listings_show() -> None:
    stream = Listed("x>P!", "P>a")
    assert stream.found() == ["a"]
    stream.shards = ("x>P", "P>a", "P>b")

    assert stream.found() == ["b"]
    assert stream.frontier == {"a": "", "b": ""}


def test_a_child_gives_way_to_its_own_children_after_its_parent_did_and_is_not_begun_again() -> None:
    stream = Listed("x>P", "P>a!", "a>c")
    assert stream.found() == []
    stream.wire.clock.sleep(4.0)
    stream.shards = ("x>P!", "P>a!", "a>c")
    assert stream.found() == ["a"]

    stream.end("a")
    assert stream.lanes.children() == []
    assert stream.frontier == {"P": END, "a": END}
    begun = [*stream.found(), *stream.found(), *stream.found()]

    assert begun == ["c"]
    assert stream.frontier == {"c": ""}


def test_a_forgotten_shards_children_are_known_at_once() -> None:
    stream = Listed("P>a", "P>b")

    assert stream.found() == ["a", "b"]
    assert stream.frontier == {"a": "", "b": ""}


def test_children_are_waited_for_a_minute_and_then_left_to_the_next_run() -> None:
    stream = Listed("x>P!")

    while stream.lanes.list_at < math.inf:
        assert stream.found() == []

    assert 60 <= stream.wire.clock.now() <= 64
    assert stream.lanes.cursor == {"frontier": {"P": END}, "seen": {"P": 3}, "drained": 100.0}


def test_nothing_is_waited_for_when_the_stream_is_off() -> None:
    stream = Listed("x>P!")
    stream.status = "DISABLED"

    assert stream.found() == []
    assert stream.lanes.list_at == math.inf
