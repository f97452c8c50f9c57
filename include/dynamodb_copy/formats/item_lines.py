"""Gzip of JSON lines, one item each, in bounded memory: what data files of full exports and backups are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import orjson
from isal import isal_zlib

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.model import Item, KeySchema

LINE_BYTES = 4 << 20
"""The longest line that is read: an item of 400 KB takes 2.4 MB where each of its characters is escaped."""

_COMPRESSED_BYTES = 256 << 10
_GZIP = 31


def line_blocks(file: IO[bytes], name: str, block_bytes: int) -> Iterator[list[bytes]]:
    """Yield the file's lines, about `block_bytes` of them at a time.

    Raises BackupRefusedError, which calls the file `name`, for what is no gzip, ends early or has endless lines.
    """
    begun = b""
    for block in _gunzipped(file, name, block_bytes):
        *whole, begun = (begun + block).split(b"\n")
        if len(begun) > LINE_BYTES:
            raise _refused(name, f"a line of more than {LINE_BYTES} bytes")
        if whole:
            yield whole
    if begun:
        yield [begun]


def items_of(lines: list[bytes], keys: KeySchema, name: str, first_line: int) -> list[Item]:
    """Read `{"Item": …}` lines; raises BackupRefusedError with the number of the line, from 1."""
    return [_item(line, keys, f"{name}, line {first_line + offset}") for offset, line in enumerate(lines)]


def _item(line: bytes, keys: KeySchema, where: str) -> Item:
    try:
        item: Any = orjson.loads(line)["Item"]
        if item[keys.hash_name] and (keys.range_name is None or item[keys.range_name]):
            return item  # type: ignore[no-any-return]  # indexing it by names has shown what it is
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        pass
    raise _refused(where, 'no {"Item": …} with the key of the table')


def _gunzipped(file: IO[bytes], name: str, block_bytes: int) -> Iterator[bytes]:
    """A gzip file may consist of several members, one after the other."""
    member = isal_zlib.decompressobj(_GZIP)
    compressed = file.read(_COMPRESSED_BYTES)
    if not compressed:
        raise _refused(name, "an empty file")
    while compressed:
        try:
            block = member.decompress(compressed, block_bytes)
        except isal_zlib.error as error:
            raise _refused(name, f"bytes that are no gzip ({error})") from error
        if block:
            yield block
        compressed = member.unused_data if member.eof else member.unconsumed_tail
        compressed = compressed or file.read(_COMPRESSED_BYTES)
        if member.eof and compressed:
            member = isal_zlib.decompressobj(_GZIP)
    if not member.eof:
        raise _refused(name, "the beginning of a gzip file only")


def _refused(where: str, found: str) -> BackupRefusedError:
    return BackupRefusedError(f"{where}: found {found}; it was edited or damaged: use another backup")
