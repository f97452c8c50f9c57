"""The files that describe a backup: what is written is read, and everything else is refused by its name."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import thorough
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats import manifest
from dynamodb_copy.formats.manifest import (
    Details,
    DetailsLine,
    ManifestLine,
    TableSettings,
    check_parts,
    md5_of,
    read_details,
    read_files,
    read_summary,
    read_table,
    root_hash,
    sha256_of,
)
from dynamodb_copy.model import BUCKETS, Digest
from stack import golden

NAME = "s3://backups/nightly/AWSDynamoDB/1/file.json"
FOLDER = f"AWSDynamoDB/{golden.EXPORT.id}"
SUMMARY: dict[str, Any] = {
    "version": "2020-06-30",
    "exportArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01768385930622-efd1a093",
    "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    "tableId": "6f1f7a52-8c3e-4b0b-9d64-2b7f0f5f7c31",
    "exportTime": "2026-11-25T02:00:04.120Z",
    "itemCount": 12_000,
    "outputFormat": "DYNAMODB_JSON",
}
LINE: dict[str, Any] = {
    "itemCount": 3,
    "md5Checksum": "rL0Y20zC+Fzt72VPzMSk2A==",
    "etag": "8f4d0e2f9b6c7d0b5b3c7b6d2f0a4d12-1",
    "dataFileS3Key": "nightly/AWSDynamoDB/01768385930622-efd1a093/data/part.json.gz",
}
PART: dict[str, Any] = {"name": "part.json.gz", "items": 3, "bytes": 181_204, "sha256": "ab" * 32}
DETAILS: dict[str, Any] = {
    "version": 1,
    "id": "01768385930622-efd1a093",
    "engine": "scan",
    "began": "2026-11-25T02:00:04.120Z",
    "ended": "2026-11-25T02:11:40.002Z",
    "items": 3,
    "bytes": 500,
    "digest": base64.b64encode(bytes(4096)).decode(),
    "parts": [PART],
    "files": {"manifest-files.json": "cd" * 32, "table.json": "ef" * 32},
}
TABLE: dict[str, Any] = {
    "version": 1,
    "table": {"TableName": "orders"},
    "timeToLive": "expires_at",
    "tags": [{"Key": "team", "Value": "orders"}],
}
Reader = Callable[[bytes, str], object]


def refusal_of(read: Reader, values: Any) -> str:
    content = values if isinstance(values, bytes) else json.dumps(values).encode()
    with pytest.raises(BackupRefusedError) as refused:
        read(content, NAME)
    return str(refused.value)


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def test_checksums_have_the_forms_that_manifests_give_them() -> None:
    assert md5_of(b"content") == base64.b64encode(hashlib.md5(b"content", usedforsecurity=False).digest()).decode()
    assert sha256_of(b"content") == hashlib.sha256(b"content").hexdigest()


def test_a_summary_says_of_what_table_and_when_and_how_much() -> None:
    summary = read_summary(orjson.dumps(SUMMARY), NAME)

    assert (summary.table_arn, summary.table_id) == (SUMMARY["tableArn"], SUMMARY["tableId"])
    assert datetime.fromisoformat(summary.export_time) == datetime(2026, 11, 25, 2, 0, 4, 120_000, UTC)
    assert summary.items == 12_000
    assert summary.values == SUMMARY


def test_an_output_format_that_is_not_named_is_dynamodb_json() -> None:
    assert read_summary(orjson.dumps(without(SUMMARY, "outputFormat")), NAME).items == 12_000


@pytest.mark.parametrize("version", ["2023-08-01", "2020-6-30", "", None, 20200630, ["2020-06-30"]])
def test_a_summary_of_another_version_is_refused(version: object) -> None:
    message = refusal_of(read_summary, {**SUMMARY, "version": version})

    assert message == f"{NAME}: found version {version!r}; allowed: '2020-06-30': a newer release may read it"


def test_a_summary_without_a_version_is_refused() -> None:
    assert f"{NAME}: found version None" in refusal_of(read_summary, without(SUMMARY, "version"))


def test_an_incremental_export_is_refused_by_its_kind() -> None:
    span = {"exportFromTime": "2026-11-24T17:00:00.000Z", "exportToTime": "2026-11-25T02:00:00.000Z"}
    incremental = {**SUMMARY, "version": "2023-08-01", **span, "exportType": "INCREMENTAL_EXPORT"}

    assert refusal_of(read_summary, incremental).startswith(f"{NAME}: this is an incremental export; a full one is")


@pytest.mark.parametrize("output", ["ION", "", None, 5])
def test_an_export_in_another_format_is_refused(output: object) -> None:
    message = refusal_of(read_summary, {**SUMMARY, "outputFormat": output})

    assert message.startswith(f"{NAME}: found outputFormat {output!r}; allowed: DYNAMODB_JSON")


NO_COUNTS = [-1, 1.0, "3", True, None, [3], 10**30]
NO_MOMENTS = ["2026-11-25T02:00:04.120", "2026-11-25", "yesterday", "", 1_764_036_004, None, True]
NO_TEXTS = [None, 5, True, ["text"], {"text": 1}]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("itemCount", value) for value in NO_COUNTS],
        *[("exportTime", value) for value in NO_MOMENTS],
        *[(key, value) for key in ("tableArn", "tableId") for value in NO_TEXTS],
    ],
)
def test_a_summary_with_a_wrong_value_is_refused(key: str, value: object) -> None:
    assert f"{NAME}: is not what a backup holds there (" in refusal_of(read_summary, {**SUMMARY, key: value})


@pytest.mark.parametrize("key", ["itemCount", "exportTime", "tableArn", "tableId"])
def test_a_summary_that_lacks_something_is_refused(key: str) -> None:
    assert f"{NAME}: is not what a backup holds there (KeyError: '{key}')" in refusal_of(
        read_summary, without(SUMMARY, key)
    )


NO_OBJECTS = [
    b"",
    b"{",
    b"[]",
    b"5",
    b'"text"',
    b"null",
    b"\xff\xfe",
    b"{" * 2000,
    b'{"a":1}{"b":2}',
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("content", NO_OBJECTS)
@pytest.mark.parametrize("read", [read_summary, read_details, read_table])
def test_what_is_no_json_object_is_refused(read: Reader, content: bytes) -> None:
    assert refusal_of(read, content).startswith(f"{NAME}: is not what a backup holds there (")


@pytest.mark.parametrize(
    ("read", "values"),
    [
        *[
            (read_summary, {**SUMMARY, key: "x" * 100_000})
            for key in ("version", "itemCount", "exportTime", "outputFormat")
        ],
        *[(read_files, {**LINE, key: ["x" * 100_000]}) for key in LINE],
        *[(read_details, {**DETAILS, key: ["x" * 100_000]}) for key in DETAILS],
        *[(read_table, {**TABLE, key: ["x" * 100_000]}) for key in TABLE],
    ],
)
def test_a_refusal_is_short_however_long_the_value_is(read: Reader, values: object) -> None:
    assert len(refusal_of(read, values)) < 400


def test_a_manifest_names_parts_by_what_comes_after_the_last_slash() -> None:
    lines = [{**LINE, "dataFileS3Key": key} for key in ("a.gz", "data/b.gz", "AWSDynamoDB/1/data/c.gz", "/d.gz")]

    parts = read_files(b"\n".join([orjson.dumps(line) for line in lines]), NAME)

    assert [part.name for part in parts] == ["a.gz", "b.gz", "c.gz", "d.gz"]
    assert parts[0] == ManifestLine("a.gz", 3, LINE["md5Checksum"], LINE["etag"])


@pytest.mark.parametrize(
    "key",
    [
        "https://elsewhere.s3.amazonaws.com/other/data/part.json.gz",
        "s3://elsewhere/other/data/part.json.gz",
        "../../other/data/part.json.gz",
        "/etc/part.json.gz",
        "data/../../../part.json.gz",
        "//elsewhere/part.json.gz",
    ],
)
def test_a_part_is_known_by_its_name_alone_wherever_the_manifest_says_it_is(key: str) -> None:
    (part,) = read_files(orjson.dumps({**LINE, "dataFileS3Key": key}), NAME)

    assert part.name == "part.json.gz"


@pytest.mark.parametrize("key", ["", "data/", "/", "data/..", "..", ".", "data/."])
def test_a_part_without_a_name_is_refused_with_its_line(key: str) -> None:
    message = refusal_of(read_files, orjson.dumps(LINE) + b"\n" + orjson.dumps({**LINE, "dataFileS3Key": key}))

    assert message.startswith(f"{NAME}, line 2: is not what a backup holds there (ValueError: a data file without")


def test_a_part_that_is_named_twice_is_refused_with_the_second_line() -> None:
    elsewhere = {**LINE, "dataFileS3Key": "other/data/part.json.gz", "itemCount": 0}

    message = refusal_of(read_files, orjson.dumps(LINE) + b"\n\n" + orjson.dumps(elsewhere))

    assert f"{NAME}, line 3: is not what a backup holds there (ValueError: data/part.json.gz is there twice)" in message


@pytest.mark.parametrize(
    "line",
    [
        *[{**LINE, "itemCount": value} for value in NO_COUNTS],
        *[{**LINE, key: value} for key in ("md5Checksum", "etag", "dataFileS3Key") for value in NO_TEXTS],
        *[without(LINE, key) for key in LINE],
        *[[], 5, "text", None, [LINE]],
    ],
)
def test_a_wrong_line_of_a_manifest_is_refused_with_its_number(line: object) -> None:
    other = {**LINE, "dataFileS3Key": "data/other.json.gz"}

    message = refusal_of(read_files, f"{json.dumps(other)}\n{json.dumps(line)}\n".encode())

    assert message.startswith(f"{NAME}, line 2: is not what a backup holds there (")


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"itemCount":3', b"$ion_1_0 {}"])
def test_a_manifest_that_is_no_json_is_refused_with_the_line(content: bytes) -> None:
    assert refusal_of(read_files, orjson.dumps(LINE) + b"\r\n" + content).startswith(f"{NAME}, line 2: is not what")


def test_an_empty_manifest_names_no_parts() -> None:
    assert read_files(b"", NAME) == []


def test_details_are_read() -> None:
    details = read_details(orjson.dumps(DETAILS), NAME)

    assert details == Details(
        id="01768385930622-efd1a093",
        engine="scan",
        began="2026-11-25T02:00:04.120Z",
        ended="2026-11-25T02:11:40.002Z",
        items=3,
        bytes=500,
        digest=Digest(),
        parts=(DetailsLine("part.json.gz", 3, 181_204, "ab" * 32),),
        files=DETAILS["files"],
    )


def test_an_export_has_no_digest_and_no_sha256_of_its_parts() -> None:
    exported = {**DETAILS, "engine": "export", "digest": None, "parts": [{**PART, "sha256": None}]}

    details = read_details(orjson.dumps(exported), NAME)

    assert (details.digest, details.parts[0].sha256) == (None, None)


NO_PARTS: list[Any] = [None, 5, {"name": PART}, "parts", [None], [[]], [5]]
NO_FILES: list[Any] = [None, 5, [], "files", {"table.json": None}, {"table.json": 5}]
NO_DIGESTS: list[Any] = ["", "AAAA", base64.b64encode(bytes(4095)).decode(), "!" * 5464, "ä" * 5464, 5, [0] * BUCKETS]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[(key, value) for key in ("items", "bytes") for value in NO_COUNTS],
        *[(key, value) for key in ("began", "ended") for value in NO_MOMENTS],
        *[(key, value) for key in ("id", "engine") for value in NO_TEXTS],
        *[("digest", value) for value in NO_DIGESTS],
        *[("parts", value) for value in NO_PARTS],
        *[("files", value) for value in NO_FILES],
    ],
)
def test_details_with_a_wrong_value_are_refused(key: str, value: object) -> None:
    assert refusal_of(read_details, {**DETAILS, key: value}).startswith(f"{NAME}: is not what a backup holds there (")


@pytest.mark.parametrize(
    "part",
    [
        *[{**PART, key: value} for key in ("items", "bytes") for value in NO_COUNTS],
        *[{**PART, "name": value} for value in NO_TEXTS],
        *[{**PART, "sha256": value} for value in NO_TEXTS if value is not None],
        *[without(PART, key) for key in PART],
    ],
)
def test_details_with_a_wrong_part_are_refused(part: object) -> None:
    assert f"{NAME}: is not what" in refusal_of(read_details, {**DETAILS, "parts": [PART, part]})


@pytest.mark.parametrize("key", [key for key in DETAILS if key != "version"])
def test_details_that_lack_something_are_refused(key: str) -> None:
    assert f"(KeyError: '{key}')" in refusal_of(read_details, without(DETAILS, key))


@pytest.mark.parametrize("read", [read_details, read_table])
@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_version_of_our_own_files_is_refused(read: Reader, version: object) -> None:
    message = refusal_of(read, {**DETAILS, **TABLE, "version": version})

    assert message == f"{NAME}: found version {version!r}; allowed: 1: a newer release may read it"


@pytest.mark.parametrize(
    ("ttl", "tags"), [("expires_at", TABLE["tags"]), (None, []), ("ä", [{"Key": "", "Value": ""}] * 2)]
)
def test_the_settings_of_a_table_are_read(ttl: str | None, tags: list[dict[str, str]]) -> None:
    settings = read_table(orjson.dumps({**TABLE, "timeToLive": ttl, "tags": tags}), NAME)

    assert settings == TableSettings({"TableName": "orders"}, ttl, tuple(tags))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("table", value) for value in (None, 5, [], "orders", [["TableName", "orders"]])],
        *[("timeToLive", value) for value in NO_TEXTS if value is not None],
        *[("tags", value) for value in (None, 5, {"Key": "team"}, ["team"], [{"Key": "team"}])],
        *[("tags", [{"Key": "team", "Value": value}]) for value in NO_TEXTS],
    ],
)
def test_settings_with_a_wrong_value_are_refused(key: str, value: object) -> None:
    assert refusal_of(read_table, {**TABLE, key: value}).startswith(f"{NAME}: is not what a backup holds there (")


@pytest.mark.parametrize("key", [key for key in TABLE if key != "version"])
def test_settings_that_lack_something_are_refused(key: str) -> None:
    assert f"(KeyError: '{key}')" in refusal_of(read_table, without(TABLE, key))


A, B = ManifestLine("a", 1, "", ""), ManifestLine("b", 2, "", "")


def details_of(*parts: tuple[str, int]) -> Details:
    lines = [{**PART, "name": name, "items": items} for name, items in parts]
    return read_details(orjson.dumps({**DETAILS, "parts": lines}), NAME)


def test_parts_that_both_tell_of_agree() -> None:
    check_parts([A, B], details_of(("a", 1), ("b", 2)), NAME)


@pytest.mark.parametrize(
    ("told", "differing"),
    [
        ([], "a"),
        ([("a", 1)], "b"),
        ([("a", 1), ("b", 2), ("c", 0)], "c"),
        ([("a", 1), ("b", 3)], "b"),
        ([("a", 1), ("c", 2)], "c"),
        ([("a", 1), ("b", 2), ("b", 2)], "b"),
        ([("b", 2), ("a", 1)], "b"),
    ],
)
def test_parts_that_only_one_tells_of_are_refused_by_name(told: list[tuple[str, int]], differing: str) -> None:
    with pytest.raises(BackupRefusedError) as refused:
        check_parts([A, B], details_of(*told), NAME)

    start = f"{NAME}: tells of other parts than manifest-files.json, first data/{differing}; one of the two was edited"
    assert str(refused.value).startswith(start)


FOUR: dict[str, bytes | None] = {
    name: name.encode() for name in (manifest.SUMMARY, manifest.FILES, manifest.TABLE, manifest.DETAILS)
}


def test_the_root_hash_is_that_of_the_four_hashes_in_their_order() -> None:
    hashes = [hashlib.sha256(content or b"").digest() for content in FOUR.values()]

    assert root_hash(dict(reversed(FOUR.items()))) == hashlib.sha256(b"".join(hashes)).hexdigest()
    without_ours = {**FOUR, manifest.TABLE: None, manifest.DETAILS: None}
    assert root_hash(without_ours) == hashlib.sha256(b"".join(hashes[:2])).hexdigest()


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("content", [None, b"", b"other"])
def test_each_of_the_four_files_changes_the_root_hash(name: str, content: bytes | None) -> None:
    assert root_hash({**FOUR, name: content}) != root_hash(FOUR)


def test_the_golden_export_is_read() -> None:
    files = golden.stored_files()

    summary = read_summary(files[f"{FOLDER}/manifest-summary.json"], NAME)
    parts = read_files(files[f"{FOLDER}/manifest-files.json"], NAME)

    assert (summary.items, summary.table_arn) == (12, golden.EXPORT.table_arn)
    assert [part.items for part in parts] == [4, 4, 4, 0]
    assert all(md5_of(files[f"{FOLDER}/data/{part.name}"]) == part.md5 for part in parts)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PART, *LINE, "Key"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from([*SUMMARY, *LINE, *DETAILS, *TABLE]), st.sampled_from([*PART, "Key", "Value"]), json_values)
@thorough
def test_whatever_stands_in_a_file_it_is_read_or_refused(key: str, inner_key: str, value: Any) -> None:
    for changed in ({key: value}, {"parts": [{**PART, inner_key: value}]}, {"tags": [{"Key": "a", inner_key: value}]}):
        for read, whole in (
            (read_summary, SUMMARY),
            (read_files, LINE),
            (_checked_details, DETAILS),
            (read_table, TABLE),
        ):
            with suppress(BackupRefusedError):
                read(json.dumps({**whole, **changed}).encode(), NAME)


def _checked_details(content: bytes, name: str) -> None:
    check_parts([A, B], read_details(content, name), name)
