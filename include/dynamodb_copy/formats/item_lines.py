"""Gzip of JSON lines, in bounded memory; one item each in the data files of full exports and backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import orjson
from isal import isal_zlib

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.dynamodb_json import canonical_number, sorted_line
from dynamodb_copy.model import KeySchema, Put

LINE_BYTES = 4 << 20
"""The longest line that is read: an item of 400 KB takes 2.4 MB where each of its characters is escaped."""

_COMPRESSED_BYTES = 256 << 10
_GZIP = 31


def line_blocks(file: IO[bytes], name: str, block_bytes: int, *, line_bytes: int = LINE_BYTES) -> Iterator[list[bytes]]:
    """Yield the file's lines of `line_bytes` at most, about `block_bytes` of them at a time.

    Raises BackupRefusedError, which calls the file `name`, for what is no gzip, ends early or has endless lines.
    """
    begun, number = b"", 1
    for block in _gunzipped(file, name, block_bytes):
        *whole, begun = (begun + block).split(b"\n")
        if any(len(line) > line_bytes for line in (*whole[:1], begun)):
            raise refused(f"{name}, line {number}", f"a line of more than {line_bytes} bytes")
        if whole:
            yield whole
        number += len(whole)
    if begun:
        yield [begun]


def puts_of(lines: list[bytes], keys: KeySchema, name: str, first_line: int) -> list[Put]:
    """Read `{"Item": …}` lines; raises BackupRefusedError with the number of the line, from 1."""
    key_names = [key_name for key_name in keys if key_name is not None]
    return [_put(line, key_names, f"{name}, line {first_line + offset}") for offset, line in enumerate(lines)]


def _put(line: bytes, key_names: list[str], where: str) -> Put:
    try:
        item: Any = orjson.loads(line)["Item"]
        for key_name in key_names:
            check_key(item[key_name])
        return Put(item, line=sorted_line(item))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        raise refused(where, 'no {"Item": …} with the key of the table') from None


def check_key(attribute: dict[str, Any]) -> None:
    """Raise any error unless it is what the key of an item may be."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        canonical_number(value)
    elif kind not in {"S", "B"} or not isinstance(value, str) or not value:
        raise ValueError(kind)


def _gunzipped(file: IO[bytes], name: str, block_bytes: int) -> Iterator[bytes]:
    """A gzip file may consist of several members, one after the other."""
    member = isal_zlib.decompressobj(_GZIP)
    compressed = file.read(_COMPRESSED_BYTES)
    if not compressed:
        raise refused(name, "an empty file")
    while compressed:
        try:
            block = member.decompress(compressed, block_bytes)
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub calls the class an instance
            raise refused(name, f"bytes that are no gzip ({error})") from error
        if block:
            yield block
        compressed = member.unused_data if member.eof else member.unconsumed_tail
        compressed = compressed or file.read(_COMPRESSED_BYTES)
        if member.eof and compressed:
            member = isal_zlib.decompressobj(_GZIP)
    if not member.eof:
        raise refused(name, "the beginning of a gzip file only")


def refused(where: str, found: str) -> BackupRefusedError:
    """The error for a file that holds something else than it should."""
    return BackupRefusedError(f"{where}: found {found}; it was edited or damaged: use another backup")
