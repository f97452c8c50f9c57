"""Which full backup and which increments lead to a moment, and what is refused with what there is instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, brief
from dynamodb_copy.catalogue import open_increment
from dynamodb_copy.chain import Chain
from dynamodb_copy.chains import chain_for
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.manifest import md5_of
from dynamodb_copy.formats.marks import Mark
from dynamodb_copy.model import Change, Item, Put
from dynamodb_copy.sources.increments import Increments
from stored_backups import EXPORT, item_of, read_back
from stored_chains import (
    PREFIX,
    Stretch,
    applied,
    history,
    id_at,
    mark_at,
    micros_of,
    second_of,
    write_full,
    write_increment,
    write_native_full,
    write_window,
)
from unit.memory_bucket import MemoryBucket


def at(minute: float) -> datetime:
    return datetime.fromtimestamp(second_of(minute), UTC)


def change(minute: float) -> Put:
    """What is written in a minute."""
    return Put(item_of(int(minute) % 7, f"of minute {minute}"), micros_of(minute))


def stretch(start: float, end: float, *, quiet: bool = False, sealed: float | None = None) -> Stretch:
    """From one minute up to another; what is quiet has read nothing."""
    begin = mark_at(start, int(start))
    finish = Mark(mark_at(end).time, begin.hash, begin.frontier) if quiet else mark_at(end, int(end))
    return Stretch(begin, finish, end + 1 if sealed is None else sealed)


def streamed(bucket: MemoryBucket, *minutes: float) -> list[str]:
    """Increments of ours from each of these minutes up to the next, with a change in each minute; their ids."""
    made = [stretch(start, end) for start, end in pairwise(minutes)]
    for each, (start, end) in zip(made, pairwise(minutes), strict=True):
        write_increment(bucket, [[change(minute) for minute in range(int(start), int(end))]], each)
    return [each.id for each in made]


def windowed(bucket: MemoryBucket, *minutes: float) -> list[str]:
    """Windows of the service's own from each of these minutes up to the next; their ids."""
    folders = [
        write_window(bucket, [change(minute) for minute in range(int(start), int(end))], start, end)
        for start, end in pairwise(minutes)
    ]
    return [folder.rpartition("/")[2] for folder in folders]


def found(bucket: MemoryBucket, until: float | None = None, *, roots: dict[str, str] | None = None) -> Chain:
    return chain_for(bucket, PREFIX, until=None if until is None else at(until), known_root=(roots or {}).get)


def ids(chain: Chain) -> list[str]:
    return [chain.full.id, *[increment.id for increment in chain.increments]]


def refusal_of(bucket: MemoryBucket, until: float | None = None, *, roots: dict[str, str] | None = None) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        found(bucket, until, roots=roots)
    return str(refused.value)


@pytest.fixture
def bucket() -> MemoryBucket:
    """Fulls at minutes 0 and 100, of ten minutes each, and an increment every 20 minutes up to 200."""
    made = MemoryBucket()
    write_full(made, [item_of(1)], 0, mark=mark_at(0, 0), took=10)
    write_full(made, [item_of(2)], 100, mark=mark_at(100, 100), took=10)
    streamed(made, *range(0, 201, 20))
    return made


FIRST, SECOND = id_at(0, "f"), id_at(100, "f")


def stream_ids(*ends: float) -> list[str]:
    return [id_at(end + 1, "a") for end in ends]


def test_without_a_moment_the_chain_leads_as_far_as_there_is_no_gap(bucket: MemoryBucket) -> None:
    chain = found(bucket)

    assert ids(chain) == [SECOND, *stream_ids(120, 140, 160, 180, 200)]
    assert chain.span == (at(110), at(200))
    assert chain.described == f"from {at(110).isoformat()} to {at(200).isoformat()}, any second"
    assert (chain.notes, chain.is_consistent) == ((), True)


@pytest.mark.parametrize(
    ("minute", "full", "ends"),
    [
        (10, FIRST, [20]),
        (19, FIRST, [20]),
        (20.5, FIRST, [20, 40]),
        (105, FIRST, [20, 40, 60, 80, 100, 120]),
        (109.9, FIRST, [20, 40, 60, 80, 100, 120]),
        (110, SECOND, [120]),
        (199.5, SECOND, [120, 140, 160, 180, 200]),
    ],
)
def test_the_newest_full_that_had_ended_and_the_increments_up_to_the_moment_are_taken(
    bucket: MemoryBucket, minute: float, full: str, ends: list[float]
) -> None:
    assert ids(found(bucket, minute)) == [full, *stream_ids(*ends)]


