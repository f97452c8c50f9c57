"""Lines of changes: what is written is what is read, and all that must be refused."""

from __future__ import annotations

import gzip
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import items, respelled_number, texts, thorough
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.change_lines import (
    CHANGE_LINE_BYTES,
    KEY_BUCKETS,
    change_bucket,
    change_line,
    changes_of,
)
from dynamodb_copy.formats.dynamodb_json import key_hash, sorted_line
from dynamodb_copy.formats.item_lines import line_blocks
from dynamodb_copy.model import Change, Delete, Item, KeySchema, Put

KEYS = KeySchema("id")
WITH_RANGE = KeySchema("id", "at")
NAME = "s3://backups/nightly/data/part.json.gz"
NOON = 1_764_072_000_000_000


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A put or a delete, with the item before it or without."""
    key = draw(texts.filter(bool))
    written_at, old = draw(st.integers(0, 2**53)), draw(st.none() | items(key))
    if draw(st.booleans()):
        return Delete({"id": {"S": key}}, written_at, old)
    item = draw(items(key))
    return Put(item, written_at, sorted_line(item), old)


def read(*lines: bytes, keys: KeySchema = KEYS) -> list[Change]:
    return changes_of([line.rstrip(b"\n") for line in lines], keys, NAME, 1)


def line_with(**values: Any) -> bytes:
    """A line of an update, with some of its values changed; None takes one away."""
    item: Item = {"id": {"S": "1"}, "value": {"S": "secret"}}
    whole = {
        "Metadata": {"WriteTimestampMicros": {"N": str(NOON)}},
        "Keys": {"id": {"S": "1"}},
        "OldImage": item,
        "NewImage": item,
    }
    return orjson.dumps({**whole, **values})


def refusal_of(line: bytes, keys: KeySchema = KEYS) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        changes_of([line_with(), line], keys, NAME, 8) if keys == KEYS else changes_of([line], keys, NAME, 9)
    return str(refused.value)


@given(st.lists(changes(), max_size=8))
@thorough
def test_changes_come_out_as_they_went_in(written: list[Change]) -> None:
    lines = [change_line(change, KEYS) for change in written]

    assert all(line.endswith(b"}\n") and line.count(b"\n") == 1 for line in lines)
    assert read(*lines) == written


def test_a_line_has_the_fields_of_the_services_own_in_their_order() -> None:
    old, new = {"v": {"N": "1"}, "id": {"S": "1"}}, {"v": {"N": "2"}, "id": {"S": "1"}}
    start = b'{"Metadata":{"WriteTimestampMicros":{"N":"1764072000000000"}},"Keys":{"id":{"S":"1"}}'

    assert change_line(Put(new, NOON), KEYS) == start + b',"NewImage":{"id":{"S":"1"},"v":{"N":"2"}}}\n'
    assert change_line(Delete({"id": {"S": "1"}}, NOON, old), KEYS) == start + (
        b',"OldImage":{"id":{"S":"1"},"v":{"N":"1"}}}\n'
    )
    assert change_line(Put(new, NOON, b'{"as":"read"}', old), KEYS) == start + (
        b',"OldImage":{"id":{"S":"1"},"v":{"N":"1"}},"NewImage":{"as":"read"}}\n'
    )
    assert change_line(Delete({"id": {"S": "1"}}, NOON), KEYS) == start + b"}\n"


def test_keys_are_those_of_the_schema_alone() -> None:
    item = {"other": {"S": "x"}, "at": {"N": "7"}, "id": {"S": "1"}}

    (values,) = [orjson.loads(line) for line in change_line(Put(item, NOON), WITH_RANGE).splitlines()]

    assert list(values["Keys"].items()) == [("id", {"S": "1"}), ("at", {"N": "7"})]


@pytest.mark.parametrize("change", [Put({"id": {"S": "1"}}), Delete({"id": {"S": "1"}})])
def test_a_change_whose_time_is_not_known_is_not_kept(change: Change) -> None:
    with pytest.raises(ValueError, match="a change without its time cannot be kept"):
        change_line(change, KEYS)


def test_the_services_own_spellings_of_puts_and_deletes_are_read() -> None:
    metadata = {"WriteTimestampMicros": {"N": "1234567890"}}
    item: Item = {"id": {"N": "123"}, "name": {"S": "John Doe"}}
    old: Item = {"id": {"N": "123"}, "name": {"S": "John"}}
    keys = {"id": {"N": "123"}}
    lines = [
        {"Keys": keys, "NewImage": item, "Metadata": metadata},
        {"Keys": keys, "OldImage": old, "NewImage": item, "Metadata": metadata},
        {"Keys": keys, "OldImage": old, "Metadata": metadata},
        {"Keys": keys, "NewImage": None, "Metadata": metadata},
        {"Keys": keys, "OldImage": None, "Metadata": metadata},
    ]

    assert read(*map(orjson.dumps, lines)) == [
        Put(item, 1234567890, sorted_line(item)),
        Put(item, 1234567890, sorted_line(item), old),
        Delete(keys, 1234567890, old),
        Delete(keys, 1234567890),
        Delete(keys, 1234567890),
    ]


def test_a_key_comes_in_the_order_of_the_schema_whatever_that_of_the_line() -> None:
    line = orjson.dumps(
        {"Keys": {"at": {"N": "1"}, "id": {"S": "1"}}, "Metadata": {"WriteTimestampMicros": {"N": "5"}}}
    )

    (change,) = read(line, keys=WITH_RANGE)

    assert isinstance(change, Delete)
    assert list(change.key) == ["id", "at"]


@given(st.integers(-(10**9), 10**9), st.randoms(use_true_random=False))
@thorough
def test_an_image_may_spell_the_number_of_its_key_in_another_way(number: int, random: Any) -> None:
    keys = {"id": {"N": str(number)}}
    image = {"id": {"N": respelled_number(str(number), random)}}

    (change,) = read(line_with(Keys=keys, OldImage=image, NewImage=image))

    assert (change.old, isinstance(change, Put)) == (image, True)


NO_KEYS: list[Any] = [
    *(None, [], "secret", {}, {"ID": {"S": "secret"}}, {"id": "secret"}, {"id": {}}, {"id": {"S": ""}}),
    *({"id": {"S": "secret"}}, {"id": {"N": "secret"}}, {"id": {"SS": ["secret"]}}),
    {"id": {"S": "1"}, "more": {"S": "secret"}},
    {"id": {"S": "1", "N": "1"}},
]
NO_IMAGES: list[Any] = [
    *("secret", 5, [], {}, True, {"id": {"S": "secret"}}, {"id": "1"}, {"id": None}, {"ID": {"S": "1"}}),
    {"value": {"S": "secret"}},
]


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b" ", b"{", b"null", b"5", b"[]", b"{}", b'{"Item":{"id":{"S":"secret"}}}'),
        line_with(Metadata=None),
        line_with(Metadata={}),
        *[
            line_with(Metadata={"WriteTimestampMicros": micros})
            for micros in (None, 5, {"N": 5}, {"N": ""}, {"N": "-5"}, {"N": "5.0"}, {"N": "secret"}, {"N": "\u0663"})
        ],
        *[line_with(Keys=keys) for keys in NO_KEYS],
        *[line_with(**{name: image}) for name in ("OldImage", "NewImage") for image in NO_IMAGES],
        line_with() + b"x",
        line_with() + line_with(),
        b"\xef\xbb\xbf" + line_with(),
        line_with().replace(b"secret", b"secret\xff"),
        line_with().replace(b"secret", b"\\ud800"),
    ],
)
def test_a_line_that_is_no_change_is_refused_by_its_number_and_not_shown(line: bytes) -> None:
    message = refusal_of(line)

    assert message.startswith(f"{NAME}, line 9: found no change with its time and the key of the table; it was edited")
    assert "secret" not in message


@pytest.mark.parametrize("key", [{"id": {"S": "1"}}, {"at": {"N": "1"}}, {"id": {"S": "1"}, "at": {"N": "one"}}])
def test_a_change_without_its_whole_key_is_refused(key: Item) -> None:
    assert f"{NAME}, line 9: " in refusal_of(line_with(Keys=key, OldImage=None, NewImage=None), WITH_RANGE)


def test_two_images_of_400_kb_may_take_six_bytes_for_each_of_their_characters() -> None:
    item: Item = {"id": {"S": "1"}, "value": {"S": "\x01" * 400_000}}
    line = change_line(Put(item, NOON, old=item), KEYS)

    blocks = line_blocks(BytesIO(gzip.compress(line, 1)), NAME, 340_000, line_bytes=CHANGE_LINE_BYTES)
    (change,) = [change for block in blocks for change in changes_of(block, KEYS, NAME, 1)]

    assert 4 << 20 < len(line) < CHANGE_LINE_BYTES
    assert change == Put(item, NOON, sorted_line(item), item)


def test_a_longer_line_is_refused_with_its_number() -> None:
    packed = gzip.compress(b"{}\n" + b"x" * (CHANGE_LINE_BYTES + 1), 1)

    with pytest.raises(BackupRefusedError, match=f"part.json.gz, line 2: found a line of more than {8 << 20} bytes"):
        list(line_blocks(BytesIO(packed), NAME, 340_000, line_bytes=CHANGE_LINE_BYTES))


@given(items())
@thorough
def test_the_bucket_of_a_change_is_the_first_byte_of_its_key_hash_modulo_16(item: Item) -> None:
    assert change_bucket(item, KEYS) == change_bucket({"id": item["id"]}, KEYS) == key_hash(item, KEYS)[0] % KEY_BUCKETS
    assert KEY_BUCKETS == 16
