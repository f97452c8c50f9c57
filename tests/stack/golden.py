"""The golden native full export: twelve items of every type, on disk as the service would have written them.

`python -m stack.golden` writes tests/golden/native-full-export again.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from stack.native_layout import Export, Item, written_export
from stack.native_objects import put_files

FOLDER = Path(__file__).parents[1] / "golden" / "native-full-export"
"""Holds what lies below the prefix, from `AWSDynamoDB` on."""

EXPORT = Export(
    id="01772530200417-5d0c8a2e",
    table_arn="arn:aws:dynamodb:us-east-1:123456789012:table/observations",
    table_id="6f1f7a52-8c3e-4b0b-9d64-2b7f0f5f7c31",
    bucket="golden-exports",
    prefix="nightly/observations",
    exported_at=1772530200,  # 2026-03-03T09:30:00Z
    started_at=1772530200.417,
    ended_at=1772530566.902,
)
"""Where it was written to, and of what table."""

KEY_SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
ATTRIBUTE_DEFINITIONS = [
    {"AttributeName": "pk", "AttributeType": "S"},
    {"AttributeName": "sk", "AttributeType": "N"},
]


def _item(hash_key: str, range_key: str, **attributes: Any) -> Item:
    return {"pk": {"S": hash_key}, "sk": {"N": range_key}, **attributes}


_NUMBERS = [
    _item("numbers", "0", digits={"N": "12345678901234567890123456789012345678"}),
    _item("numbers", "1", digits={"N": "-1234567890.1234567890123456789012345678"}),
    _item("numbers", "2.5", largest={"N": "9" * 38 + "0" * 88}, smallest={"N": format(Decimal("1E-130"), "f")}),
    _item("numbers", "-7", zero={"N": "0"}, set={"NS": ["-1", "0.5", "99999999999999999999999999999999999999"]}),
]
_TEXTS = [
    _item("texts", "0", empty={"S": ""}, quoted={"S": '"\\ and / and \t and \r\n'}),
    _item("texts", "1", wide={"S": "Grüße \N{GRINNING FACE}"}, separators={"S": "a\u2028b\u2029c\u0085d\u000be"}),
    _item("texts", "2", set={"SS": ["Ä", "a", "{}"]}, null={"NULL": True}),
    _item("Schlüssel \N{KEY}", "0", **{"name with spaces.and-dots": {"S": "x"}, "N": {"S": "called like a type"}}),
]
_DOCUMENTS = [
    _item("documents", "0", binary={"B": "AAECAwT//g=="}, empty={"B": ""}, set={"BS": ["AA==", "AQ==", "//8="]}),
    _item("documents", "1", list={"L": []}, map={"M": {}}, yes={"BOOL": True}, no={"BOOL": False}),
    _item("documents", "2", deep={"M": {"list": {"L": [{"B": "3q2+7w=="}, {"M": {"B": {"NS": ["1", "2"]}}}]}}}),
    _item("documents", "3"),
]
PARTITIONS: list[list[Item]] = [_NUMBERS, _TEXTS, _DOCUMENTS, []]
"""Wire JSON; one data file each, the last one without items."""

ITEMS = [item for partition in PARTITIONS for item in partition]


def golden_files(bucket: str = EXPORT.bucket, prefix: str | None = EXPORT.prefix) -> dict[str, bytes]:
    """The export's files by key, as if it had been written to that place."""
    return written_export(replace(EXPORT, bucket=bucket, prefix=prefix), PARTITIONS)


def put_golden_export(s3_client: Any, bucket: str, prefix: str | None, *, moved: bool = False) -> str:
    """Put the export below any prefix, and return the key of its folder, which ends without a slash.

    A `moved` one keeps the files of the golden folder as they are: its manifests name the place that it left.
    """
    export = replace(EXPORT, bucket=bucket, prefix=prefix)
    files = _moved_files(prefix) if moved else golden_files(bucket, prefix)
    put_files(s3_client, export, files)
    return export.folder


def stored_files() -> dict[str, bytes]:
    """The golden folder's files, by their path in it."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}


def _moved_files(prefix: str | None) -> dict[str, bytes]:
    start = f"{prefix}/" if prefix else ""
    return {start + path: content for path, content in stored_files().items()}


def main() -> None:
    """Write the golden folder again."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for key, content in golden_files().items():
        path = FOLDER / key.removeprefix(f"{EXPORT.prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
