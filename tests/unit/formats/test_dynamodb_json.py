from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arbitrary_items import KEYS, attributes, changed, items, meaning, numbers, respelled, respelled_number, thorough
from dynamodb_copy.formats.dynamodb_json import (
    canonical_attribute,
    canonical_item,
    canonical_lines,
    canonical_number,
    item_hash,
    key_bucket,
    key_hash,
    key_of,
)
from dynamodb_copy.model import BUCKETS, Item, KeySchema

WITH_RANGE = KeySchema("id", "at")

randoms = st.randoms(use_true_random=True)


def line_of(**attributes: dict[str, Any]) -> bytes:
    (line,) = canonical_lines([attributes])
    return line


@given(items(), randoms)
@thorough
def test_order_and_notation_do_not_change_the_fingerprint(item: Item, random: Random) -> None:
    other = respelled(item, random)

    assert meaning(other) == meaning(item)
    assert canonical_lines([other]) == canonical_lines([item])
    assert key_hash(other, KEYS) == key_hash(item, KEYS)


@given(items(), attributes, randoms)
@thorough
def test_any_other_content_has_another_fingerprint(item: Item, replacement: dict[str, Any], random: Random) -> None:
    other = changed(item, replacement, random)
    assume(meaning(other) != meaning(item))

    ours, theirs = canonical_lines([item, other])

    assert item_hash(ours) != item_hash(theirs)


@given(st.lists(items(), max_size=4))
@thorough
def test_the_quick_way_and_the_walk_through_every_attribute_agree(page: list[Item]) -> None:
    walked = [orjson.dumps(canonical_item(item), option=orjson.OPT_SORT_KEYS) for item in page]

    assert canonical_lines(page) == walked


@given(items())
@thorough
def test_the_canonical_spelling_of_a_canonical_item_is_itself(item: Item) -> None:
    once = canonical_item(item)

    assert canonical_item(once) == once
    assert meaning(once) == meaning(item)


