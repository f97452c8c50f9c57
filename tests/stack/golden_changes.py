"""The golden native incremental export: the hour after the golden full one, on disk as the service would have it.

`python -m stack.golden_changes` writes tests/golden/native-incremental-export again.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from stack import golden
from stack.native_layout import Change, Export, Item, Window, written_export

FOLDER = Path(__file__).parents[1] / "golden" / "native-incremental-export"
"""Holds what lies below the prefix, from `AWSDynamoDB` on."""

EXPORT: Export = replace(
    golden.EXPORT,
    id="01772534100219-77b0a1e4",
    exported_at=1772533800,  # 2026-03-03T10:30:00Z
    started_at=1772534100.219,
    ended_at=1772534404.118,
    billed_size_bytes=10_000_000,
    window=Window(1772530200, 1772533800, "NEW_AND_OLD_IMAGES"),
)
"""Where it was written to, and from when to when."""

_MINUTE_MICROS = 60_000_000


def _change(minute: int, hash_key: str, range_key: str, **images: Item | None) -> Change:
    """What happened in a minute; an image that is None stands in the line as null."""
    key: dict[str, Any] = {"pk": {"S": hash_key}, "sk": {"N": range_key}}
    whole = {name: None if image is None else {**key, **image} for name, image in images.items()}
    at = 1772530200000000 + minute * _MINUTE_MICROS + 353205
    return {"Metadata": {"WriteTimestampMicros": {"N": str(at)}}, "Keys": key, **whole}


def _golden(hash_key: str, range_key: str) -> Item:
    (found,) = [item for item in golden.ITEMS if (item["pk"]["S"], item["sk"]["N"]) == (hash_key, range_key)]
    return found


PARTITIONS: list[list[Change]] = [
    [
        _change(3, "texts", "9", NewImage={"new": {"S": "Grüße \N{GRINNING FACE}"}}),
        _change(59, "numbers", "-7", OldImage=_golden("numbers", "-7"), NewImage={"set": {"NS": ["0.5", "-1"]}}),
    ],
    [_change(41, "documents", "3", OldImage=_golden("documents", "3"))],
    [_change(17, "texts", "0", OldImage=_golden("texts", "0"), NewImage=None)],
    [],
]
"""An insertion and an update, a deletion, one in the other spelling, and a data file that holds nothing."""


def golden_files() -> dict[str, bytes]:
    """The export's files, by their path below the prefix."""
    files = written_export(EXPORT, PARTITIONS)
    return {key.removeprefix(f"{EXPORT.prefix}/"): content for key, content in files.items()}


def stored_files() -> dict[str, bytes]:
    """The golden folder's files, by their path in it."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}


def main() -> None:
    """Write the golden folder again."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, content in golden_files().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
