"""Lines of items out of gzip files: all that may be in one, and all that must be refused."""

from __future__ import annotations

import gzip
import tracemalloc
from io import BytesIO
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from arbitrary_items import items, thorough
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.formats.item_lines import LINE_BYTES, line_blocks, puts_of
from dynamodb_copy.model import Item, KeySchema

KEYS = KeySchema("id")
WITH_RANGE = KeySchema("id", "at")
NAME = "s3://backups/nightly/data/part.json.gz"
LINES = b"".join([b'{"Item":{"id":{"S":"%d"}}}\n' % number for number in range(40)])
PACKED = gzip.compress(LINES, mtime=0)


def blocks_of(packed: bytes, block_bytes: int = 300) -> list[list[bytes]]:
    return list(line_blocks(BytesIO(packed), NAME, block_bytes))


def lines_of(packed: bytes, block_bytes: int = 300) -> list[bytes]:
    return [line for block in blocks_of(packed, block_bytes) for line in block]


def refusal_of(packed: bytes) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        lines_of(packed)
    return str(refused.value)


def refusal_of_line(line: bytes, keys: KeySchema = KEYS) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        puts_of([b'{"Item":{"id":{"S":"1"},"at":{"N":"1"}}}', line], keys, NAME, 8)
    return str(refused.value)


@given(st.lists(items(), max_size=8), st.integers(1, 400), st.lists(st.integers(0, 2000), max_size=3))
@thorough
def test_items_come_out_as_they_went_in_however_the_file_was_cut(
    written: list[Item], block_bytes: int, cuts: list[int]
) -> None:
    lines = b"".join([orjson.dumps({"Item": item}) + b"\n" for item in written])
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    members = [gzip.compress(lines[begin:end]) for begin, end in pairwise(edges)]

    read = lines_of(b"".join(members), block_bytes)

    puts = puts_of(read, KEYS, NAME, 1)
    assert [put.item for put in puts] == written
    assert [put.line for put in puts] == [sorted_line(item) for item in written]


