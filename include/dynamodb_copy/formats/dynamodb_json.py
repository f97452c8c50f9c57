"""Canonical wire JSON: one spelling for one content, whatever order or notation it came in."""

from __future__ import annotations

import re
from decimal import Context
from hashlib import blake2b
from typing import Any

import orjson

from dynamodb_copy.model import BUCKETS, Item, Key, KeySchema

_PLAIN = r"(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])"
_PLAIN_NUMBER = re.compile(_PLAIN)
_UNUSUAL_NUMBER = re.compile(rf'"N":"(?!{_PLAIN}")'.encode())  # begins with fixed text, which `re` finds fastest
_SET = b'S":['  # of any kind; inside strings the quote is escaped
_NUMBER_CONTEXT = Context(prec=400)  # far above the 38 digits and 126 places of the service: never rounds


def canonical_number(text: str) -> str:
    """Spell a number in plain positional notation, without needless zeros; `1.50E+2` becomes `150`."""
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    number = _NUMBER_CONTEXT.create_decimal(text).normalize(_NUMBER_CONTEXT)
    return "0" if number.is_zero() else format(number, "f")


def canonical_attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return the attribute value with its sets sorted and its numbers plain."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return {kind: canonical_number(value)}
        case "NS":
            return {kind: sorted(canonical_number(number) for number in value)}
        case "SS" | "BS":
            return {kind: sorted(value)}
        case "L":
            return {kind: [canonical_attribute(element) for element in value]}
        case "M":
            return {kind: canonical_item(value)}
    return attribute


def canonical_item(item: Item) -> Item:
    """Return the item with every attribute in its canonical spelling."""
    return {name: canonical_attribute(attribute) for name, attribute in item.items()}


def sorted_line(item: Item) -> bytes:
    """The item as JSON with sorted keys, spelled as it came."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def canonical_lines(items: list[Item], sorted_lines: list[bytes] | None = None) -> list[bytes]:
    """Serialise the items so that equal contents give equal bytes.

    Sorting the keys suffices for nearly all items; only those that hold sets or unusual numbers are walked.
    """
    lines = sorted_lines
    if lines is None:
        lines = [sorted_line(item) for item in items]
    if not _may_be_spelled_otherwise(b"\n".join(lines)):
        return lines
    return [_walked(line, item) for line, item in zip(lines, items, strict=True)]


def _walked(line: bytes, item: Item) -> bytes:
    if not _may_be_spelled_otherwise(line):
        return line
    return orjson.dumps(canonical_item(item), option=orjson.OPT_SORT_KEYS)


def _may_be_spelled_otherwise(lines: bytes) -> bool:
    return _SET in lines or _UNUSUAL_NUMBER.search(lines) is not None


def item_hash(line: bytes) -> int:
    """128-bit hash of one canonical line."""
    return int.from_bytes(blake2b(line, digest_size=16).digest(), "big")


def key_of(item: Item, schema: KeySchema) -> Key:
    """Return the key attributes of the item."""
    if schema.range_name is None:
        return {schema.hash_name: item[schema.hash_name]}
    return {schema.hash_name: item[schema.hash_name], schema.range_name: item[schema.range_name]}


def key_hash(item: Item, schema: KeySchema) -> bytes:
    """16 bytes that stand for the key in logs, reports and bucket numbers; the item may hold more than the key."""
    return blake2b(key_bytes(item, schema), digest_size=16).digest()


def key_bytes(item: Item, schema: KeySchema) -> bytes:
    """Spell the key so that equal keys give equal bytes; the item may hold more than the key."""
    hash_value = _key_value(item[schema.hash_name])
    if schema.range_name is None:
        return orjson.dumps(hash_value)
    return orjson.dumps((hash_value, _key_value(item[schema.range_name])))


def _key_value(attribute: dict[str, Any]) -> dict[str, Any]:
    number = attribute.get("N")
    return attribute if number is None or _PLAIN_NUMBER.fullmatch(number) else canonical_attribute(attribute)


def key_bucket(hashed: bytes) -> int:
    """The digest bucket of a key hash."""
    return hashed[0] % BUCKETS
