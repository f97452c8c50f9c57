"""The net changes of a window, as an incremental export has them."""

from __future__ import annotations

from typing import Any

import pytest

from stack.native_increments import net
from stack.native_layout import Window

BOTH = Window(0, 900, "NEW_AND_OLD_IMAGES")
NEW = Window(0, 900, "NEW_IMAGE")
A, B, C = [{"id": {"S": "item"}, "note": {"S": note}} for note in "ABC"]


def record(
    old: dict[str, Any] | None, new: dict[str, Any] | None, second: int = 1, name: str = "item"
) -> dict[str, Any]:
    """As a stream has it."""
    images = {"OldImage": old, "NewImage": new}
    there = {view: image for view, image in images.items() if image is not None}
    return {"ApproximateCreationDateTime": second, "Keys": {"id": {"S": name}}, **there}


def line(second: int = 1, **images: Any) -> dict[str, Any]:
    """As an export has it."""
    micros = {"N": str(second * 1_000_000)}
    return {"Metadata": {"WriteTimestampMicros": micros}, "Keys": {"id": {"S": "item"}}, **images}


@pytest.mark.parametrize(
    ("records", "both", "new"),
    [
        ([record(None, A)], {"NewImage": A}, {"NewImage": A}),
        ([record(A, B)], {"OldImage": A, "NewImage": B}, {"NewImage": B}),
        ([record(A, None)], {"OldImage": A}, {}),
        ([record(None, A), record(A, B)], {"NewImage": B}, {"NewImage": B}),
        ([record(A, B), record(B, C)], {"OldImage": A, "NewImage": C}, {"NewImage": C}),
        ([record(A, B), record(B, None)], {"OldImage": A}, {}),
        ([record(A, None), record(None, B)], {"OldImage": A, "NewImage": B}, {"NewImage": B}),
        ([record(A, B), record(B, A)], {"OldImage": A, "NewImage": A}, {"NewImage": A}),
        ([record(A, None), record(None, A)], {"OldImage": A, "NewImage": A}, {"NewImage": A}),
    ],
)
def test_a_key_has_one_line_from_before_the_window_to_its_end(
    records: list[Any], both: dict[str, Any], new: dict[str, Any]
) -> None:
    assert net(records, BOTH) == [line(**both)]
    assert net(records, NEW) == [line(**new)]


@pytest.mark.parametrize("window", [BOTH, NEW])
def test_what_was_there_neither_before_nor_after_has_no_line(window: Window) -> None:
    assert net([record(None, A), record(A, None)], window) == []
    assert net([record(None, A), record(A, B), record(B, None)], window) == []


def test_a_line_tells_when_the_last_write_was() -> None:
    assert net([record(None, A, 5), record(A, B, 7)], BOTH) == [line(7, NewImage=B)]


def test_each_key_has_its_line() -> None:
    changes = net([record(None, A, 1, "x"), record(None, B, 2, "y"), record(A, C, 3, "x")], BOTH)

    assert [(change["Keys"]["id"]["S"], change["NewImage"]) for change in changes] == [("y", B), ("x", C)]


def test_the_order_of_key_attributes_makes_no_other_key() -> None:
    keys: list[dict[str, Any]] = [{"pk": {"S": "a"}, "sk": {"N": "1"}}, {"sk": {"N": "1"}, "pk": {"S": "a"}}]
    first, second = [record(None, A) | {"Keys": key} for key in keys]

    assert len(net([first, second], BOTH)) == 1


def test_a_line_has_its_fields_in_the_order_of_real_ones() -> None:
    (change,) = net([record(A, B)], BOTH)

    assert list(change) == ["Metadata", "Keys", "OldImage", "NewImage"]