@given(numbers(), randoms)
@thorough
def test_a_number_has_one_spelling_and_keeps_its_value(text: str, random: Random) -> None:
    canonical = canonical_number(text)

    assert Decimal(canonical) == Decimal(text)
    assert "E" not in canonical.upper()
    assert canonical_number(respelled_number(text, random)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.00", "0"),
        ("-0E5", "0"),
        ("1.50E+2", "150"),
        ("0150", "150"),
        ("+150", "150"),
        ("150.", "150"),
        ("150.0", "150"),
        (".5", "0.5"),
        ("-0.50", "-0.5"),
        ("100", "100"),
        ("1e2", "100"),
        ("1E-3", "0.001"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("1E-130", f"0.{'0' * 129}1"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
    ],
)
def test_numbers_are_spelled_plainly(text: str, canonical: str) -> None:
    assert canonical_number(text) == canonical


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
        ({"N": "1E-130"}, {"N": "0"}),
        ({"N": "1"}, {"N": "-1"}),
        ({"N": "1"}, {"S": "1"}),
        ({"S": "1"}, {"S": "1.0"}),
        ({"S": ""}, {"B": ""}),
        ({"L": []}, {"M": {}}),
        ({"S": ""}, {"NULL": True}),
        ({"NS": ["1"]}, {"SS": ["1"]}),
        ({"SS": ["a"]}, {"L": [{"S": "a"}]}),
        ({"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "2"}, {"N": "1"}]}),
        ({"M": {"L": {"L": [{"S": "a"}, {"S": "b"}]}}}, {"M": {"L": {"L": [{"S": "b"}, {"S": "a"}]}}}),
        ({"S": '"N":"1.0"'}, {"S": '"N":"1"'}),
        ({"S": '"SS":["b","a"]'}, {"S": '"SS":["a","b"]'}),
        ({"S": "é"}, {"S": "e\N{COMBINING ACUTE ACCENT}"}),
    ],
)
def test_what_only_looks_alike_is_told_apart(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert line_of(a=ours) != line_of(a=theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"L": [{"NS": ["2", "10", "1"]}]}, {"L": [{"NS": ["1.0", "2", "1E1"]}]}),
        (
            {"M": {"b": {"BS": ["Yg==", "YQ=="]}, "a": {"NULL": True}}},
            {"M": {"a": {"NULL": True}, "b": {"BS": ["YQ==", "Yg=="]}}},
        ),
        ({"M": {"N": {"N": "1.0"}}}, {"M": {"N": {"N": "1"}}}),
        ({"M": {"NS": {"SS": ["b", "a"]}}}, {"M": {"NS": {"SS": ["a", "b"]}}}),
        ({"L": [{"S": "{"}, {"N": "-0"}]}, {"L": [{"S": "{"}, {"N": "0"}]}),
    ],
)
def test_spelling_is_evened_out_at_every_depth(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert line_of(a=ours) == line_of(a=theirs)


def test_one_unusual_item_does_not_change_its_neighbours() -> None:
    plain, unusual = {"id": {"S": "1"}}, {"id": {"S": "2"}, "n": {"N": "1.0"}}

    assert canonical_lines([plain, unusual, plain])[::2] == canonical_lines([plain]) * 2


def test_what_passes_is_not_altered() -> None:
    item: Item = {"id": {"S": "1"}, "set": {"SS": ["b", "a"]}, "n": {"N": "1.0"}}

    canonical_lines([item])
    canonical_attribute(item["set"])

    assert item == {"id": {"S": "1"}, "set": {"SS": ["b", "a"]}, "n": {"N": "1.0"}}


@pytest.mark.parametrize("schema", [KEYS, WITH_RANGE])
def test_the_key_of_an_item_is_its_key_attributes_alone(schema: KeySchema) -> None:
    item = {"at": {"N": "7"}, "id": {"S": "1"}, "more": {"S": "x"}}

    key = key_of(item, schema)

    assert key == {name: item[name] for name in schema if name is not None}
    assert key_hash(key, schema) == key_hash(item, schema)


@given(numbers(), numbers(), randoms)
@thorough
def test_a_number_key_has_one_hash_however_it_is_spelled(hash_key: str, range_key: str, random: Random) -> None:
    item = {"id": {"N": hash_key}, "at": {"N": range_key}}
    other = {"at": {"N": respelled_number(range_key, random)}, "id": {"N": respelled_number(hash_key, random)}}

    assert key_hash(other, WITH_RANGE) == key_hash(item, WITH_RANGE)
    assert key_hash(other, KEYS) == key_hash(item, KEYS)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (({"S": "ab"}, {"S": "c"}), ({"S": "a"}, {"S": "bc"})),
        (({"S": "a"}, {"S": "b"}), ({"S": "b"}, {"S": "a"})),
        (({"S": "1"}, {"S": "1"}), ({"N": "1"}, {"S": "1"})),
        (({"S": "YQ=="}, {"S": "1"}), ({"B": "YQ=="}, {"S": "1"})),
    ],
)
def test_different_keys_have_different_hashes(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    hashes = {key_hash(dict(zip(("id", "at"), values, strict=True)), WITH_RANGE) for values in (ours, theirs)}

    assert len(hashes) == 2


def test_the_rest_of_an_item_says_nothing_about_its_key() -> None:
    assert key_hash({"id": {"S": "1"}, "more": {"S": "x"}}, KEYS) == key_hash({"id": {"S": "1"}}, KEYS)


def test_keys_spread_evenly_over_all_buckets() -> None:
    buckets = Counter(key_bucket(key_hash({"id": {"N": str(n)}}, KEYS)) for n in range(20_000))

    assert set(buckets) == set(range(BUCKETS))
    assert max(buckets.values()) < 2 * min(buckets.values())


def test_fingerprints_of_an_earlier_release_still_compare() -> None:
    item = {"id": {"S": "1"}, "price": {"N": "1.50"}, "tags": {"SS": ["b", "a"]}}
    (line,) = canonical_lines([item])

    assert line == b'{"id":{"S":"1"},"price":{"N":"1.5"},"tags":{"SS":["a","b"]}}'
    assert f"{item_hash(line):032x}" == "d85e707241fe3ff3c31d6a7c8a1375b0"
    assert key_hash(item, KEYS).hex() == "5f18fd3646b4cae636514f43ca2d36b7"
