"""The files that describe an increment: what is written is what is read, and all that must be refused."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import thorough
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats import manifest, manifest_writer
from dynamodb_copy.formats.increment_manifest import (
    IncrementDetails,
    IncrementPart,
    TableState,
    check_details,
    part_bucket,
    read_increment_details,
    read_increment_summary,
)
from dynamodb_copy.formats.increment_writer import (
    Origin,
    increment_details_json,
    increment_parts,
    increment_summary_json,
)
from dynamodb_copy.formats.manifest_writer import instant
from dynamodb_copy.formats.marks import Mark, frontier_hash, stream_mark
from dynamodb_copy.model import BUCKETS, DIGEST_MODULUS, Digest, Part

NAME = "s3://backups/nightly/AWSDynamoDB/1/file.json"
ORIGIN = Origin("arn:table", "id-of-it", "backups", "nightly", "nightly/AWSDynamoDB/1")

names = st.from_regex(r"[a-z0-9-]{1,40}\.json\.gz", fullmatch=True)
counts = st.integers(0, 2**53)
hexadecimal = st.binary(min_size=32, max_size=32).map(bytes.hex)
moments = st.floats(0, 4e9).map(instant)
digests = st.integers(0, DIGEST_MODULUS - 1).map(
    lambda seed: Digest(tuple([seed * (bucket + 1) % DIGEST_MODULUS for bucket in range(BUCKETS)]))
)
frontiers = st.dictionaries(st.text(max_size=20), st.sampled_from(["", "end"]) | st.text(max_size=20), max_size=3)
marks = moments.map(Mark) | st.builds(stream_mark, moments, frontiers)
details = st.builds(
    IncrementDetails,
    id=st.text(max_size=30),
    engine=st.sampled_from(["stream", "export"]),
    began=moments,
    ended=moments,
    items=counts,
    bytes=counts,
    growth=st.none() | st.integers(-(2**53), 2**53),
    digest=st.none() | digests,
    start=marks,
    end=marks,
    previous=st.none() | st.text(max_size=30),
    state=st.none() | st.builds(TableState, counts, digests),
    parts=st.lists(
        st.builds(IncrementPart, names, counts, counts, st.none() | hexadecimal, st.none() | st.integers(0, 15))
    ).map(tuple),
    files=st.dictionaries(st.text(max_size=20), hexadecimal, max_size=3),
)
NOTHING = IncrementDetails(
    id="1",
    engine="stream",
    began=instant(60.0),
    ended=instant(99.5),
    items=12,
    bytes=900,
    growth=-3,
    digest=Digest(),
    start=Mark(instant(0.0)),
    end=Mark(instant(60.0)),
    previous=None,
    state=None,
    parts=(),
    files={},
)


def summary_with(**values: Any) -> bytes:
    return orjson.dumps({**orjson.loads(increment_summary_json(NOTHING, ORIGIN)), **values})


def details_with(**values: Any) -> bytes:
    return orjson.dumps({**orjson.loads(increment_details_json(NOTHING)), **values})


def refusal_of(read: Any, content: bytes) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        read(content, NAME)
    return str(refused.value)


@given(details)
@thorough
def test_details_are_read_as_they_were_written(written: IncrementDetails) -> None:
    assert read_increment_details(increment_details_json(written), NAME) == written


@given(st.none() | marks)
@thorough
def test_a_full_backup_tells_where_its_increments_begin(mark: Mark | None) -> None:
    full = manifest.Details("1", "scan", instant(0.0), instant(1.0), 0, 0, None, (), {}, mark)

    assert manifest.read_details(manifest_writer.details_json(full), NAME) == full


def test_a_full_backup_of_an_older_release_has_no_mark() -> None:
    full = manifest.Details("1", "scan", instant(0.0), instant(1.0), 0, 0, None, (), {})
    values = orjson.loads(manifest_writer.details_json(full))
    del values["mark"]

    assert manifest.read_details(orjson.dumps(values), NAME).mark is None


def test_a_summary_is_that_of_an_incremental_export_with_its_fields_in_their_order() -> None:
    content = increment_summary_json(NOTHING, ORIGIN)

    summary = read_increment_summary(content, NAME)
    assert (summary.table_arn, summary.table_id, summary.items) == ("arn:table", "id-of-it", 12)
    assert (summary.from_time, summary.to_time) == ("1970-01-01T00:00:00.000Z", "1970-01-01T00:01:00.000Z")
    assert summary.view == "NEW_AND_OLD_IMAGES"
    assert summary.values == orjson.loads(content)
    assert list(summary.values) == [
        *("version", "exportArn", "startTime", "endTime", "tableArn", "tableId", "exportFromTime", "exportToTime"),
        *("s3Bucket", "s3Prefix", "s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key", "billedSizeBytes"),
        *("itemCount", "outputFormat", "outputView", "exportType"),
    ]


@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "NEW_IMAGES"])
def test_the_views_of_the_service_are_read(view: str) -> None:
    assert read_increment_summary(summary_with(outputView=view, exportType=None), NAME).view == view


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"version": "2020-06-30"}, "found version '2020-06-30'; allowed: '2023-08-01'"),
        ({"outputFormat": "ION"}, "found outputFormat 'ION'; allowed: DYNAMODB_JSON"),
        ({"outputView": "KEYS"}, "found outputView 'KEYS'; allowed: NEW_AND_OLD_IMAGES, NEW_IMAGE, NEW_IMAGES"),
        ({"outputView": None}, "found outputView None; allowed: "),
        ({"outputView": []}, "found outputView []; allowed: "),
        ({"exportFromTime": "2026-01-01T00:00:00.000Z"}, "is not what a backup holds there"),
        ({"exportFromTime": "1970-01-01T00:00:00"}, "is not what a backup holds there"),
        ({"exportToTime": 5}, "is not what a backup holds there"),
        ({"exportToTime": None}, "is not what a backup holds there"),
        ({"endTime": "soon"}, "is not what a backup holds there"),
        ({"endTime": 5}, "is not what a backup holds there"),
        ({"itemCount": -1}, "is not what a backup holds there"),
        ({"tableId": None}, "is not what a backup holds there"),
        ({"tableArn": 5}, "is not what a backup holds there"),
    ],
)
def test_a_summary_that_is_none_is_refused_by_its_name(values: dict[str, Any], says: str) -> None:
    assert refusal_of(read_increment_summary, summary_with(**values)).startswith(f"{NAME}: {says}")


HASHED = frontier_hash({"a": "1"})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"version": 2}, "found version 2; allowed: 1"),
        ({"kind": "full"}, "kind is 'full'"),
        ({"growth": 1.5}, "1.5 is no whole number"),
        ({"growth": True}, "True is no whole number"),
        ({"items": -1}, "-1 is no count"),
        ({"digest": "AAAA"}, "a digest of 3 bytes"),
        ({"state": {"items": 5, "digest": None}}, "TypeError"),
        ({"state": []}, "TypeError"),
        ({"previous": 5}, "5 is no text"),
        ({"from": None}, "TypeError"),
        ({"to": {"time": "1970-01-01T00:00:00", "hash": None, "frontier": None}}, "has no offset"),
        ({"to": {"time": instant(60.0), "hash": None}}, "KeyError"),
        ({"to": {"time": instant(60.0), "hash": HASHED, "frontier": None}}, "no JSON object"),
        ({"to": {"time": instant(60.0), "hash": None, "frontier": {"a": "1"}}}, "whose hash is not that of its"),
        ({"to": {"time": instant(60.0), "hash": HASHED, "frontier": {"a": "2"}}}, "whose hash is not that of its"),
        ({"to": {"time": instant(60.0), "hash": HASHED, "frontier": {"a": 1}}}, "1 is no text"),
        ({"parts": [{"name": "a", "items": 1, "bytes": 1, "sha256": None, "bucket": 16}]}, "16 is no key bucket"),
        ({"parts": [{"name": "a", "items": 1, "bytes": 1, "sha256": None, "bucket": -1}]}, "-1 is no count"),
        ({"parts": [{"name": "a", "items": 1, "bytes": 1, "sha256": None}]}, "KeyError"),
        ({"parts": 5}, "TypeError"),
        ({"files": {"a": 5}}, "5 is no text"),
    ],
)
def test_details_that_are_none_are_refused_by_their_name(values: dict[str, Any], says: str) -> None:
    message = refusal_of(read_increment_details, details_with(**values))

    assert message.startswith(f"{NAME}: ")
    assert says in message


def test_the_hash_of_a_frontier_does_not_depend_on_the_order_of_its_shards() -> None:
    one, other = {"b": "2", "a": "1"}, {"a": "1", "b": "2"}

    assert frontier_hash(one) == frontier_hash(other) == hashlib.sha256(b'{"a":"1","b":"2"}').hexdigest()
    assert frontier_hash({"a": "1"}) != frontier_hash(one)


def test_parts_tell_their_buckets_by_their_names() -> None:
    stored = Part("1-0000-5f0c11d2-000000-b07.json.gz", 3, 99, "etag", "md5", "sha256")

    assert increment_parts([stored]) == (IncrementPart(stored.name, 3, 99, "sha256", 7),)


@pytest.mark.parametrize("name", ["1-b16.json.gz", "1-b7.json.gz", "1-b07.json", "b07", "", "1-b07.json.gz\n"])
def test_a_name_that_tells_no_bucket_is_none_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="no key bucket"):
        part_bucket(name)


@pytest.mark.parametrize(
    "values",
    [{"itemCount": 13}, {"exportFromTime": "1970-01-01T00:00:00.001Z"}, {"exportToTime": "1970-01-01T00:02:00.000Z"}],
)
def test_details_must_tell_of_the_increment_that_the_summary_tells_of(values: dict[str, Any]) -> None:
    check_details(read_increment_summary(summary_with(), NAME), NOTHING, NAME)

    with pytest.raises(BackupRefusedError, match="tells of 12 lines from 1970-01-01T00:00:00"):
        check_details(read_increment_summary(summary_with(**values), NAME), NOTHING, NAME)