def test_lines_come_in_blocks_of_about_the_size_that_was_asked_for() -> None:
    blocks = blocks_of(PACKED, 300)

    assert b"\n".join([b"\n".join(block) for block in blocks]) + b"\n" == LINES
    assert all(sum(len(line) + 1 for line in block) < 300 + 30 for block in blocks)
    assert len(blocks) == -(-len(LINES) // 300)


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_a_file_without_lines_has_none(content: bytes) -> None:
    assert b"".join(lines_of(gzip.compress(content))) == b""
    assert len(lines_of(gzip.compress(content))) == len(content)


def test_the_last_line_may_lack_its_line_feed() -> None:
    assert lines_of(gzip.compress(LINES[:-1])) == lines_of(PACKED)


def test_a_carriage_return_before_the_line_feed_is_white_space() -> None:
    lines = lines_of(gzip.compress(LINES.replace(b"\n", b"\r\n")))

    assert puts_of(lines, KEYS, NAME, 1) == puts_of(lines_of(PACKED), KEYS, NAME, 1)


def test_an_item_of_400_kb_may_take_six_bytes_for_each_of_its_characters() -> None:
    item = {"id": {"S": "1"}, "value": {"S": "\x01" * 400_000}}
    line = orjson.dumps({"Item": item})

    (put,) = puts_of(lines_of(gzip.compress(line + b"\n"), 340_000), KEYS, NAME, 1)

    assert len(line) > 2_400_000
    assert put.item == item


@pytest.mark.parametrize("block_bytes", [20_000, 340_000, LINE_BYTES])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n{}\n"])
def test_a_line_may_have_four_mebibytes_and_no_byte_more(block_bytes: int, end: bytes) -> None:
    longest = gzip.compress(b"{}\n" + b"x" * LINE_BYTES + end, 1)
    longer = gzip.compress(b"{}\n" + b"x" * (LINE_BYTES + 1) + end, 1)

    assert len(lines_of(longest, block_bytes)[1]) == LINE_BYTES
    with pytest.raises(BackupRefusedError, match=f"part.json.gz, line 2: found a line of more than {LINE_BYTES} bytes"):
        lines_of(longer, block_bytes)


@pytest.mark.parametrize("filler", [b"\0", b" "])
def test_a_gigabyte_in_one_line_is_refused_without_being_held(filler: bytes) -> None:
    compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 31)
    mebibyte = filler * (1 << 20)
    bomb = b"".join([compressor.compress(mebibyte) for _ in range(1024)]) + compressor.flush()

    tracemalloc.start()
    try:
        with pytest.raises(BackupRefusedError, match=r"part\.json\.gz, line 1: found a line of more than"):
            list(line_blocks(BytesIO(bomb), NAME, 340_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(bomb) < 10 << 20
    assert peak < 3 * LINE_BYTES + len(bomb)


def test_a_file_that_ends_early_is_refused_by_its_name_wherever_it_ends() -> None:
    assert refusal_of(b"").startswith(f"{NAME}: found an empty file; ")
    for end in range(1, len(PACKED)):
        assert refusal_of(PACKED[:end]).startswith(f"{NAME}: found the beginning of a gzip file only; ")


@pytest.mark.parametrize(
    "more",
    [b"\0", bytes(20), b"x", b"\x1f\x8b", b"trailing garbage", PACKED[:30], b'{"Item":{"id":{"S":"99"}}}\n'],
)
def test_what_follows_the_gzip_file_is_refused(more: bytes) -> None:
    assert refusal_of(PACKED + more).startswith(f"{NAME}: found ")


@pytest.mark.parametrize(
    "content", [b"this is no gzip file", LINES, b"PK\x03\x04" + bytes(40), b"\x28\xb5\x2f\xfd" + bytes(40)]
)
def test_what_is_no_gzip_file_is_refused(content: bytes) -> None:
    assert refusal_of(content).startswith(f"{NAME}: found bytes that are no gzip (")


def test_a_flipped_bit_is_found_or_changes_no_line() -> None:
    outcomes: list[object] = []
    for at in range(len(PACKED) * 8):
        packed = bytearray(PACKED)
        packed[at // 8] ^= 1 << at % 8
        try:
            outcomes.append(lines_of(bytes(packed)) == lines_of(PACKED))
        except BackupRefusedError as refused:
            outcomes.append(str(refused).partition(": ")[0])

    assert set(outcomes) == {NAME, True}
    assert outcomes.count(NAME) > 0.9 * len(outcomes)


def _deep(levels: int) -> bytes:
    return b'{"Item":{"id":{"S":"1"},"deep":%b{"N":"1"}%b}}' % (b'{"L":[' * levels, b"]}" * levels)


def test_items_may_be_nested_as_deeply_as_the_service_allows() -> None:
    (put,) = puts_of([_deep(32)], KEYS, NAME, 1)

    assert put.line is not None


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b" ", b"{", b"null", b"5", b"[]", b'"Item"', b"{}", b'{"item":{"id":{"S":"1"}}}'),
        *(b'{"Item":null}', b'{"Item":[]}', b'{"Item":"secret"}', b'{"Item":{}}', b'{"Item":{"ID":{"S":"secret"}}}'),
        *(b'{"Item":{"id":null}}', b'{"Item":{"id":"secret"}}', b'{"Item":{"id":{}}}', b'{"Item":{"id":[]}}'),
        *(b'{"Item":{"id":{"S":""}}}', b'{"Item":{"id":{"S":null}}}', b'{"Item":{"id":{"N":5}}}'),
        *(b'{"Item":{"id":{"N":"secret"}}}', b'{"Item":{"id":{"N":""}}}', b'{"Item":{"id":{"BOOL":true}}}'),
        *(b'{"Item":{"id":{"S":"secret","N":"1"}}}', b'{"Item":{"id":{"SS":["secret"]}}}'),
        *(b'{"Item":{"id":{"S":"secret"}}} x', b'{"Item":{"id":{"S":"secret"}}}{"Item":{}}'),
        *(b'\xef\xbb\xbf{"Item":{"id":{"S":"secret"}}}', b'{"Item":{"id":{"S":"secret\xff"}}}'),
        *(b'{"Item":{"id":{"S":"\\ud800"}}}', b'{"Item":{"id":{"S":"secret\x00"}}}'),
        *(_deep(200), _deep(2000)),
        b'$ion_1_0 {Item:{id:"secret"}}',
        b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"id":{"S":"secret"}},"NewImage":{}}',
    ],
)
def test_a_line_that_is_no_item_is_refused_by_its_number_and_not_shown(line: bytes) -> None:
    message = refusal_of_line(line)

    assert message.startswith(f'{NAME}, line 9: found no {{"Item": …}} with the key of the table; it was edited')
    assert "secret" not in message


@pytest.mark.parametrize(
    "item",
    [
        {"id": {"S": "1"}},
        {"at": {"N": "1"}},
        {"id": {"S": "1"}, "at": {}},
        {"id": {"S": "1"}, "at": {"N": "one"}},
        {"id": {"S": "1"}, "at": {"S": ""}},
    ],
)
def test_an_item_without_its_whole_key_is_refused(item: dict[str, Any]) -> None:
    assert f"{NAME}, line 9: " in refusal_of_line(orjson.dumps({"Item": item}), WITH_RANGE)


@pytest.mark.parametrize("number", ["0", "-1.50E+2", "1E-130", "12345678901234567890123456789012345678"])
def test_keys_may_be_any_numbers(number: str) -> None:
    item = {"id": {"B": "AAE="}, "at": {"N": number}}

    (put,) = puts_of([orjson.dumps({"Item": item})], WITH_RANGE, NAME, 1)

    assert put.item == item