def test_the_whole_second_of_a_moment_is_covered_where_there_is_an_increment_that_does(bucket: MemoryBucket) -> None:
    assert ids(found(bucket, 120)) == [SECOND, *stream_ids(120, 140)]
    assert ids(found(bucket, 200)) == [SECOND, *stream_ids(120, 140, 160, 180, 200)]


@pytest.mark.parametrize(
    ("minute", "why"), [(9, "no full backup had ended by then"), (201, "no increment without a gap before it")]
)
def test_a_moment_outside_is_refused_with_what_there_is(bucket: MemoryBucket, minute: float, why: str) -> None:
    message = refusal_of(bucket, minute)

    assert message.startswith(f"s3://backups/{PREFIX}: cannot be restored to {at(minute).isoformat()}: {why}")
    assert message.endswith(f"; available: from {at(10).isoformat()} to {at(200).isoformat()}, any second")


def test_a_gap_ends_the_chain_and_is_told(bucket: MemoryBucket) -> None:
    gone = id_at(161, "a")
    for key in [key for key in bucket.contents if gone in key]:
        del bucket.contents[key]

    chain = found(bucket)

    assert ids(chain) == [SECOND, *stream_ids(120, 140)]
    (note,) = chain.notes
    assert note.startswith(
        f"there is a gap after {id_at(141, 'a')} (to 2025-11-25T04:20:00.000Z): the next increment is"
    )
    message = refusal_of(bucket, 170)
    assert note in message
    assert f"from {at(10).isoformat()} to {at(140).isoformat()}, any second" in message


def test_an_increment_that_is_damaged_ends_the_chain_and_is_told(bucket: MemoryBucket) -> None:
    folder = f"{PREFIX}/AWSDynamoDB/{id_at(161, 'a')}"
    bucket.contents[f"{folder}/manifest-files.json"] += b" "

    assert ids(found(bucket)) == [SECOND, *stream_ids(120, 140)]
    assert f"{folder}/manifest-files.json: does not agree with manifest-files.md5" in found(bucket).notes[0]
    assert "does not agree with manifest-files.md5" in refusal_of(bucket, 170)
    assert ids(found(bucket, 130)) == [SECOND, *stream_ids(120, 140)]


def test_an_increment_whose_root_hash_is_another_is_passed_over(bucket: MemoryBucket) -> None:
    chain = found(bucket, roots={id_at(161, "a"): "another"})

    assert ids(chain) == [SECOND, *stream_ids(120, 140)]
    assert "their root hash is" in chain.notes[0]


def test_a_full_whose_root_hash_is_another_is_refused(bucket: MemoryBucket) -> None:
    assert "their root hash is" in refusal_of(bucket, roots={SECOND: "another"})
    assert ids(found(bucket, 50, roots={SECOND: "another"}))[0] == FIRST


def test_two_increments_that_begin_alike_are_gone_through_by_the_one_that_leads_on(bucket: MemoryBucket) -> None:
    """A run that sealed its increment and died before it moved the position leaves one that nothing continues."""
    write_increment(bucket, [[change(125)]], Stretch(mark_at(120, 120), mark_at(135, 135), 136))
    write_increment(bucket, [[change(125)]], Stretch(mark_at(120, 120), mark_at(145, 145), 137))

    assert ids(found(bucket)) == [SECOND, *stream_ids(120, 140, 160, 180, 200)]


def test_increments_are_linked_by_what_was_read_and_not_by_time() -> None:
    bucket = MemoryBucket()
    write_full(bucket, [], 0, mark=mark_at(0, 0))
    streamed(bucket, 0, 20)
    write_increment(bucket, [[]], Stretch(mark_at(20, 19), mark_at(40, 40), 41))

    assert ids(found(bucket)) == [FIRST, *stream_ids(20)]


def test_quiet_increments_lead_on_although_nothing_was_read() -> None:
    bucket = MemoryBucket()
    write_full(bucket, [], 0, mark=mark_at(0, 0))
    for begin, end in pairwise([0, 20, 40, 60]):
        mark = mark_at(0, 0)
        made = Stretch(mark._replace(time=mark_at(begin).time), mark._replace(time=mark_at(end).time), end + 1)
        write_increment(bucket, [[]], made)

    assert ids(found(bucket)) == [FIRST, *stream_ids(20, 40, 60)]
    assert ids(found(bucket, 30)) == [FIRST, *stream_ids(20, 40)]


def test_increments_that_do_not_reach_the_end_of_a_scan_leave_the_full_before_it() -> None:
    bucket = MemoryBucket()
    write_full(bucket, [], 0, mark=mark_at(0, 0), took=10)
    write_full(bucket, [], 90, mark=mark_at(80, 80), took=30)
    streamed(bucket, 0, 40, 80, 100)

    assert ids(found(bucket)) == [FIRST, *stream_ids(40, 80, 100)]
    assert found(bucket).span == (at(10), at(100))


