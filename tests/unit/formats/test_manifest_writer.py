"""The files that describe a backup: what is written is what is read."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import thorough
from dynamodb_copy.formats import manifest
from dynamodb_copy.formats.manifest import Details, DetailsLine, ManifestLine, TableSettings
from dynamodb_copy.formats.manifest_writer import (
    details_json,
    files_json,
    instant,
    summary_json,
    table_json,
    with_checksums,
)
from dynamodb_copy.model import BUCKETS, DIGEST_MODULUS, Digest, Part

NAME = "s3://backups/file.json"

names = st.from_regex(r"[a-z0-9-]{1,40}\.json\.gz", fullmatch=True)
counts = st.integers(0, 2**53)
hexadecimal = st.binary(min_size=32, max_size=32).map(bytes.hex)
md5s = st.binary(min_size=16, max_size=16).map(lambda packed: base64.b64encode(packed).decode())
moments = st.floats(0, 4e9).map(instant)
digests = st.integers(0, DIGEST_MODULUS - 1).map(
    lambda seed: Digest(tuple([seed * (bucket + 1) % DIGEST_MODULUS for bucket in range(BUCKETS)]))
)
parts = st.lists(
    st.builds(Part, names, counts, counts, hexadecimal, md5s, hexadecimal), unique_by=lambda part: part.name
)
details = st.builds(
    Details,
    id=st.text(max_size=30),
    engine=st.sampled_from(["scan", "export"]),
    began=moments,
    ended=moments,
    items=counts,
    bytes=counts,
    digest=st.none() | digests,
    parts=st.lists(st.builds(DetailsLine, names, counts, counts, st.none() | hexadecimal)).map(tuple),
    files=st.dictionaries(st.text(max_size=20), hexadecimal, max_size=3),
)
tags = st.lists(st.fixed_dictionaries({"Key": st.text(max_size=9), "Value": st.text(max_size=9)}), max_size=3).map(
    tuple
)
descriptions: st.SearchStrategy[dict[str, Any]] = st.dictionaries(st.text(max_size=9), st.text(max_size=9) | counts)


@given(parts, st.sampled_from(["AWSDynamoDB/1", "a/b/AWSDynamoDB/1", "ä b/AWSDynamoDB/1"]))
@thorough
def test_parts_are_read_as_they_were_written(written: list[Part], folder: str) -> None:
    content = files_json(written, folder)

    assert manifest.read_files(content, NAME) == [ManifestLine(p.name, p.items, p.md5, p.etag) for p in written]
    keys = [orjson.loads(line)["dataFileS3Key"] for line in content.split(b"\n") if line]
    assert keys == [f"{folder}/data/{part.name}" for part in written]


@given(details)
@thorough
def test_details_are_read_as_they_were_written(written: Details) -> None:
    assert manifest.read_details(details_json(written), NAME) == written


@given(st.builds(TableSettings, descriptions, st.none() | st.text(max_size=9), tags))
@thorough
def test_the_settings_of_a_table_are_read_as_they_were_written(written: TableSettings) -> None:
    assert manifest.read_table(table_json(written), NAME) == written


def test_moments_in_a_tables_description_become_text() -> None:
    made = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    settings = manifest.read_table(table_json(TableSettings({"CreationDateTime": made}, None, ())), NAME)

    assert settings.description == {"CreationDateTime": "2026-03-01T12:00:00+00:00"}


def test_a_manifest_line_has_the_fields_of_a_real_one_in_their_order() -> None:
    part = Part("p.json.gz", 3, 99, "ab-1", "bWQ1", "cd")

    content = files_json([part], "nightly/AWSDynamoDB/1")

    assert content == (
        b'{"itemCount":3,"md5Checksum":"bWQ1","etag":"ab-1","dataFileS3Key":"nightly/AWSDynamoDB/1/data/p.json.gz"}\n'
    )


def test_no_parts_are_an_empty_manifest() -> None:
    assert files_json([], "AWSDynamoDB/1") == b""


@pytest.mark.parametrize(
    ("epoch_seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_768_385_930.622, "2026-01-14T10:18:50.622Z"),
        (1_768_385_930.9996, "2026-01-14T10:18:50.999Z"),
    ],
)
def test_a_moment_has_milliseconds_and_is_never_later_than_it_was(epoch_seconds: float, text: str) -> None:
    assert instant(epoch_seconds) == text


def test_the_summary_is_written_last_and_each_checksum_before_what_it_is_of() -> None:
    described = {name: name.encode() for name in (manifest.FILES, manifest.DETAILS)}
    described[manifest.SUMMARY] = summary_json({"version": "2020-06-30", "itemCount": 0})

    written = with_checksums(described)

    assert [name for name, _ in written] == [
        "manifest-files.json",
        "manifest-files.md5",
        "backup.sha256",
        "backup.json",
        "manifest-summary.md5",
        "manifest-summary.json",
    ]
    contents = dict(written)
    for name in ("manifest-files", "manifest-summary"):
        md5 = hashlib.md5(contents[f"{name}.json"], usedforsecurity=False).digest()
        assert base64.b64decode(contents[f"{name}.md5"]) == md5
    assert contents["backup.sha256"].decode() == hashlib.sha256(contents["backup.json"]).hexdigest()
