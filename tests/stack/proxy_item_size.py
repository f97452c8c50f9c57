"""The size of an item in bytes, by the rules that AWS documents for capacity units and the 400 KB limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def item_bytes(item: dict[str, Any]) -> int:
    """Names and values of the attributes of an item in wire JSON."""
    return sum(_text(name) + _value(value) for name, value in item.items())


def _value(value: dict[str, Any]) -> int:
    [(kind, content)] = value.items()
    return _SIZES[kind](content)


def _text(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number(number: str) -> int:
    # one byte per two significant digits, rounded up, and one more
    mantissa = number.lower().partition("e")[0]
    return (len(mantissa.lstrip("-+").replace(".", "").strip("0")) + 1) // 2 + 1


def _binary(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text.count("=", -2)


def _one(_content: bool) -> int:  # noqa: FBT001  its place in the table of sizes gives the shape
    return 1


def _list(elements: list[Any]) -> int:
    return 3 + len(elements) + sum(map(_value, elements))


def _map(entries: dict[str, Any]) -> int:
    return 3 + len(entries) + item_bytes(entries)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _one,
    "NULL": _one,
    "L": _list,
    "M": _map,
    "SS": lambda members: sum(map(_text, members)),
    "NS": lambda members: sum(map(_number, members)),
    "BS": lambda members: sum(map(_binary, members)),
}