def test_a_full_that_began_after_the_last_increment_is_newer_than_that() -> None:
    bucket = MemoryBucket()
    write_full(bucket, [], 0, mark=mark_at(0, 0), took=10)
    write_full(bucket, [], 90, mark=mark_at(80, 80), took=30)
    streamed(bucket, 0, 40, 80)

    chain = found(bucket)

    assert ids(chain) == [id_at(90, "f")]
    assert not chain.is_consistent
    assert chain.described == "at no moment: no increment reaches its end"


def test_a_scan_alone_leads_to_no_moment() -> None:
    bucket = MemoryBucket()
    write_full(bucket, [], 0)

    assert ids(found(bucket)) == [FIRST]
    assert refusal_of(bucket, 60).endswith("no increment without a gap before it reaches it; available: no moment")


def test_an_export_alone_leads_to_its_own_moment() -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [item_of(1)], 0)

    chain = found(bucket)
    assert (chain.is_consistent, chain.described) == (True, f"at {at(0).isoformat()}")
    assert ids(found(bucket, 0)) == [id_at(0, "e")]
    assert refusal_of(bucket, 1).endswith(f"; available: at {at(0).isoformat()}")


def test_windows_continue_an_export_by_time() -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [], 10)
    made = windowed(bucket, 0, 20, 40, 60)

    assert ids(found(bucket)) == [id_at(10, "e"), *made]
    assert ids(found(bucket, 40)) == [id_at(10, "e"), *made[:2]]
    assert ids(found(bucket, 10)) == [id_at(10, "e")]
    assert found(bucket).described == (f"at the ends of 4 windows from {at(10).isoformat()} to {at(60).isoformat()}")


def test_a_moment_within_a_window_is_refused_with_the_two_nearest_ends() -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [], 0)
    made = windowed(bucket, 0, 20, 40, 60)

    message = refusal_of(bucket, 30)

    assert f"it lies within the window of {made[1]}, 2025-11-25T02:20:00.000Z to 2025-11-25T02:40:00.000Z" in message
    assert f"the nearest ends are {at(20).isoformat()} and {at(40).isoformat()}; available: at the ends of 4" in message


@pytest.mark.parametrize(
    ("minutes", "last"),
    [([(0, 20), (15, 40)], 40), ([(0, 20), (21, 40)], 20), ([(5, 20)], 0), ([(0, 30), (0, 20), (20, 40)], 40)],
)
def test_windows_may_overlap_and_may_not_leave_a_gap(minutes: list[tuple[float, float]], last: float) -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [], 0)
    for begin, end in minutes:
        write_window(bucket, [], begin, end)

    assert found(bucket).span[1] == at(last)


def test_windows_that_ended_before_the_full_are_left_out() -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [], 40)
    made = windowed(bucket, 0, 20, 40, 60)

    assert ids(found(bucket)) == [id_at(40, "e"), made[2]]


def test_of_windows_that_lead_equally_far_the_one_that_ends_first_is_taken() -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [], 15)
    for begin, end in [(0, 30), (10, 20), (20, 40)]:
        write_window(bucket, [], begin, end)

    assert found(bucket).ends == [at(15), at(20), at(40)]


def test_windows_do_not_continue_a_scan_because_they_tell_nothing_of_what_came_and_went_within_them() -> None:
    bucket = MemoryBucket()
    write_full(bucket, [], 0, mark=mark_at(0), took=30)
    windowed(bucket, 0, 20, 40, 60)

    assert ids(found(bucket)) == [FIRST]
    assert "no increment without a gap before it reaches it" in refusal_of(bucket, 40)


@pytest.mark.parametrize(
    ("exported", "ends"),
    [(0, [20, 40, 60]), (25.9, [20, 40, 60]), (26.1, [40, 60]), (45.9, [40, 60]), (46.1, [60]), (60, [60])],
)
def test_a_full_without_a_mark_is_continued_by_what_was_sealed_after_it(exported: float, ends: list[float]) -> None:
    """An increment may hold changes that are later than its end: only after it was sealed none come."""
    bucket = MemoryBucket()
    write_native_full(bucket, [], exported)
    streamed(bucket, 0, 20, 40, 60)

    assert ids(found(bucket)) == [id_at(exported, "e"), *stream_ids(*ends)]


def test_a_full_without_a_mark_from_before_the_first_increment_is_continued_by_none() -> None:
    bucket = MemoryBucket()
    write_native_full(bucket, [], 0)
    streamed(bucket, 1, 20)

    chain = found(bucket)

    assert ids(chain) == [id_at(0, "e")]
    assert chain.notes[0].startswith("there is a gap after the full: the next increment is")


