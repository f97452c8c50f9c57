"""What a look at chains finds: each kind of damage, by the ids and moments between which it lies."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from dynamodb_copy.chain_check import check_chain
from dynamodb_copy.chain_report import ChainReport, Problem
from dynamodb_copy.formats.manifest import md5_of
from dynamodb_copy.model import Put
from stored_backups import TABLE_ARN, item_of
from stored_chains import (
    DATA,
    PREFIX,
    Stretch,
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

FULL = id_at(0, "f")


def at(minute: float) -> datetime:
    return datetime.fromtimestamp(second_of(minute), UTC)


def increment_id(end: float) -> str:
    return id_at(end + 1, "a")


def streamed(bucket: MemoryBucket, *minutes: int) -> None:
    for start, end in pairwise(minutes):
        changes = [Put(item_of(minute % 7), micros_of(minute)) for minute in range(start, end)]
        write_increment(bucket, [changes], Stretch(mark_at(start, start), mark_at(end, end), end + 1))


@pytest.fixture
def bucket() -> MemoryBucket:
    """A full of ten minutes, and three increments of twenty."""
    made = MemoryBucket()
    write_full(made, [item_of(1), item_of(2)], 0, mark=mark_at(0, 0), took=10)
    streamed(made, 0, 20, 40, 60)
    return made


@pytest.fixture
def windows() -> MemoryBucket:
    """An export and three windows."""
    made = MemoryBucket()
    write_native_full(made, [item_of(1)], 0)
    for start, end in pairwise([0, 20, 40, 60]):
        write_window(made, [Put(item_of(start), micros_of(start))], start, end)
    return made


def checked(bucket: MemoryBucket, *, deep: bool = False, due: float | None = None) -> ChainReport:
    return check_chain(bucket, PREFIX, lambda _: None, deep=deep, due=None if due is None else at(due))


def kinds(report: ChainReport) -> list[str]:
    return [problem.kind for problem in report.problems]


def drop(bucket: MemoryBucket, named: str) -> None:
    for key in [key for key in bucket.contents if f"/{named}/" in key]:
        del bucket.contents[key]


def edit_summary(bucket: MemoryBucket, named: str, old: str, new: str) -> None:
    folder = f"{PREFIX}/AWSDynamoDB/{named}"
    content = bucket.contents[f"{folder}/manifest-summary.json"].replace(old.encode(), new.encode())
    bucket.contents[f"{folder}/manifest-summary.json"] = content
    bucket.contents[f"{folder}/manifest-summary.md5"] = md5_of(content).encode()


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_chain_is_told_with_its_figures(bucket: MemoryBucket, *, deep: bool) -> None:
    report = checked(bucket, deep=deep)

    size_bytes = sum(len(content) for key, content in bucket.contents.items() if key.endswith(".json.gz"))
    assert (report.whole, report.problems) == (True, ())
    assert (report.fulls, report.increments, report.items, report.changes) == (1, 3, 2, 60)
    assert (report.bytes, report.checksums) == (size_bytes, deep)
    assert report.restorable == (f"from {at(10).isoformat()} to {at(60).isoformat()}, any second",)


def test_windows_of_the_services_own_are_whole_too(windows: MemoryBucket) -> None:
    report = checked(windows, deep=True)

    assert report.problems == ()
    assert report.restorable == (f"at the ends of 4 windows from {at(0).isoformat()} to {at(60).isoformat()}",)


def test_several_fulls_of_one_sequence_are_whole(bucket: MemoryBucket) -> None:
    write_full(bucket, [], 45, mark=mark_at(40, 40), took=5)
    write_full(bucket, [], 70, mark=mark_at(60, 60), took=5)

    assert checked(bucket).problems == ()


def test_a_gap_is_named_by_what_is_before_and_after_it(bucket: MemoryBucket) -> None:
    drop(bucket, increment_id(40))

    (problem,) = checked(bucket).problems

    assert problem == Problem(
        "gap",
        increment_id(60),
        "2025-11-25T02:40:00.000Z to 2025-11-25T03:00:00.000Z does not go on where "
        f"{increment_id(20)}, 2025-11-25T02:00:00.000Z to 2025-11-25T02:20:00.000Z, ends",
    )


def test_a_gap_is_one_although_a_full_begins_a_chain_right_after_it(bucket: MemoryBucket) -> None:
    write_full(bucket, [], 45, mark=mark_at(40, 40), took=5)
    drop(bucket, increment_id(40))

    assert kinds(checked(bucket)) == ["gap"]


def test_a_gap_between_a_full_and_the_first_increment_is_named(bucket: MemoryBucket) -> None:
    drop(bucket, increment_id(20))

    (problem,) = checked(bucket).problems

    assert (problem.kind, problem.id) == ("gap", FULL)
    assert problem.text.startswith("no increment goes on at 2025-11-25T02:00:00.000Z, where its chain begins; the ")
    assert increment_id(40) in problem.text


def test_a_gap_between_windows_is_named(windows: MemoryBucket) -> None:
    drop(windows, id_at(40, "d"))

    (problem,) = checked(windows).problems

    assert (problem.kind, problem.id) == ("gap", id_at(60, "d"))


def test_two_increments_that_begin_alike_are_a_fork(bucket: MemoryBucket) -> None:
    write_increment(bucket, [[]], Stretch(mark_at(20, 20), mark_at(35, 35), 36))

    (problem,) = checked(bucket).problems

    assert problem.kind == "fork"
    assert {problem.id, problem.text.split()[2]} == {increment_id(35), increment_id(40)}


def test_a_fork_at_the_very_beginning_is_no_gap(bucket: MemoryBucket) -> None:
    write_increment(bucket, [[]], Stretch(mark_at(0, 0), mark_at(15, 15), 16))

    assert kinds(checked(bucket)) == ["fork"]


@pytest.mark.parametrize("span", [(15, 30), (5, 15), (0, 20)])
def test_windows_that_overlap_are_named(windows: MemoryBucket, span: tuple[int, int]) -> None:
    write_window(windows, [], span[0], span[1] + 0.5)

    report = checked(windows)

    assert set(kinds(report)) == {"overlap"}


def test_what_is_late_is_named(bucket: MemoryBucket) -> None:
    assert checked(bucket, due=60).problems == ()

    (problem,) = checked(bucket, due=61).problems

    assert (problem.kind, problem.id) == ("late", increment_id(60))
    assert at(60).isoformat(" ") in problem.text


def test_an_unsealed_folder_is_named(bucket: MemoryBucket) -> None:
    bucket.put(f"{PREFIX}/AWSDynamoDB/01764099999999-00000000/_started", b"")

    (problem,) = checked(bucket).problems

    assert (problem.kind, problem.id) == ("unsealed", "01764099999999-00000000")


def test_a_summary_that_cannot_be_read_is_damage(bucket: MemoryBucket) -> None:
    bucket.put(f"{PREFIX}/AWSDynamoDB/{increment_id(60)}/manifest-summary.json", b'{"exportFromTime": 5}')

    (problem,) = checked(bucket).problems

    assert (problem.kind, problem.id) == ("damaged", increment_id(60))


@pytest.mark.parametrize("name", ["manifest-files.json", "table.json", "backup.json", "backup.sha256"])
@pytest.mark.parametrize("named", [FULL, increment_id(60)])
def test_files_that_do_not_agree_are_damage(bucket: MemoryBucket, named: str, name: str) -> None:
    bucket.contents[f"{PREFIX}/AWSDynamoDB/{named}/{name}"] += b"x"

    problems = checked(bucket).problems

    assert [(problem.kind, problem.id) for problem in problems] == [("damaged", named)]
    assert name in problems[0].text


def test_all_that_is_wrong_is_told_at_once(bucket: MemoryBucket) -> None:
    bucket.contents[f"{PREFIX}/AWSDynamoDB/{increment_id(40)}/backup.json"] += b"x"
    bucket.put(f"{PREFIX}/AWSDynamoDB/01764099999999-00000000/_started", b"")

    assert kinds(checked(bucket, due=100)) == ["unsealed", "damaged", "gap", "late"]


def test_a_part_that_is_missing_is_named(bucket: MemoryBucket) -> None:
    key = next(key for key in bucket.contents if key.startswith(f"{DATA}/{increment_id(40)}"))
    del bucket.contents[key]

    for deep in (False, True):
        (problem,) = checked(bucket, deep=deep).problems

        assert problem == Problem("part", increment_id(40), f"s3://backups/{key}: is missing; use another backup")


def test_a_part_of_another_size_is_named(bucket: MemoryBucket) -> None:
    key = next(key for key in bucket.contents if f"{FULL}/data/" in key)
    bucket.contents[key] += b"x"

    (problem,) = checked(bucket).problems

    assert (problem.kind, problem.id) == ("part", FULL)


def test_a_part_whose_bytes_are_others_is_found_by_reading_it(bucket: MemoryBucket) -> None:
    key = next(key for key in bucket.contents if key.startswith(f"{DATA}/{increment_id(40)}"))
    packed = bucket.contents[key]
    bucket.contents[key] = packed[:-1] + bytes([packed[-1] ^ 1])

    assert checked(bucket).problems == ()
    (problem,) = checked(bucket, deep=True).problems
    assert (problem.kind, problem.id) == ("part", increment_id(40))
    assert f"s3://backups/{key}: its MD5 is " in problem.text


def test_a_part_of_the_services_own_is_read_too(windows: MemoryBucket) -> None:
    key = next(key for key in windows.contents if key.startswith(DATA))
    windows.contents[key] = gzip.compress(b"{}\n")

    assert kinds(checked(windows, deep=True)) == ["part"]


def test_what_is_of_another_table_is_named(bucket: MemoryBucket) -> None:
    edit_summary(bucket, increment_id(60), "table/orders", "table/carts")

    (problem,) = checked(bucket).problems

    assert (problem.kind, problem.id) == ("foreign", increment_id(60))
    assert f"the newest full of {TABLE_ARN}" in problem.text


def test_increments_without_a_full_are_told_as_such() -> None:
    bucket = MemoryBucket()
    streamed(bucket, 0, 20)

    report = checked(bucket)

    assert kinds(report) == ["no full"]
    assert report.restorable == ()


def test_nothing_at_all_is_no_chain() -> None:
    assert kinds(checked(MemoryBucket(), due=0)) == ["no full"]


def test_a_root_hash_that_is_another_is_damage(bucket: MemoryBucket) -> None:
    report = check_chain(bucket, PREFIX, {increment_id(60): "another"}.get, deep=False)

    assert kinds(report) == ["damaged"]
    assert "their root hash is" in report.problems[0].text


def test_nothing_is_written(bucket: MemoryBucket) -> None:
    verbs: set[str] = set()
    bucket.step = lambda verb, _: verbs.add(verb)

    checked(bucket, deep=True)

    assert verbs == {"folders", "read", "head", "download"}


def test_a_report_is_plain_json_and_readable(bucket: MemoryBucket) -> None:
    drop(bucket, increment_id(40))
    report = checked(bucket)

    values = report.as_dict()
    assert json.loads(json.dumps(values)) == values
    assert (values["whole"], values["problems"][0]["kind"]) == (False, "gap")
    text = report.render()
    assert text.splitlines()[0] == f"s3://backups/{PREFIX}: 1 problem"
    assert max(map(len, text.splitlines())) <= 100
    assert increment_id(60) in text


def test_moments_are_told_with_their_offset(bucket: MemoryBucket) -> None:
    (text,) = checked(bucket).restorable

    moments = [datetime.fromisoformat(word.rstrip(",")) for word in text.split() if word[0].isdigit()]
    assert moments == [at(10), at(60)]
    assert all(moment.utcoffset() == timedelta(0) for moment in moments)
