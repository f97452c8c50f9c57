"""A stream as a source: what it passes on, in which order, and when it ends."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from dynamodb_copy.aws.faults import IteratorExpiredError, TrimmedError
from dynamodb_copy.errors import ChangesLostError, ServiceUnavailableError
from dynamodb_copy.lineage import END, groups, leaves
from dynamodb_copy.model import Change, Delete, Page, Put, Segment
from dynamodb_copy.sources.table_stream import TableStream
from fake_stream import DAY, EPOCH, KEYS, STREAM, Chance, FakeStream, StreamWire

ONLY = Segment(0, 1)


def source_of(stream: FakeStream, *, segments: int = 1, seconds: float = 0.0, **changes: Any) -> TableStream:
    """The stream from its beginning to so many seconds from now."""
    source = TableStream(
        wire=stream.wire(),
        stream_arn=STREAM,
        starts=groups(leaves(stream.shards), segments),
        keys=KEYS,
        until=stream.now + seconds,
        not_before=0.0,
        known_since=stream.now,
    )
    return replace(source, **changes)


def read(source: TableStream, segment: Segment = ONLY, after: dict[str, Any] | None = None) -> list[Page]:
    return list(source.pages(segment, after))


def brief(pages: list[Page]) -> list[str]:
    """Keys and values of puts, keys of deletes."""
    return [_brief(change) for page in pages for change in page.changes]


def _brief(change: Change) -> str:
    if isinstance(change, Delete):
        return f"-{change.key['id']['S']}"
    return f"{change.item['id']['S']}{change.item['value']['N']}"


def wire_of(source: TableStream) -> StreamWire:
    assert isinstance(source.wire, StreamWire)
    return source.wire


def test_segments_are_the_given_starts() -> None:
    source = source_of(FakeStream(["a", "b", "c"], shards=3), segments=2)

    assert source.segments() == [Segment(0, 2), Segment(1, 2)]
    assert [len(start) for start in source.starts] == [2, 1]


def test_changes_come_in_order_with_the_images_and_the_moment_of_each() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    stream.pass_by(2.5)
    stream.put("a", 2)
    stream.delete("a")

    changes = [change for page in read(source_of(stream)) for change in page.changes]

    first, second = ({"id": {"S": "a"}, "value": {"N": number}} for number in "12")
    at, later = EPOCH * 1_000_000, (EPOCH + 2) * 1_000_000
    assert changes == [
        Put(first, at),
        Put(second, later, old=first),
        Delete({"id": {"S": "a"}}, later, old=second),
    ]


def test_the_last_page_alone_has_no_cursor_and_the_one_before_it_has_the_final_one() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    source = source_of(stream, known_since=EPOCH - 100.0)

    *_, final, last = pages = read(source)

    assert [page.cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert final.cursor is not None
    (shard,) = source.starts[0]
    assert final.cursor["frontier"] == {shard: str(10**20)}
    assert final.cursor["seen"] == {shard: EPOCH * 1_000_000}
    assert final.cursor["drained"] == source.until - 5
    assert (final.changes, last.changes, last.is_distinct) == ([], [], False)


def test_a_segment_ends_when_five_empty_replies_have_come_and_five_seconds_have_passed() -> None:
    stream = FakeStream(["a"])
    source = source_of(stream)

    read(source)

    assert 5 <= stream.clock.now() <= 6
    assert [operation for operation, _ in wire_of(source).requests] == ["GetShardIterator", *["GetRecords"] * 6]


def test_a_segment_whose_shards_show_later_records_ends_at_once() -> None:
    stream = FakeStream(["a"])
    stream.pass_by(10)
    source = source_of(stream)
    stream.pass_by(2)
    stream.put("a", 1)

    pages = read(source)

    assert brief(pages) == ["a1"]
    assert stream.clock.now() == 12


def test_a_record_that_shows_up_late_is_passed_on() -> None:
    stream = FakeStream(["a"], chance=Chance(late_seconds=4.0), seed=1)
    stream.put("a", 1)

    assert brief(read(source_of(stream))) == ["a1"]


def test_parents_are_read_before_their_children_which_belong_to_the_same_segment() -> None:
    stream = FakeStream(["a", "b", "c"], shards=2, chance=Chance(most_records=1))
    source = source_of(stream, segments=2)
    for value in range(3):
        stream.put("a", value)
    stream.split("a")
    stream.put("c", 3)
    stream.put("a", 4)
    stream.split("c")
    stream.put("c", 5)

    first, second = (read(source, segment) for segment in source.segments())

    assert brief(first)[:3] == ["a0", "a1", "a2"]
    assert sorted(brief(first)[3:]) == ["a4", "c3", "c5"]
    assert brief(second) == []
    assert first[-2].cursor is not None
    open_shards = {shard.id for shard in stream.shards if not shard.is_closed}
    assert first[-2].cursor["frontier"].keys() | second[-2].cursor["frontier"].keys() == open_shards  # type: ignore[index]


def test_a_child_begins_at_its_parents_last_moment() -> None:
    stream = FakeStream(["a"])
    source = source_of(stream, seconds=60.0)
    stream.put("a", 1)
    stream.split("a")

    pages = read(source)

    (child,) = [shard.id for shard in stream.shards if not shard.is_closed]
    assert pages[-2].cursor is not None
    assert pages[-2].cursor["seen"] == {child: EPOCH * 1_000_000}


def test_a_child_that_is_listed_late_is_waited_for() -> None:
    stream = FakeStream(["a"], chance=Chance(listed_late_seconds=50.0), seed=1)
    source = source_of(stream)
    stream.split("a")
    stream.put("a", 1)

    assert brief(read(source)) == ["a1"]
    assert stream.clock.now() > 15


@pytest.mark.parametrize("seed", range(5))
def test_a_child_that_is_listed_later_than_its_sibling_is_read_too(seed: int) -> None:
    stream = FakeStream(["a", "b"], chance=Chance(listed_late_seconds=5.0), seed=seed)
    source = source_of(stream)
    stream.split("a")
    stream.put("a", 1)
    stream.put("b", 2)

    assert sorted(brief(read(source))) == ["a1", "b2"]


def test_a_stream_that_is_off_ends_with_its_shards_and_no_later_moment_is_called_drained() -> None:
    stream = FakeStream(["a"])
    source = source_of(stream, seconds=3600.0)
    stream.put("a", 1)
    stream.disable()

    pages = read(source)

    assert brief(pages) == ["a1"]
    assert pages[-2].cursor is not None
    assert list(pages[-2].cursor["frontier"].values()) == [END]
    assert pages[-2].cursor["drained"] == EPOCH
    assert stream.clock.now() < 10


def test_reading_goes_on_after_a_shard_that_had_no_children_yet() -> None:
    stream = FakeStream(["a"])
    source = source_of(stream)
    parent = next(iter(source.starts[0]))
    stream.split("a")
    stream.put("a", 1)

    pages = read(source, after={"frontier": {parent: END}, "seen": {parent: 7}, "drained": EPOCH})

    assert brief(pages) == ["a1"]


def test_reading_after_a_cursor_yields_what_follows_it() -> None:
    stream = FakeStream(["a"], chance=Chance(most_records=2))
    source = source_of(stream)
    for value in range(7):
        stream.put("a", value)
    pages = read(source)

    for at, page in enumerate(pages[:-1]):
        assert brief(read(source, after=page.cursor)) == brief(pages[at + 1 :])


def test_records_that_are_repeated_are_passed_on_once() -> None:
    stream = FakeStream(["a"], chance=Chance(most_records=2, repeats=1.0))
    for value in range(30):
        stream.put("a", value)

    assert brief(read(source_of(stream))) == [f"a{value}" for value in range(30)]


def test_changes_from_before_the_base_are_passed_over_and_counted_as_read() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    stream.pass_by(100)
    source = source_of(stream, not_before=EPOCH + 50.0)
    stream.put("a", 2)

    pages = read(source)

    assert brief(pages) == ["a2"]
    assert pages[0].cursor is not None
    assert list(pages[0].cursor["frontier"].values()) == [stream.written[-1][1]["dynamodb"]["SequenceNumber"]]


@pytest.mark.parametrize(("skip_ttl", "expected"), [(True, ["a1", "b1", "-b"]), (False, ["a1", "b1", "-a", "-b"])])
def test_deletes_by_ttl_are_left_out_if_asked(skip_ttl: bool, expected: list[str]) -> None:  # noqa: FBT001 - a case
    stream = FakeStream(["a", "b"])
    stream.put("a", 1)
    stream.put("b", 1)
    stream.delete("a", by_ttl=True)
    stream.delete("b")

    assert brief(read(source_of(stream, skip_ttl=skip_ttl))) == expected


def test_a_page_says_how_often_its_reading_was_put_off() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    source = source_of(stream)
    troubles = iter([ServiceUnavailableError("slowly", throttled=True), None, IteratorExpiredError("old"), None])
    wire_of(source)._answer = _troubled(stream, troubles)  # noqa: SLF001 - troubles at chosen moments

    pages = read(source)

    assert brief(pages) == ["a1"]
    assert (pages[0].tally.pages, pages[0].tally.throttles, pages[0].tally.retries) == (1, 1, 2)


def _troubled(stream: FakeStream, troubles: Any) -> Any:
    def answer(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        trouble = next(troubles, None)
        if trouble is not None:
            raise trouble
        return stream.answer(operation, request)

    return answer


def test_an_iterator_that_expires_while_the_reader_is_held_up_is_renewed() -> None:
    stream = FakeStream(["a"], chance=Chance(most_records=1))
    for value in range(4):
        stream.put("a", value)
    source = source_of(stream)

    pages = []
    for page in source.pages(ONLY, None):
        pages.append(page)
        stream.pass_by(1000)

    assert brief(pages) == ["a0", "a1", "a2", "a3"]


def test_the_next_request_is_on_its_way_while_a_page_is_worked_on() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    source = source_of(stream)
    pages = source.pages(ONLY, None)

    next(pages)

    assert wire_of(source).in_flight == 1
    pages.close()  # type: ignore[attr-defined]  # it is a generator
    assert (wire_of(source).in_flight, wire_of(source).abandoned) == (0, 1)


def test_sixteen_shards_are_read_at_once_and_the_others_in_turn() -> None:
    names = [f"{number:02}-" for number in range(40)]
    stream = FakeStream(names, shards=40)
    for value in range(12):
        for name in names:
            stream.put(name, value)
    source = source_of(stream)

    pages = read(source)

    assert wire_of(source).most_in_flight == 16
    assert wire_of(source).in_flight == 0
    assert len(brief(pages)) == 480
    assert {text[:3] for text in brief(pages[:40])} == set(names)


def test_quiet_shows_as_empty_pages_with_the_moment_up_to_which_all_is_passed_on() -> None:
    stream = FakeStream(["a"])
    source = source_of(stream, seconds=60.0)

    moments = [page.cursor["drained"] for page in read(source) if page.cursor is not None]

    assert len(moments) >= 12
    assert moments == sorted(moments)
    assert moments[-1] >= EPOCH + 55
    assert max(later - before for before, later in pairwise(moments)) <= 6


def test_what_is_trimmed_after_it_was_read_is_not_missed() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    cursor = read(source_of(stream))[-2].cursor
    stream.pass_by(DAY + 100)
    source = source_of(stream, known_since=stream.now - 3600)
    stream.put("a", 2)

    pages = read(source, after=(cursor or {}) | {"drained": stream.now - 3600})

    assert brief(pages) == ["a2"]


def test_a_horizon_that_moves_on_while_it_is_read_is_asked_for_anew() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    source = source_of(stream)
    wire_of(source)._answer = _troubled(stream, iter([None, TrimmedError("gone")]))  # noqa: SLF001 - at that moment

    pages = read(source)

    assert brief(pages) == ["a1"]
    asked = [request.get("ShardIteratorType") for _, request in wire_of(source).requests[:4]]
    assert asked == ["TRIM_HORIZON", None, "TRIM_HORIZON", None]
    assert stream.clock.slept[0] == 1.0


@pytest.mark.parametrize("changes_before", [0, 1])
def test_changes_that_are_trimmed_unread_are_reported(changes_before: int) -> None:
    stream = FakeStream(["a"])
    stream.put("a", 0)
    source = source_of(stream)
    cursor = read(source)[-2].cursor if changes_before else None
    stream.put("a", 1)
    stream.pass_by(DAY + 100)
    stream.put("a", 2)

    with pytest.raises(ChangesLostError, match=r"shard shardId-0+-\w+ of arn:.*since 2027-01-15T.*on_gap: full"):
        read(source, after=cursor)


def test_changes_that_are_trimmed_while_a_backlog_is_read_are_reported() -> None:
    stream = FakeStream(["a"], chance=Chance(most_records=1))
    for value in range(5):
        stream.put("a", value)
    source = source_of(stream, known_since=stream.now)
    pages = source.pages(ONLY, None)
    next(pages)
    stream.pass_by(DAY + 100)

    with pytest.raises(ChangesLostError):
        list(pages)


def test_a_shard_that_vanished_before_it_was_read_to_its_end_is_reported() -> None:
    stream = FakeStream(["a"])
    source = source_of(stream)
    stream.split("a")
    stream.pass_by(DAY + 100)

    with pytest.raises(ChangesLostError, match=next(iter(source.starts[0]))):
        read(replace(source, known_since=stream.now - 3600))


def test_a_segment_without_shards_is_empty() -> None:
    stream = FakeStream(["a"])

    pages = read(source_of(stream, starts=[{}]))

    assert [page.cursor for page in pages] == [{"frontier": {}, "seen": {}, "drained": EPOCH}, None]


def test_connections_are_closed_when_the_reader_stops() -> None:
    stream = FakeStream(["a"])
    stream.put("a", 1)
    source = source_of(stream)
    closed: list[bool] = []
    wire_of(source).close = lambda: closed.append(True)  # type: ignore[method-assign]

    with closing(source.pages(ONLY, None)) as pages:  # type: ignore[type-var]  # it is a generator
        next(pages)

    assert closed == [True]
