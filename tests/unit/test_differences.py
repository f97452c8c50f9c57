from __future__ import annotations

from pathlib import Path

import pytest

from dynamodb_copy import differences
from dynamodb_copy.differences import Differences, Spill
from dynamodb_copy.errors import TooManyDifferencesError
from dynamodb_copy.model import BUCKETS

ALL = frozenset(range(BUCKETS))


def key(bucket: int, number: int = 0) -> bytes:
    return bytes([bucket]) + number.to_bytes(15, "big")


def spilled(folder: Path, *segments: dict[bytes, int], buckets: frozenset[int] = ALL) -> Path:
    for index, fingerprints in enumerate(segments):
        with Spill(folder / str(index), buckets) as spill:
            for hashed_key, hashed_item in fingerprints.items():
                spill.add(hashed_key, hashed_item)
    return folder


def test_keys_are_missing_extra_or_changed(tmp_path: Path) -> None:
    expected = spilled(tmp_path / "expected", {key(1): 10, key(2): 20, key(3): 30})
    actual = spilled(tmp_path / "actual", {key(2): 21, key(3): 30, key(4): 40})

    found = Differences.of(expected, actual, ALL)

    assert [found.missing, found.extra, found.changed] == [{key(1)}, {key(4)}, {key(2)}]
    assert sorted(found.buckets) == [1, 2, 4]


def test_it_does_not_matter_which_segment_a_key_was_read_in(tmp_path: Path) -> None:
    expected = spilled(tmp_path / "expected", {key(1): 10, key(1, 1): 11}, {key(1, 2): 12})
    actual = spilled(tmp_path / "actual", {key(1, 2): 12}, {key(1, 1): 11}, {key(1): 10})

    assert Differences.of(expected, actual, ALL) == Differences()


def test_only_the_wanted_buckets_are_kept_and_compared(tmp_path: Path) -> None:
    wanted = frozenset({1})

    expected = spilled(tmp_path / "expected", {key(1): 10, key(2): 20}, buckets=wanted)
    actual = spilled(tmp_path / "actual", {key(3): 30}, buckets=wanted)

    assert [file.name for file in expected.glob("*/*")] == ["1"]
    assert Differences.of(expected, actual, wanted).missing == {key(1)}


def test_a_bucket_without_items_takes_no_file(tmp_path: Path) -> None:
    folder = spilled(tmp_path / "expected", {key(1): 10, key(2): 20}, {key(2, 1): 21})

    assert sorted(str(file.relative_to(folder)) for file in folder.glob("*/*")) == ["0/1", "0/2", "1/2"]


def test_a_bucket_knows_the_sum_of_its_extra_items_hashes(tmp_path: Path) -> None:
    expected = spilled(tmp_path / "expected", {key(1): 10})
    actual = spilled(tmp_path / "actual", {key(1): 11, key(1, 1): 5, key(1, 2): 2**128 - 1})

    found = Differences.of(expected, actual, ALL)

    assert found.buckets[1].extra_sum == 5 + 2**128 - 1
    assert found.buckets[1].keys == 3


def test_a_part_of_the_buckets_can_be_looked_at_alone(tmp_path: Path) -> None:
    expected = spilled(tmp_path / "expected", {key(1): 10, key(2): 20})
    found = Differences.of(expected, spilled(tmp_path / "actual", {}), ALL)

    assert found.within([2, 9]).missing == {key(2)}
    assert found.within([]) == Differences()


def test_fingerprints_reach_the_disk_long_before_the_segment_ends(tmp_path: Path) -> None:
    records = 5000
    with Spill(tmp_path / "0", ALL) as spill:
        for number in range(records):
            spill.add(key(7, number), number)
        on_disk_bytes = (tmp_path / "0" / "7").stat().st_size

    assert on_disk_bytes > 0.75 * 32 * records
    assert (tmp_path / "0" / "7").stat().st_size == 32 * records


def test_more_differences_than_can_be_listed_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "MOST_KEYS", 3)
    actual = spilled(tmp_path / "actual", {})
    three = spilled(tmp_path / "three", {key(bucket): 1 for bucket in range(3)})
    four = spilled(tmp_path / "four", {key(bucket): 1 for bucket in range(4)})

    assert len(Differences.of(three, actual, ALL).missing) == 3
    with pytest.raises(TooManyDifferencesError, match=r"more than 3 keys differ.*run the job again"):
        Differences.of(four, actual, ALL)


def test_what_a_failed_reading_left_is_not_flushed(tmp_path: Path) -> None:
    def read() -> None:
        with Spill(tmp_path / "0", ALL) as spill:
            spill.add(key(1), 1)
            raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        read()

    assert list((tmp_path / "0").iterdir()) == []
