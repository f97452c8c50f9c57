from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, items, numbers, respelled, thorough
from dynamodb_copy.formats.dynamodb_json import key_bucket
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import DIGEST_MODULUS, Digest, Item, Tally

HORIZON = 1_800_000_000
LASTING = Fingerprints(KEYS)
WITH_TTL = Fingerprints(KEYS, "ttl", HORIZON)


def expiring_at(text: str, **more: Any) -> Item:
    return {"id": {"S": text}, "ttl": {"N": text}, **more}


some_items = st.lists(items(), max_size=6)


@given(some_items, st.randoms(use_true_random=True))
@thorough
def test_pages_tally_up_to_the_same_however_their_items_are_ordered_and_grouped(
    held: list[Item], random: Random
) -> None:
    shuffled = [respelled(item, random) for item in random.sample(held, len(held))]
    cut = random.randrange(len(held) + 1)

    parts = LASTING.tally(shuffled[:cut]) + LASTING.tally(shuffled[cut:])
    whole = LASTING.tally(held)

    assert parts == whole


@given(some_items)
@thorough
def test_the_digest_is_the_sum_of_the_item_hashes_per_key_bucket(held: list[Item]) -> None:
    buckets = [0] * len(Digest().buckets)
    for hashed_key, hashed_item in LASTING.of(held):
        buckets[key_bucket(hashed_key)] += hashed_item

    assert LASTING.tally(held).digest.buckets == tuple(total % DIGEST_MODULUS for total in buckets)


def test_items_are_counted_with_the_size_of_their_json() -> None:
    item = {"id": {"S": "1"}, "a": {"S": "ä"}}

    tally = LASTING.tally([item, item])

    assert (tally.items, tally.bytes, tally.pages) == (2, 2 * len(orjson.dumps(item)), 0)


def test_an_empty_page_has_an_empty_tally() -> None:
    assert LASTING.tally([]) == Tally()
    assert list(LASTING.of([])) == []


def test_items_that_expire_before_the_run_ends_are_counted_apart() -> None:
    lasting, expiring = expiring_at(str(HORIZON)), expiring_at(str(HORIZON - 1))

    tally = WITH_TTL.tally([expiring, lasting])

    assert (tally.items, tally.expiring) == (2, 1)
    assert tally.digest == WITH_TTL.tally([lasting]).digest


def test_items_that_expire_are_not_compared_key_by_key_either() -> None:
    lasting, expiring = expiring_at(str(HORIZON)), expiring_at(str(HORIZON - 1))

    assert list(WITH_TTL.of([expiring, lasting])) == list(WITH_TTL.of([lasting]))


@pytest.mark.parametrize(
    "value", [{"S": "1"}, {"NULL": True}, {"NS": ["1"]}, {"L": [{"N": "1"}]}, {"M": {"N": {"N": "1"}}}]
)
def test_only_a_number_lets_an_item_expire(value: dict[str, Any]) -> None:
    assert not WITH_TTL.is_expiring({"id": {"S": "1"}, "ttl": value})


def test_an_item_without_the_attribute_does_not_expire() -> None:
    assert not WITH_TTL.is_expiring({"id": {"S": "1"}, "other": {"N": "1"}})


def test_nothing_expires_in_a_table_without_ttl() -> None:
    assert not Fingerprints(KEYS, None, HORIZON).is_expiring(expiring_at("1"))


@given(numbers() | st.integers(HORIZON - 2, HORIZON + 2).map(str))
@thorough
def test_an_item_expires_exactly_if_its_number_is_below_the_runs_end(text: str) -> None:
    assert WITH_TTL.is_expiring(expiring_at(text)) == (Decimal(text) < HORIZON)


def test_a_fraction_below_the_runs_end_is_below_it() -> None:
    assert WITH_TTL.is_expiring(expiring_at(f"{HORIZON - 1}.9999999999999999"))
    assert not WITH_TTL.is_expiring(expiring_at(f"{HORIZON}.0000000000000001"))


def test_both_sides_agree_when_one_lost_what_expired() -> None:
    lasting, expiring = expiring_at(str(HORIZON)), expiring_at("1")

    before, after = WITH_TTL.tally([expiring, lasting]), WITH_TTL.tally([lasting])

    assert before.digest == after.digest
    assert before.items - before.expiring == after.items - after.expiring
