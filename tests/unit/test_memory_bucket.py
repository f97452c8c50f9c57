"""The bucket in memory keeps the promises that tests of its users rely on: those of the real one."""

from __future__ import annotations

from io import BytesIO

import pytest

from dynamodb_copy.aws.faults import UploadGoneError
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import BackupRefusedError
from unit.aws.buckets import bucket_at, new_bucket
from unit.memory_bucket import MemoryBucket


@pytest.fixture(params=["memory", pytest.param("ministack", marks=pytest.mark.integration)])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Both implementations of one contract."""
    if request.param == "memory":
        return MemoryBucket()
    endpoint: str = request.getfixturevalue("ministack_endpoint")
    return bucket_at(endpoint, new_bucket(endpoint))


def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [found.key for found in bucket.objects(prefix)]


@pytest.mark.parametrize("body", [b"", b"content"])
def test_what_was_put_is_read_downloaded_and_listed(bucket: Bucket, body: bytes) -> None:
    bucket.put("a/b", b"old")
    etag = bucket.put("a/b", body)
    file = BytesIO()

    assert bucket.read("a/b", most_bytes=len(body)) == body
    assert bucket.download("a/b", file) == bucket.head("a/b") == ("a/b", len(body), etag)
    assert file.getvalue() == body
    assert list(bucket.objects("a/")) == [("a/b", len(body), etag)]


def test_what_is_not_there_is_none(bucket: Bucket) -> None:
    file = BytesIO()

    assert bucket.read("none", most_bytes=10) is None
    assert bucket.head("none") is None
    assert bucket.download("none", file) is None
    assert file.getvalue() == b""


def test_more_than_may_be_read_is_refused_by_its_url(bucket: Bucket) -> None:
    bucket.put("manifest.json", b"12345")

    with pytest.raises(BackupRefusedError, match=f"s3://{bucket.name}/manifest.json: it has 5 bytes, allowed are 4"):
        bucket.read("manifest.json", most_bytes=4)


def test_a_key_is_written_once(bucket: Bucket) -> None:
    first = bucket.put_once("part", b"mine")

    assert bucket.put_once("part", b"mine") == first
    with pytest.raises(BackupRefusedError, match=f"s3://{bucket.name}/part: there is an object of 4 bytes"):
        bucket.put_once("part", b"yours")
    assert bucket.read("part", most_bytes=10) == b"mine"


def test_pieces_become_one_object_when_the_upload_is_complete(bucket: Bucket) -> None:
    upload = bucket.begin_upload("large")
    upload.add(2, b"tail")
    upload.add(1, b"first try")
    upload.add(1, b"head, ")
    before = bucket.head("large")

    etag = upload.complete()

    assert before is None
    assert bucket.head("large") == ("large", 10, etag)
    assert bucket.read("large", most_bytes=10) == b"head, tail"


def test_an_upload_writes_over_nothing(bucket: Bucket) -> None:
    upload = bucket.begin_upload("taken")
    upload.add(1, b"mine")
    bucket.put("taken", b"theirs")

    with pytest.raises(BackupRefusedError, match=f"s3://{bucket.name}/taken: there is an object of 6 bytes"):
        upload.complete()

    assert bucket.read("taken", most_bytes=10) == b"theirs"


def test_an_aborted_upload_is_gone(bucket: Bucket) -> None:
    upload = bucket.begin_upload("large")
    upload.add(1, b"piece")

    upload.abort()
    upload.abort()

    with pytest.raises(UploadGoneError, match="NoSuchUpload"):
        upload.add(2, b"piece")
    with pytest.raises(UploadGoneError, match="upload it again"):
        upload.complete()
    assert bucket.head("large") is None


def test_uploads_below_a_prefix_are_aborted_and_no_others(bucket: Bucket) -> None:
    uploads = {key: bucket.begin_upload(key) for key in ("a/0", "a/1", "b/0")}

    bucket.abort_uploads("a/")

    uploads["b/0"].add(1, b"x")
    for key in ("a/0", "a/1"):
        with pytest.raises(UploadGoneError):
            uploads[key].add(1, b"x")


def test_objects_come_by_key_and_folders_by_name(bucket: Bucket) -> None:
    for key in ("b/other", "a/y/2", "a/x/1", "a/x/0", "a/file", "a"):
        bucket.put(key, b"")

    assert keys(bucket, "a/") == ["a/file", "a/x/0", "a/x/1", "a/y/2"]
    assert list(bucket.folders("a/")) == ["x", "y"]
    assert list(bucket.folders("")) == ["a", "b"]
    assert list(bucket.folders("none/")) == []


def test_what_is_deleted_is_gone_and_what_never_was_is_no_failure(bucket: Bucket) -> None:
    bucket.put("kept", b"")
    bucket.put("gone", b"")

    bucket.delete(["gone", "never there"])
    bucket.delete([])

    assert keys(bucket) == ["kept"]
