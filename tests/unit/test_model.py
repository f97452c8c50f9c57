from __future__ import annotations

from dataclasses import fields
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import thorough
from dynamodb_copy.model import BUCKETS, DIGEST_MODULUS, Digest, Segment, Tally

NOTHING = Digest()


def digest_of(**sums: int) -> Digest:
    """A digest with these sums: `b3=7` is 7 in bucket 3."""
    return Digest(tuple(sums.get(f"b{bucket}", 0) for bucket in range(BUCKETS)))


digests = st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(0, DIGEST_MODULUS - 1), max_size=5).map(
    lambda sums: digest_of(**{f"b{bucket}": value for bucket, value in sums.items()})
)


def test_people_count_segments_from_one() -> None:
    assert Segment(index=2, total=16).label == "segment 3/16"


@given(st.lists(digests, min_size=1, max_size=4))
@thorough
def test_digests_add_up_to_the_same_in_any_order(parts: list[Digest]) -> None:
    sums = {sum(order, NOTHING) for order in permutations(parts)}

    assert len(sums) == 1


def test_each_bucket_is_a_sum_of_its_own() -> None:
    total = digest_of(b0=1, b7=2) + digest_of(b7=40, b255=3)

    assert total == digest_of(b0=1, b7=42, b255=3)


def test_what_is_there_twice_does_not_cancel_itself_out() -> None:
    once = digest_of(b9=5)

    assert once + once not in (NOTHING, once)


def test_sums_wrap_around_so_that_their_size_is_fixed() -> None:
    total = digest_of(b1=DIGEST_MODULUS - 1) + digest_of(b1=3)

    assert total == digest_of(b1=2)


@given(digests, digests)
@thorough
def test_what_was_added_can_be_taken_away_again(first: Digest, second: Digest) -> None:
    negative = Digest(tuple((-value) % DIGEST_MODULUS for value in second.buckets))

    assert first + second + negative == first


@given(digests)
@thorough
def test_a_digest_survives_its_way_through_bytes(digest: Digest) -> None:
    packed = digest.to_bytes()

    assert len(packed) == 4096
    assert Digest.from_bytes(packed) == digest


def test_the_buckets_differ_that_hold_other_sums() -> None:
    ours, theirs = digest_of(b0=1, b7=2, b255=3), digest_of(b0=1, b7=3)

    assert ours.differing(theirs) == theirs.differing(ours) == {7, 255}
    assert ours.differing(ours) == frozenset()


def test_people_see_32_digits_that_tell_contents_apart() -> None:
    assert NOTHING.hex == "0" * 32
    assert digest_of(b3=DIGEST_MODULUS - 1, b4=0x10).hex == "0" * 30 + "0f"


@pytest.mark.parametrize("name", [field.name for field in fields(Tally)])
def test_every_figure_of_a_tally_adds_up(name: str) -> None:
    def tally_of(figure: int) -> Tally:
        value: Any = digest_of(b1=figure) if name == "digest" else figure
        return Tally(**{name: value})

    assert tally_of(2) + tally_of(3) == tally_of(5) != Tally()


def test_the_tally_of_nothing_is_zero() -> None:
    assert sum([], Tally()) == Tally(items=0, bytes=0, seconds=0.0, digest=NOTHING)
