"""Any history of a table, any splits of its shards, any faults and kills: no change is skipped, none overtakes."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_copy.errors import ChangesLostError
from dynamodb_copy.lineage import Frontier, advance, groups, leaves, lost, unaccounted
from dynamodb_copy.model import Change, Cursor, Delete, Item, Page, Put, Segment
from dynamodb_copy.sources.table_stream import TableStream
from fake_stream import DAY, KEYS, STREAM, Chance, FakeStream

NAMES = list("abcdef")

ACTIONS = st.tuples(st.sampled_from(["put", "put", "delete", "split"]), st.sampled_from(NAMES))
HISTORIES = st.lists(st.tuples(st.floats(0.0, 20.0), ACTIONS), max_size=60)
CHANCES = st.builds(
    Chance,
    fails=st.sampled_from([0.0, 0.1, 0.3]),
    repeats=st.sampled_from([0.0, 0.3]),
    hides=st.sampled_from([0.0, 0.3]),
    late_seconds=st.sampled_from([0.0, 3.0]),
    listed_late_seconds=st.sampled_from([0.0, 3.0]),
    most_records=st.integers(1, 5),
)


class Reading:
    """Reads a stream as runs do whose attempts are killed: each goes on from the last cursor that was stored."""

    def __init__(self, stream: FakeStream, *, kills: float, seed: int) -> None:
        self.stream = stream
        self.passed: list[Change] = []
        self.claims: list[tuple[int, int, float]] = []  # segment, how much was passed on, and drained to when
        self._kills = kills
        self._random = Random(seed)  # noqa: S311 - repeatable kills, not secrets

    def run(self, starts: list[Frontier], *, seconds: float, known_since: float) -> list[Cursor]:
        """Read all segments up to so many seconds from now; returns their final cursors."""
        until = self.stream.now + seconds
        wire = self.stream.wire()
        source = TableStream(wire, STREAM, starts, KEYS, until, not_before=0.0, known_since=known_since)
        cursors = [self._segment(source, segment) for segment in source.segments()]
        assert wire.in_flight == 0
        return cursors

    def _segment(self, source: TableStream, segment: Segment) -> Cursor:
        stored: Cursor | None = None
        while True:
            for before, page in pairwise([None, *self._attempt(source, segment, stored)]):
                stored = before.cursor if before is not None and before.cursor is not None else stored
                if page is not None and page.cursor is None:
                    assert stored is not None
                    return stored

    def _attempt(self, source: TableStream, segment: Segment, stored: Cursor | None) -> list[Page]:
        """What an attempt reads before it is killed; of its last page nobody knows whether it was stored."""
        pages: list[Page] = []
        reading = source.pages(segment, stored)
        for page in reading:
            pages.append(page)
            self.passed += page.changes
            if page.cursor is not None:
                self.claims.append((segment.index, len(self.passed), page.cursor["drained"]))
            if self._random.random() < self._kills:
                break
        reading.close()  # type: ignore[attr-defined]  # it is a generator
        return pages


def key_in(change: Change) -> str:
    return str((change.item if isinstance(change, Put) else change.key)["id"]["S"])


def said(change: Change) -> tuple[str, str]:
    """The key, and what became of it; every put has a value of its own."""
    return key_in(change), change.item["value"]["N"] if isinstance(change, Put) else f"- {change.old}"


def written(stream: FakeStream) -> list[tuple[float, tuple[str, str]]]:
    found = []
    for moment, record in stream.written:
        told = record["dynamodb"]
        after = told["NewImage"]["value"]["N"] if "NewImage" in told else f"- {told['OldImage']}"
        found.append((moment, (told["Keys"]["id"]["S"], after)))
    return found


def folded(changes: list[Change]) -> dict[str, Item]:
    state: dict[str, Item] = {}
    for change in changes:
        if isinstance(change, Delete):
            state.pop(key_in(change), None)
        else:
            state[key_in(change)] = change.item
    return state


def schedule(stream: FakeStream, history: list[tuple[float, tuple[str, str]]], *, first_value: int = 0) -> None:
    for value, (moment, (what, key)) in enumerate(sorted(history), first_value):
        act = {"put": partial(stream.put, key, value), "delete": partial(stream.delete, key)}
        stream.later(moment, act.get(what, partial(stream.split, key)))


def assert_complete_and_in_order(stream: FakeStream, passed: list[Change]) -> None:
    """Repetitions begin where the last stored cursor was: what is new comes in order all the same."""
    first_times = list(dict.fromkeys([said(change) for change in passed]))
    for key in NAMES:
        assert [one for one in first_times if one[0] == key] == [one for _, one in written(stream) if one[0] == key]
    assert folded(passed) == stream.table


@settings(max_examples=200, deadline=None)
@given(HISTORIES, CHANCES, st.integers(1, 3), st.sampled_from([0.0, 0.1, 0.4]), st.integers(0, 999))
def test_every_change_is_passed_on_in_the_order_of_its_key(
    history: list[tuple[float, tuple[str, str]]], chance: Chance, shards: int, kills: float, seed: int
) -> None:
    stream = FakeStream(NAMES, shards=shards, chance=chance, seed=seed)
    schedule(stream, history)
    mark = leaves(stream.shards)
    reading = Reading(stream, kills=kills, seed=seed)

    cursors = reading.run(groups(mark, 2), seconds=25.0, known_since=stream.now)

    assert_complete_and_in_order(stream, reading.passed)
    frontier = {shard: after for cursor in cursors for shard, after in cursor["frontier"].items()}
    assert unaccounted(frontier, stream.shards) == lost(frontier, stream.shards) == []


@settings(max_examples=100, deadline=None)
@given(HISTORIES, CHANCES, st.integers(0, 999))
def test_what_was_written_before_the_drained_moment_is_passed_on(
    history: list[tuple[float, tuple[str, str]]], chance: Chance, seed: int
) -> None:
    stream = FakeStream(NAMES, chance=chance, seed=seed)
    schedule(stream, history)
    reading = Reading(stream, kills=0.1, seed=seed)

    reading.run([leaves(stream.shards)], seconds=25.0, known_since=stream.now - 100)

    for _, count, drained in reading.claims:
        passed = {said(change) for change in reading.passed[:count]}
        assert passed >= {one for moment, one in written(stream) if moment <= drained}


@settings(max_examples=100, deadline=None)
@given(HISTORIES, CHANCES, st.integers(1, 3), st.integers(0, 999))
def test_moments_never_go_back_for_a_key(
    history: list[tuple[float, tuple[str, str]]], chance: Chance, shards: int, seed: int
) -> None:
    stream = FakeStream(NAMES, shards=shards, chance=chance, seed=seed)
    schedule(stream, history)
    reading = Reading(stream, kills=0.0, seed=seed)

    reading.run([leaves(stream.shards)], seconds=25.0, known_since=stream.now)

    for key in NAMES:
        moments = [change.written_at or 0 for change in reading.passed if key_in(change) == key]
        assert moments == sorted(moments)


PAUSES = st.sampled_from([0.0, 3600.0, 23 * 3600.0, DAY - 60, DAY, DAY + 60, 30 * 3600.0])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(HISTORIES, PAUSES), min_size=1, max_size=4),
    CHANCES,
    st.sampled_from([0.0, 0.2]),
    st.integers(0, 999),
)
def test_runs_with_pauses_between_them_pass_everything_on_or_say_that_changes_were_lost(
    legs: list[tuple[list[tuple[float, tuple[str, str]]], float]], chance: Chance, kills: float, seed: int
) -> None:
    """Positions outlive runs; between two of them a day may pass, and the stream forgets."""
    stream = FakeStream(NAMES, shards=2, chance=chance, seed=seed)
    frontier, known_since = leaves(stream.shards), stream.now
    reading = Reading(stream, kills=kills, seed=seed)
    random = Random(seed)  # noqa: S311 - the same course every time, no secrets
    for number, (history, pause) in enumerate(legs):
        schedule(stream, history, first_value=1000 * number)
        for _ in range(random.choice([0, 10, 22])):  # so much of it happens before the pause, the rest while it is read
            stream.pass_by(1.0)
        stream.pass_by(pause)
        frontier = advance(frontier, stream.shards)
        was_forgotten = bool(lost(frontier, stream.shards) or unaccounted(frontier, stream.shards))
        try:
            cursors = reading.run(groups(frontier, 2), seconds=25.0, known_since=known_since)
        except ChangesLostError:
            assert stream.now - known_since >= DAY
            return
        assert not was_forgotten
        frontier = {shard: after for cursor in cursors for shard, after in cursor["frontier"].items()}
        known_since = max(known_since, min(cursor["drained"] for cursor in cursors))

    assert_complete_and_in_order(stream, reading.passed)
