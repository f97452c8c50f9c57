"""Items that a copy may not bend: every type, every limit."""

from __future__ import annotations

import base64
from typing import Any

from dynamodb_copy.model import Item, KeySchema

MOST_ITEM_BYTES = 400 * 1024

EVERY_TYPE: list[Item] = [
    {"id": {"S": name}, "value": value}
    for name, value in {
        "text": {"S": 'quotes " and \\ and "N":"1.0"'},
        "unicode": {"S": "\N{GRINNING FACE} ä e\N{COMBINING ACUTE ACCENT} 漢字 \x00 \u2028"},
        "empty text": {"S": ""},
        "zero": {"N": "0"},
        "38 digits": {"N": "12345678901234567890123456789012345678"},
        "38 digits after the point": {"N": "-0.12345678901234567890123456789012345678"},
        "binary": {"B": base64.b64encode(bytes(range(256))).decode()},
        "empty binary": {"B": ""},
        "true": {"BOOL": True},
        "false": {"BOOL": False},
        "null": {"NULL": True},
        "texts": {"SS": ["b", "a", "ä"]},
        "numbers": {"NS": ["10", "9", "-1.5", "12345678901234567890123456789012345678"]},
        "binaries": {"BS": ["AAE=", "//79"]},
        "empty list": {"L": []},
        "empty map": {"M": {}},
        "nested": {"L": [{"M": {"N": {"N": "1"}, "B": {"B": "3q2+7w=="}}}, {"L": [{"BS": ["AA=="]}, {"NULL": True}]}]},
    }.items()
]
EVERY_TYPE += [{"id": {"S": "\N{GRINNING FACE} key"}}, {"id": {"S": "odd names"}, "N": {"S": "x"}, 'a"b': {"N": "1"}}]


def largest(key: str) -> Item:
    """An item of 400 KB, the most that the service takes."""
    item: Item = {"id": {"S": key}, "value": {"S": ""}}
    item["value"]["S"] = "x" * (MOST_ITEM_BYTES - len("id") - len(key.encode()) - len("value"))
    return item


def bulky(count: int, keys: KeySchema, key_types: dict[str, str]) -> list[Item]:
    """Items of 100 KB, so that a few of them fill a page; their keys are of these types."""
    filler = {"S": "x" * 100_000}
    return [{**key_of_number(number, keys, key_types), "value": filler} for number in range(count)]


def key_of_number(number: int, keys: KeySchema, key_types: dict[str, str]) -> dict[str, Any]:
    """A key for each number; with a range key, three items share a partition key."""
    if keys.range_name is None:
        return {keys.hash_name: _value(key_types[keys.hash_name], number)}
    return {
        keys.hash_name: _value(key_types[keys.hash_name], number // 3),
        keys.range_name: _value(key_types[keys.range_name], number % 3),
    }


def _value(kind: str, number: int) -> dict[str, str]:
    match kind:
        case "N":
            return {"N": str(number - 5)}
        case "B":
            return {"B": base64.b64encode(bytes([255 - number, 0, number])).decode()}
    return {"S": f"ä{number}"}
