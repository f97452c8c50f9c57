"""Writes that happen once, whole or piece by piece."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

from dynamodb_copy.aws.bucket_requests import BucketRequests, etag_of
from dynamodb_copy.aws.faults import ConditionFailedError, ObjectMissingError, UploadGoneError
from dynamodb_copy.errors import BackupRefusedError


class Upload:
    """An object in the making, piece by piece; it does not exist before `complete`.

    S3 takes 1 to 10 000 pieces of 5 MiB to 5 GiB; the last may be smaller.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
    """

    def __init__(self, requests: BucketRequests, key: str, upload_id: str) -> None:
        self._requests = requests
        self._upload = {"Key": key, "UploadId": upload_id}
        self._parts: dict[int, dict[str, Any]] = {}
        self._sizes: dict[int, int] = {}

    def add(self, number: int, body: bytes) -> None:
        """Upload the piece with that number, from 1; safe to call from several threads with different numbers.

        Raises UploadGoneError (transient) when somebody aborted the upload.
        """
        checksum = checksum_of(body)
        reply = self._requests.send("UploadPart", PartNumber=number, Body=body, **checksum, **self._upload)
        self._sizes[number] = len(body)
        self._parts[number] = {"PartNumber": number, "ETag": reply["ETag"], **checksum}

    def complete(self) -> str:
        """Make the object of all pieces, by their numbers, unless its key is taken; the object's ETag.

        Raises BackupRefusedError when the key is taken, UploadGoneError (transient) when somebody aborted the upload.
        """
        pieces = {"Parts": [self._parts[number] for number in sorted(self._parts)]}
        size_bytes = sum(self._sizes.values())
        return written_once(
            self._requests, "CompleteMultipartUpload", size_bytes, MultipartUpload=pieces, **self._upload
        )

    def abort(self) -> None:
        """Drop the pieces; nothing happens when the upload ended already."""
        try:
            self._requests.send("AbortMultipartUpload", **self._upload)
        except UploadGoneError:
            return  # what was wanted: an earlier try of this very call, or somebody else, ended it


def written_once(requests: BucketRequests, operation: str, size_bytes: int, **request: Any) -> str:
    """Write an object whose key is this attempt's own, unless the key is taken; the object's ETag.

    The answer to a first try may be lost. The second try then finds the key taken, or the upload gone.
    """
    try:
        return etag_of(requests.send(operation, IfNoneMatch="*", **request))
    except (ConditionFailedError, UploadGoneError) as error:
        return _arrived(requests, request["Key"], size_bytes, error)


def _arrived(requests: BucketRequests, key: str, size_bytes: int, error: Exception) -> str:
    try:
        found = requests.send("HeadObject", Key=key)
    except ObjectMissingError:
        raise UploadGoneError(
            f"{requests.url(key)}: what was uploaded is gone ({error}): somebody aborted or deleted it; upload it again"
        ) from error
    if found["ContentLength"] != size_bytes:
        raise BackupRefusedError(
            f"{requests.url(key)}: there is an object of {found['ContentLength']} bytes, and these are {size_bytes}; "
            "nothing is overwritten: find out who else writes there"
        ) from error
    return etag_of(found)


def checksum_of(body: bytes) -> dict[str, str]:
    """The request's part that lets S3 refuse a body which changed on its way."""
    return {"ChecksumSHA256": b64encode(sha256(body).digest()).decode()}
