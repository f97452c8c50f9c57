"""Objects of a bucket, against an emulator."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO

import pytest

from dynamodb_copy.aws.faults import UploadGoneError
from dynamodb_copy.aws.objects import Bucket, StoredObject
from dynamodb_copy.errors import BackupRefusedError
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule
from stack.proxy_s3 import lines, replaced_in_request
from unit.aws.buckets import Requests, bucket_at, new_bucket, s3

PIECE_BYTES = 5 << 20
OWNER = "123456789012"


@pytest.fixture
def name(ministack_endpoint: str) -> str:
    return new_bucket(ministack_endpoint)


@pytest.fixture
def bucket(ministack_endpoint: str, name: str) -> Bucket:
    return bucket_at(ministack_endpoint, name)


def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [found.key for found in bucket.objects(prefix)]


@contextmanager
def in_small_pages(endpoint: str, name: str, *rules: Rule) -> Iterator[Bucket]:
    """The bucket, with listings that show two entries at a time."""
    objects = Rule(replaced_in_request(b"?list-type=2", b"?list-type=2&max-keys=2"), when=lines("GET .*list-type"))
    uploads = Rule(replaced_in_request(b"?uploads", b"?uploads&max-uploads=2"), when=lines("GET .*uploads"))
    with FaultProxy(endpoint, *rules, objects, uploads) as proxy:
        yield bucket_at(proxy.endpoint, name)


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 9000])
def test_what_was_written_can_be_read_and_downloaded(bucket: Bucket, body: bytes) -> None:
    etag = bucket.put("a/b", body)
    file = BytesIO()

    assert bucket.read("a/b", most_bytes=len(body)) == body
    assert bucket.download("a/b", file) == StoredObject("a/b", len(body), etag)
    assert file.getvalue() == body
    assert bucket.head("a/b") == StoredObject("a/b", len(body), etag)
    assert list(bucket.objects("a/")) == [StoredObject("a/b", len(body), etag)]
    assert '"' not in etag


def test_a_download_begins_where_the_file_stands(bucket: Bucket) -> None:
    bucket.put("a", b"content")
    file = BytesIO(b"kept:")
    file.seek(5)

    bucket.download("a", file)

    assert file.getvalue() == b"kept:content"


def test_an_object_that_is_not_there_is_none(bucket: Bucket) -> None:
    file = BytesIO()

    assert bucket.read("none", most_bytes=10) is None
    assert bucket.head("none") is None
    assert bucket.download("none", file) is None
    assert file.getvalue() == b""


def test_an_object_larger_than_allowed_is_refused_by_its_url(bucket: Bucket, name: str) -> None:
    bucket.put("manifest.json", b"12345")

    with pytest.raises(BackupRefusedError, match=f"s3://{name}/manifest.json: it has 5 bytes, allowed are 4"):
        bucket.read("manifest.json", most_bytes=4)


def test_put_writes_over_what_is_there(bucket: Bucket) -> None:
    bucket.put("a", b"old")
    bucket.put("a", b"newer")

    assert bucket.read("a", most_bytes=10) == b"newer"


def test_put_once_writes_over_nothing(bucket: Bucket, name: str) -> None:
    bucket.put_once("part", b"mine")

    with pytest.raises(BackupRefusedError, match=f"s3://{name}/part: there is an object of 4 bytes, and these are 5"):
        bucket.put_once("part", b"yours")

    assert bucket.read("part", most_bytes=10) == b"mine"


def test_put_once_takes_an_object_of_the_same_size_for_its_own(bucket: Bucket) -> None:
    first = bucket.put_once("part", b"mine")

    assert bucket.put_once("part", b"mine") == first


@pytest.mark.parametrize("key", ["a b+c", "ü/ß", "a&b<c>'d\"", "100%25", "a//b", "dot/./dot"])
def test_keys_may_have_any_characters(bucket: Bucket, key: str) -> None:
    bucket.put(key, b"x")

    assert keys(bucket) == [key]
    assert bucket.read(key, most_bytes=1) == b"x"

    bucket.delete([key])

    assert keys(bucket) == []


def test_pieces_become_one_object_in_the_order_of_their_numbers(bucket: Bucket) -> None:
    pieces = {number: bytes([number]) * PIECE_BYTES for number in (1, 2)} | {3: b"tail"}
    upload = bucket.begin_upload("large")

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(upload.add, *zip(*reversed(pieces.items()), strict=True)))
    before = bucket.head("large")
    etag = upload.complete()

    file = BytesIO()
    assert before is None
    assert bucket.download("large", file) == StoredObject("large", 2 * PIECE_BYTES + 4, etag)
    assert file.getvalue() == b"".join(pieces[number] for number in (1, 2, 3))


def test_pieces_are_listed_by_their_numbers_in_whatever_order_they_arrived(ministack_endpoint: str, name: str) -> None:
    requests = Requests()
    with FaultProxy(ministack_endpoint, requests.rule()) as proxy:
        upload = bucket_at(proxy.endpoint, name).begin_upload("large")
        upload.add(2, b"tail")
        upload.add(1, bytes(PIECE_BYTES))
        upload.complete()

    assert re.findall(rb"<PartNumber>(\d+)<", requests.bodies[-1]) == [b"1", b"2"]


def test_every_body_is_sent_with_its_sha256(ministack_endpoint: str, name: str) -> None:
    requests = Requests()
    with FaultProxy(ministack_endpoint, requests.rule()) as proxy:
        bucket = bucket_at(proxy.endpoint, name)
        bucket.put("put", b"x")
        bucket.put_once("once", b"x")
        bucket.begin_upload("upload").add(1, b"x")

    checksum = b64encode(sha256(b"x").digest()).decode().lower()
    sent = [head for head in requests.heads if head.startswith("put")]
    assert [f"x-amz-checksum-sha256: {checksum}\r\n" in head for head in sent] == [True] * 3


def test_a_piece_that_is_sent_again_counts_once(bucket: Bucket) -> None:
    upload = bucket.begin_upload("large")
    upload.add(1, b"first try")
    upload.add(1, b"second")

    upload.complete()

    assert bucket.read("large", most_bytes=100) == b"second"


def test_an_upload_writes_over_nothing(bucket: Bucket, name: str) -> None:
    upload = bucket.begin_upload("taken")
    upload.add(1, b"mine")
    bucket.put("taken", b"theirs")

    with pytest.raises(BackupRefusedError, match=f"s3://{name}/taken: there is an object of 6 bytes, and these are 4"):
        upload.complete()

    assert bucket.read("taken", most_bytes=10) == b"theirs"


def test_an_aborted_upload_is_gone_and_may_be_tried_again(bucket: Bucket, name: str) -> None:
    upload = bucket.begin_upload("large")
    upload.add(1, b"piece")

    upload.abort()
    upload.abort()

    with pytest.raises(UploadGoneError, match="NoSuchUpload"):
        upload.add(2, b"piece")
    with pytest.raises(UploadGoneError, match=f"s3://{name}/large: what was uploaded is gone"):
        upload.complete()
    assert bucket.head("large") is None


def test_uploads_below_a_prefix_are_aborted_and_no_others(ministack_endpoint: str, name: str) -> None:
    bucket = bucket_at(ministack_endpoint, name)
    for number in range(5):
        bucket.begin_upload(f"a/{number}")
    bucket.begin_upload("b/0")
    for _ in range(3):
        bucket.begin_upload("a/0")

    requests = Requests()
    with in_small_pages(ministack_endpoint, name, requests.rule()) as listed:
        listed.abort_uploads("a/")

    left = s3(ministack_endpoint).list_multipart_uploads(Bucket=name)["Uploads"]
    assert [upload["Key"] for upload in left] == ["b/0"]
    assert any("key-marker=a%2f0&upload-id-marker=" in line for line in requests.lines())


def test_a_listing_goes_on_to_its_last_page(ministack_endpoint: str, name: str) -> None:
    wanted = [f"a/{letter}/{number}" for letter in "xyz" for number in range(3)]
    with in_small_pages(ministack_endpoint, name) as bucket:
        for key in [*wanted, "b/other", "a"]:
            bucket.put(key, b"")

        assert keys(bucket, "a/") == wanted
        assert list(bucket.folders("a/")) == ["x", "y", "z"]
        assert list(bucket.folders("")) == ["a", "b"]
        assert list(bucket.folders("none/")) == []


def test_any_number_of_objects_is_deleted_a_thousand_at_a_time(ministack_endpoint: str, name: str) -> None:
    requests = Requests()
    with FaultProxy(ministack_endpoint, requests.rule()) as proxy:
        bucket = bucket_at(proxy.endpoint, name)
        bucket.put("kept", b"")
        bucket.put("gone/0", b"")
        bucket.put("gone/2000", b"")

        before = len(requests.bodies)
        bucket.delete(f"gone/{number}" for number in range(2001))
        bucket.delete([])

        assert keys(bucket) == ["kept"]
    assert [body.count(b"<Key>") for body in requests.bodies[before:-1]] == [1000, 1000, 1]


def use_all_of(bucket: Bucket) -> None:
    """Send each of the requests that there are."""
    bucket.put("put", b"x")
    bucket.put_once("once", b"x")
    upload = bucket.begin_upload("upload")
    upload.add(1, b"x")
    upload.complete()
    bucket.begin_upload("unfinished")
    bucket.abort_uploads("")
    bucket.read("put", most_bytes=1)
    bucket.head("put")
    list(bucket.objects(""))
    list(bucket.folders(""))
    bucket.delete(["put"])
    bucket.check_private()


@pytest.mark.parametrize("owner", [OWNER, None])
def test_every_request_says_who_must_own_the_bucket(ministack_endpoint: str, name: str, owner: str | None) -> None:
    requests = Requests()
    with FaultProxy(ministack_endpoint, requests.rule()) as proxy:
        use_all_of(bucket_at(proxy.endpoint, name, owner=owner))

    line = f"\r\nx-amz-expected-bucket-owner: {OWNER}\r\n"
    assert [line in head for head in requests.heads] == [owner is not None] * 15


@pytest.mark.parametrize("kms_key", ["alias/backups", None])
def test_what_is_written_is_encrypted_with_the_key_that_is_named(
    ministack_endpoint: str, name: str, kms_key: str | None
) -> None:
    bucket = bucket_at(ministack_endpoint, name, kms_key=kms_key)
    bucket.put("put", b"x")
    bucket.put_once("once", b"x")
    upload = bucket.begin_upload("upload")
    upload.add(1, b"x")
    upload.complete()

    found = [s3(ministack_endpoint).head_object(Bucket=name, Key=key) for key in ("put", "once", "upload")]

    assert [reply.get("SSEKMSKeyId") for reply in found] == [kms_key] * 3
    assert bucket.read("upload", most_bytes=1) == b"x"
