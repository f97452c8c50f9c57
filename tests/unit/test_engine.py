from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, brief
from dynamodb_copy.engine import copy_segment, finished
from dynamodb_copy.errors import LeaseLostError, RunIncompleteError
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Change, Checkpoint, Delete, Item, Page, Put, Segment, Tally
from dynamodb_copy.steps.counting import counting
from fakes import ListSource, MemoryCheckpoints, MemorySink, in_pages

FINGERPRINTS = Fingerprints(KEYS)
ITEMS: list[Item] = [{"id": {"S": str(n)}, "n": {"N": str(n)}} for n in range(7)]
ONLY = Segment(0, 1)


class KilledError(Exception):
    """The process ends here."""


class Fuse:
    """Kills at the given step of an attempt; `None` lets it live."""

    def __init__(self) -> None:
        self.left: int | None = None

    def __call__(self) -> None:
        """Burn down by one step."""
        if self.left is None:
            return
        if self.left == 0:
            raise KilledError
        self.left -= 1


class Copy:
    """One segment, from a list to memory, in as many attempts as it takes."""

    def __init__(self, pages: list[list[Change]], fuse: Fuse | None = None) -> None:
        step = fuse or Fuse()
        self.source = ListSource(pages, step=step)
        self.sink = MemorySink(KEYS, step=step)
        self.checkpoints = MemoryCheckpoints(step=step)

    def attempt(self) -> Tally:
        """Copy until the end or until killed."""
        steps = [counting(FINGERPRINTS)]
        return copy_segment(self.source, self.sink, ONLY, self.checkpoints, steps)


def pages_of(items: list[Item], size: int = 2) -> list[list[Change]]:
    return in_pages([Put(item) for item in items], size)


def by_id(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: str(item["id"]))


def test_a_copy_stores_every_item_and_counts_it_once() -> None:
    copy = Copy(pages_of(ITEMS))

    tally = copy.attempt()

    assert by_id(copy.sink.items) == by_id(ITEMS)
    assert tally == FINGERPRINTS.tally(ITEMS) + Tally(pages=4, read_units=2.0, write_units=7.0)


def test_every_page_is_a_checkpoint_with_all_that_was_counted_up_to_it() -> None:
    copy = Copy(pages_of(ITEMS))

    copy.attempt()

    saved = [(checkpoint.cursor, checkpoint.tally.items, checkpoint.done) for _, checkpoint in copy.checkpoints.saves]
    assert saved == [({"page": 0}, 2, False), ({"page": 1}, 4, False), ({"page": 2}, 6, False), ({"page": 2}, 7, True)]


def test_an_empty_segment_is_done_after_its_one_page() -> None:
    copy = Copy(pages_of([]))

    tally = copy.attempt()

    assert tally.items == 0
    assert copy.checkpoints.load(ONLY).done


def test_a_resumed_segment_continues_after_the_last_checkpoint() -> None:
    copy = Copy(pages_of(ITEMS))
    before = FINGERPRINTS.tally(ITEMS[:4]) + Tally(pages=2)
    copy.checkpoints.save(ONLY, Checkpoint({"page": 1}, before))

    tally = copy.attempt()

    assert copy.source.asked == [(ONLY, 2), (ONLY, 3)]
    assert (tally.items, tally.digest) == (7, FINGERPRINTS.tally(ITEMS).digest)


def test_a_segment_that_is_done_is_left_alone() -> None:
    copy = Copy(pages_of(ITEMS))
    first = copy.attempt()
    copy.source.asked.clear()

    second = copy.attempt()

    assert second == first
    assert copy.source.asked == []
    assert len(copy.checkpoints.saves) == 4


def test_steps_are_passed_in_their_order() -> None:
    def marking(mark: str) -> Callable[[Iterable[Page]], Iterator[Page]]:
        def marked(pages: Iterable[Page]) -> Iterator[Page]:
            for page in pages:
                puts = [change for change in page.changes if isinstance(change, Put)]
                yield page._replace(changes=[Put({**put.item, "way": way_with(put.item, mark)}) for put in puts])

        return marked

    def way_with(item: Item, mark: str) -> dict[str, str]:
        return {"S": item.get("way", {"S": ""})["S"] + mark}

    sink = MemorySink(KEYS)
    copy_segment(ListSource(pages_of(ITEMS[:1])), sink, ONLY, MemoryCheckpoints(), [marking("a"), marking("b")])

    assert sink.items == [{**ITEMS[0], "way": {"S": "ab"}}]


