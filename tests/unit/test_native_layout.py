"""What the service writes for an export, and the golden one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from stack import golden
from stack.golden import EXPORT, golden_files, stored_files
from stack.native_layout import Window, written_export

FOLDER = f"AWSDynamoDB/{EXPORT.id}"

INCREMENT = replace(EXPORT, window=Window(1772526600, 1772530200, "NEW_AND_OLD_IMAGES"), billed_size_bytes=10_000_000)
CHANGES = [
    {"Metadata": {"WriteTimestampMicros": {"N": "1772530000000000"}}, "Keys": {"pk": {"S": key}}, "OldImage": {}}
    for key in "abc"
]


def lines_of(manifest: bytes) -> list[Any]:
    return [json.loads(line) for line in manifest.decode().split("\n") if line]


def items_of(packed: bytes) -> list[Any]:
    return [json.loads(line)["Item"] for line in gzip.decompress(packed).split(b"\n") if line]


@pytest.fixture
def files() -> dict[str, bytes]:
    """The golden folder, by the path in it."""
    return {path.removeprefix(f"{FOLDER}/"): content for path, content in stored_files().items()}


def test_the_golden_folder_is_what_its_program_writes() -> None:
    written = {key.removeprefix(f"{EXPORT.prefix}/"): content for key, content in golden_files().items()}

    assert stored_files() == written


def test_an_export_has_the_files_of_a_real_one(files: dict[str, bytes]) -> None:
    parts = [path for path in files if path.startswith("data/")]

    assert len(parts) == 4
    assert all(re.fullmatch(r"data/[a-z2-7]{26}\.json\.gz", part) for part in parts)
    assert files.keys() - parts == {
        "_started",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.json",
        "manifest-summary.md5",
    }
    assert files["_started"] == b""


@pytest.mark.parametrize("manifest", ["manifest-files", "manifest-summary"])
def test_a_manifest_has_its_md5_beside_it(files: dict[str, bytes], manifest: str) -> None:
    checksum = files[f"{manifest}.md5"]

    assert len(checksum) == 24
    assert base64.b64decode(checksum) == hashlib.md5(files[f"{manifest}.json"], usedforsecurity=False).digest()


def test_each_line_of_the_manifest_fits_its_file(files: dict[str, bytes]) -> None:
    for line in lines_of(files["manifest-files.json"]):
        content = files[line["dataFileS3Key"].removeprefix(f"{EXPORT.prefix}/{FOLDER}/")]
        md5 = hashlib.md5(content, usedforsecurity=False).digest()

        assert list(line) == ["itemCount", "md5Checksum", "etag", "dataFileS3Key"]
        assert base64.b64decode(line["md5Checksum"]) == md5
        assert line["etag"] == hashlib.md5(md5, usedforsecurity=False).hexdigest() + "-1"
        assert line["itemCount"] == len(items_of(content))


def test_a_partition_without_items_leaves_an_empty_file(files: dict[str, bytes]) -> None:
    (empty,) = [line for line in lines_of(files["manifest-files.json"]) if line["itemCount"] == 0]

    assert len(files[empty["dataFileS3Key"].removeprefix(f"{EXPORT.prefix}/{FOLDER}/")]) == 20


def test_the_summary_has_the_fields_of_a_real_one(files: dict[str, bytes]) -> None:
    summary = json.loads(files["manifest-summary.json"])

    assert list(summary.items()) == [
        ("version", "2020-06-30"),
        ("exportArn", f"{EXPORT.table_arn}/export/{EXPORT.id}"),
        ("startTime", "2026-03-03T09:30:00.417Z"),
        ("endTime", "2026-03-03T09:36:06.902Z"),
        ("tableArn", EXPORT.table_arn),
        ("tableId", EXPORT.table_id),
        ("exportTime", "2026-03-03T09:30:00.000Z"),
        ("s3Bucket", "golden-exports"),
        ("s3Prefix", "nightly/observations"),
        ("s3SseAlgorithm", "AES256"),
        ("s3SseKmsKeyId", None),
        ("manifestFilesS3Key", f"nightly/observations/{FOLDER}/manifest-files.json"),
        ("billedSizeBytes", 0),
        ("itemCount", 12),
        ("outputFormat", "DYNAMODB_JSON"),
    ]


def test_without_a_prefix_the_folder_lies_at_the_top_of_the_bucket() -> None:
    files = written_export(replace(EXPORT, prefix=None), golden.PARTITIONS)

    summary = json.loads(files[f"{FOLDER}/manifest-summary.json"])
    assert summary["s3Prefix"] is None
    assert {line["dataFileS3Key"] for line in lines_of(files[summary["manifestFilesS3Key"]])} < files.keys()


def test_the_golden_items_have_every_type_and_survive(files: dict[str, bytes]) -> None:
    found = [item for path, content in files.items() if path.startswith("data/") for item in items_of(content)]

    assert sorted(found, key=repr) == sorted(golden.ITEMS, key=repr)
    types = {kind for item in found for value in item.values() for kind in value}
    assert types == {"S", "N", "B", "SS", "NS", "BS", "L", "M", "BOOL", "NULL"}


def test_increments_share_their_data_folder_and_have_manifests_of_their_own() -> None:
    files = written_export(INCREMENT, [CHANGES, []])

    parent = f"{EXPORT.prefix}/AWSDynamoDB"
    parts = [key for key in files if key.startswith(f"{parent}/data/")]
    assert all(re.fullmatch(rf"{parent}/data/[a-z2-7]{{26}}\.json\.gz", part) for part in parts)
    assert [line["dataFileS3Key"] for line in lines_of(files[f"{parent}/{EXPORT.id}/manifest-files.json"])] == parts
    manifests = {key.removeprefix(f"{parent}/{EXPORT.id}/") for key in files.keys() - parts}
    assert manifests == {
        "_started",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.json",
        "manifest-summary.md5",
    }


def test_two_increments_have_no_data_file_in_common() -> None:
    first, second = [written_export(replace(INCREMENT, id=id_), [CHANGES]) for id_ in (EXPORT.id, "another")]

    assert first.keys().isdisjoint(second)


def test_an_increment_has_a_line_for_each_change_as_it_is() -> None:
    files = written_export(replace(INCREMENT, prefix=None), [CHANGES, []])

    parts = [content for key, content in files.items() if key.startswith("AWSDynamoDB/data/")]
    found = [json.loads(line) for part in parts for line in gzip.decompress(part).splitlines()]
    assert found == CHANGES
    assert [line["itemCount"] for line in lines_of(files[f"{FOLDER}/manifest-files.json"])] == [3, 0]


def test_the_summary_of_an_increment_has_the_fields_of_a_real_one() -> None:
    summary = json.loads(written_export(INCREMENT, [CHANGES])[INCREMENT.summary_key])

    assert list(summary.items()) == [
        ("version", "2023-08-01"),
        ("exportArn", f"{EXPORT.table_arn}/export/{EXPORT.id}"),
        ("startTime", "2026-03-03T09:30:00.417Z"),
        ("endTime", "2026-03-03T09:36:06.902Z"),
        ("tableArn", EXPORT.table_arn),
        ("tableId", EXPORT.table_id),
        ("exportFromTime", "2026-03-03T08:30:00.000Z"),
        ("exportToTime", "2026-03-03T09:30:00.000Z"),
        ("s3Bucket", "golden-exports"),
        ("s3Prefix", "nightly/observations"),
        ("s3SseAlgorithm", "AES256"),
        ("s3SseKmsKeyId", None),
        ("manifestFilesS3Key", f"nightly/observations/{FOLDER}/manifest-files.json"),
        ("billedSizeBytes", 10_000_000),
        ("itemCount", 3),
        ("outputFormat", "DYNAMODB_JSON"),
        ("outputView", "NEW_AND_OLD_IMAGES"),
        ("exportType", "INCREMENTAL_EXPORT"),
    ]