def test_increments_of_a_table_that_was_dropped_and_created_again_are_another_tables(bucket: MemoryBucket) -> None:
    folder = f"{PREFIX}/AWSDynamoDB/{id_at(161, 'a')}"
    key = f"{folder}/manifest-summary.json"
    bucket.contents[key] = bucket.contents[key].replace(
        EXPORT.table_id.encode(), b"6f1f7a52-of-another-table-of-ours-000"
    )
    _md5(bucket, folder)

    assert ids(found(bucket)) == [SECOND, *stream_ids(120, 140)]


def test_a_prefix_of_two_tables_is_refused(bucket: MemoryBucket) -> None:
    folder = f"{PREFIX}/AWSDynamoDB/{id_at(161, 'a')}"
    key = f"{folder}/manifest-summary.json"
    bucket.contents[key] = bucket.contents[key].replace(b"table/orders", b"table/carts")
    _md5(bucket, folder)

    assert refusal_of(bucket).startswith(f"s3://backups/{PREFIX}: holds backups of 2 tables (")


def test_a_prefix_without_a_full_is_refused_with_what_is_damaged() -> None:
    bucket = MemoryBucket({f"{PREFIX}/AWSDynamoDB/{FIRST}/manifest-summary.json": b"{}"})
    streamed(bucket, 0, 20)

    message = refusal_of(bucket)

    assert message.startswith(f"s3://backups/{PREFIX}: holds no full backup, so no chain; ")
    assert "; passed over: s3://backups/" in message


@pytest.mark.parametrize("name", ["manifest-summary.json", "manifest-files.json", "table.json", "backup.json"])
def test_an_increment_is_refused_for_a_file_that_is_another(bucket: MemoryBucket, name: str) -> None:
    folder = f"{PREFIX}/AWSDynamoDB/{id_at(161, 'a')}"
    bucket.contents[f"{folder}/{name}"] += b" "

    with pytest.raises(BackupRefusedError, match=name):
        open_increment(bucket, folder, lambda _: None)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"itemCount":20', b'"itemCount":21', "manifest-files.json: does not add up to the 21 items"),
        (b"04:20:00.000Z", b"04:19:00.000Z", "backup.json: tells of 20 lines from 2025-11-25T04:20:00.000Z to"),
    ],
)
def test_an_increment_is_refused_whose_files_tell_of_different_things(
    bucket: MemoryBucket, old: bytes, new: bytes, says: str
) -> None:
    folder = f"{PREFIX}/AWSDynamoDB/{id_at(161, 'a')}"
    key = f"{folder}/manifest-summary.json"
    assert old in bucket.contents[key]
    bucket.contents[key] = bucket.contents[key].replace(old, new)
    _md5(bucket, folder)

    with pytest.raises(BackupRefusedError, match=says):
        open_increment(bucket, folder, lambda _: None)


def _md5(bucket: MemoryBucket, folder: str) -> None:
    content = bucket.contents[f"{folder}/manifest-summary.json"]
    bucket.contents[f"{folder}/manifest-summary.md5"] = md5_of(content).encode()


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=4, unique=True).map(sorted),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 16),
)
@brief
def test_a_fuzzy_full_and_its_chain_come_to_what_the_table_was_at_any_moment_after_the_scan(
    moves: list[tuple[int, bool]], cuts: list[int], began: int, until: int, segments: int
) -> None:
    """The scan reads each item at another moment between its begin and its end."""
    changes = history(moves)
    ended = min(began + 5, 60)
    bucket = MemoryBucket()
    edges = [0, *cuts, 61]
    for start, end in pairwise(edges):
        write_increment(bucket, [changes[start:end]], stretch(start, end))
    start = max(edge for edge in edges[:-1] if edge <= began)
    fuzzy = _scanned(changes, began, ended)
    write_full(bucket, fuzzy, began, mark=mark_at(start, start), took=ended - began)
    if until < ended:
        return

    chain = found(bucket, until)

    base = read_back(bucket, chain.full.folder)
    source = Increments(chain.increments, KEYS, segments, until=micros_of(until) + 999_999)
    replayed = [each for segment in source.segments() for page in source.pages(segment, None) for each in page.changes]
    assert applied(base, replayed) == applied([], changes[: until + 1])


def _scanned(changes: Sequence[Change], began: int, ended: int) -> list[Item]:
    seen: dict[str, Item] = {}
    for number in range(5):
        moment = began + (number * 2) % (ended - began + 1)
        for item in applied([], changes[: moment + 1]):
            if item["id"] == item_of(number)["id"]:
                seen[str(number)] = item
    return list(seen.values())