def test_only_the_pages_in_work_are_pulled() -> None:
    copy = Copy(pages_of(ITEMS))
    pulled: list[int] = []

    class Watching(MemoryCheckpoints):
        def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
            pulled.append(len(copy.source.asked))
            super().save(segment, checkpoint)

    copy_segment(copy.source, copy.sink, ONLY, Watching())

    assert pulled == [1, 2, 3, 4]


def test_an_attempt_that_lost_its_lease_ends_at_its_next_checkpoint() -> None:
    class Lost(MemoryCheckpoints):
        def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
            raise LeaseLostError(f"{segment.label}: {checkpoint.cursor}")

    source = ListSource(pages_of(ITEMS))

    with pytest.raises(LeaseLostError):
        copy_segment(source, MemorySink(KEYS), ONLY, Lost())

    assert source.asked == [(ONLY, 0)]


def steps_of_a_whole_copy() -> int:
    fuse = Fuse()
    fuse.left = 1000
    Copy(pages_of(ITEMS), fuse).attempt()
    return 1000 - fuse.left


@pytest.mark.parametrize("killed_at", range(steps_of_a_whole_copy()))
def test_a_kill_at_any_point_loses_nothing_and_counts_nothing_twice(killed_at: int) -> None:
    fuse = Fuse()
    copy = Copy(pages_of(ITEMS), fuse)
    fuse.left = killed_at
    with pytest.raises(KilledError):
        copy.attempt()

    fuse.left = None
    tally = copy.attempt()

    assert by_id(copy.sink.items) == by_id(ITEMS)
    assert tally == FINGERPRINTS.tally(ITEMS) + Tally(pages=4, read_units=2.0, write_units=7.0)
    assert len(copy.source.asked) <= 4 + 1


@given(
    pages=st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=6),
    kills=st.lists(st.integers(0, 25), max_size=8),
)
@brief
def test_any_pages_survive_any_kills(pages: list[list[int]], kills: list[int]) -> None:
    """Keys come again on later pages, and every third change is a delete: the last change of a key counts."""
    changes = [[change_of(key, page, at) for at, key in enumerate(keys)] for page, keys in enumerate(pages)]
    fuse = Fuse()
    copy = Copy(changes, fuse)

    for kill in kills:
        fuse.left = kill
        with suppress(KilledError):
            copy.attempt()
    fuse.left = None
    tally = copy.attempt()

    untouched = Copy(changes)
    assert tally == untouched.attempt()
    assert by_id(copy.sink.items) == by_id(untouched.sink.items)
    assert len(copy.source.asked) <= len(pages) + len(kills)
    assert copy.checkpoints.load(ONLY).done


def change_of(key: int, page: int, at: int) -> Change:
    name = {"id": {"S": str(key)}}
    return Delete(name) if (key + page) % 3 == 0 else Put({**name, "n": {"N": str(10 * page + at)}})


def test_a_finished_run_has_a_tally_for_every_planned_segment() -> None:
    checkpoints = MemoryCheckpoints()
    segments = [Segment(index, 3) for index in range(3)]
    for segment in segments:
        checkpoints.save(segment, Checkpoint(None, Tally(items=segment.index), done=True))

    assert [tally.items for tally in finished(checkpoints, segments)] == [0, 1, 2]


@pytest.mark.parametrize("hole", [None, Checkpoint({"page": 3}, Tally(items=3))])
def test_a_run_with_a_hole_is_not_finished(hole: Checkpoint | None) -> None:
    checkpoints = MemoryCheckpoints()
    segments = [Segment(index, 3) for index in range(3)]
    for segment in (segments[0], segments[2]):
        checkpoints.save(segment, Checkpoint(None, done=True))
    if hole is not None:
        checkpoints.save(segments[1], hole)

    with pytest.raises(RunIncompleteError, match=r"1 of 3 planned segments .*\(segment 2/3\)"):
        finished(checkpoints, segments)


def test_a_run_without_any_segment_is_not_finished() -> None:
    with pytest.raises(RunIncompleteError, match="the plan has no segments"):
        finished(MemoryCheckpoints(), [])
