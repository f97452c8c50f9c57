"""Lines of changes: what data files of increments hold, the service's and ours. docs/backup-format.md tells more."""

from __future__ import annotations

from typing import Any

import orjson

from dynamodb_copy.formats.dynamodb_json import key_bytes, key_hash, key_of, sorted_line
from dynamodb_copy.formats.item_lines import check_key, refused
from dynamodb_copy.model import Change, Delete, Item, Key, KeySchema, Put

CHANGE_LINE_BYTES = 8 << 20
"""The longest line that is read: two images of 400 KB take 4.8 MB where each of their characters is escaped."""

KEY_BUCKETS = 16
"""In which an increment's changes are kept apart, so that as many may be replayed at once."""


def change_bucket(item: Item, keys: KeySchema) -> int:
    """The key bucket of a change, from 0; the item may hold more than the key."""
    return key_hash(item, keys)[0] % KEY_BUCKETS


def change_line(change: Change, keys: KeySchema) -> bytes:
    """One change with the line feed that ends it; raises ValueError for one whose time its source does not know."""
    if change.written_at is None:
        raise ValueError("a change without its time cannot be kept: a restore to a moment needs it")
    key = key_of(change.item if isinstance(change, Put) else change.key, keys)
    line = b'{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":%b' % (change.written_at, orjson.dumps(key))
    if change.old is not None:
        line += b',"OldImage":' + sorted_line(change.old)
    if isinstance(change, Put):
        line += b',"NewImage":' + (change.line or sorted_line(change.item))
    return line + b"}\n"


def changes_of(lines: list[bytes], keys: KeySchema, name: str, first_line: int) -> list[Change]:
    """Read lines of changes; raises BackupRefusedError with the number of the line, from 1."""
    return [_change(line, keys, f"{name}, line {first_line + offset}") for offset, line in enumerate(lines)]


def _change(line: bytes, keys: KeySchema, where: str) -> Change:
    try:
        values: Any = orjson.loads(line)
        key, written_at = _key(values["Keys"], keys), _micros(values["Metadata"])
        new, old = (_image(values.get(name), key, keys) for name in ("NewImage", "OldImage"))
        if new is None:
            return Delete(key, written_at, old)
        return Put(new, written_at, sorted_line(new), old)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        raise refused(where, "no change with its time and the key of the table") from None


def _key(found: dict[str, Any], keys: KeySchema) -> Key:
    key = key_of(found, keys)
    if len(found) != len(key):
        raise ValueError("more attributes than the key's")
    for attribute in key.values():
        check_key(attribute)
    return key


def _micros(metadata: dict[str, Any]) -> int:
    digits = metadata["WriteTimestampMicros"]["N"]
    if not (isinstance(digits, str) and digits.isascii() and digits.isdecimal()):
        raise ValueError("no time")
    return int(digits)


def _image(item: Any, key: Key, keys: KeySchema) -> Item | None:
    """An image, which must be that of the key; numbers may be spelled in another way."""
    if item is None:
        return None
    image: Item = item
    if key_of(image, keys) != key and key_bytes(image, keys) != key_bytes(key, keys):
        raise ValueError("the image of another key")
    return image
