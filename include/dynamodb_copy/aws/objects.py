"""A bucket: its objects, and who else may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

from dynamodb_copy.aws.backoff import Clock, patiently
from dynamodb_copy.aws.bucket_requests import BucketRequests, etag_of
from dynamodb_copy.aws.downloads import Download, StoredObject, chunks
from dynamodb_copy.aws.faults import ObjectMissingError, SettingMissingError, fault
from dynamodb_copy.aws.uploads import Upload, checksum_of, written_once
from dynamodb_copy.errors import BackupRefusedError, BucketRefusedError

__all__ = ["Bucket", "StoredObject", "Upload"]

_MOST_DELETIONS = 1000
"""In one request. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

_EVERYBODY = frozenset(
    f"http://acs.amazonaws.com/groups/global/{group}" for group in ("AllUsers", "AuthenticatedUsers")
)
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html"""

_CLOCK = Clock()


class Bucket:
    """One bucket of S3, through a stock client; safe to use from several threads.

    Every request says who must own the bucket when `owner` (an account) is given. What is written is encrypted with
    `kms_key` (id, ARN or alias) when given, else as the bucket says. Requests are tried again as long as patience
    lasts. Every method raises BucketRefusedError, AccessError or ServiceUnavailableError when the bucket is not served.
    """

    def __init__(
        self, client: Any, name: str, *, owner: str | None = None, kms_key: str | None = None, clock: Clock = _CLOCK
    ) -> None:
        self.name = name
        self._requests = BucketRequests(client, name, owner=owner, clock=clock)
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    def read(self, key: str, *, most_bytes: int) -> bytes | None:
        """The content of a small object; None when there is none.

        Raises BackupRefusedError when it has more than `most_bytes` or is not what its checksum says.
        """
        try:
            return patiently(partial(self._whole, key, most_bytes), self._requests.clock)
        except ObjectMissingError:
            return None

    def download(self, key: str, file: BinaryIO) -> StoredObject | None:
        """Write an object of any size to the file, which need not seek; None when there is none.

        A connection that breaks off is followed by another for the rest of the same object, which S3 gives no checksum
        for: a caller that knows one must compare it. Raises BackupRefusedError when the object changed meanwhile.
        """
        return Download(self._requests, key, file).run()

    def head(self, key: str) -> StoredObject | None:
        """Size and ETag of an object; None when there is none, and also when there is no such bucket."""
        try:
            reply = self._requests.send("HeadObject", Key=key)
        except ObjectMissingError:
            return None
        return StoredObject(key, reply["ContentLength"], etag_of(reply))

    def put(self, key: str, body: bytes) -> str:
        """Write an object, over one that may be there; its ETag."""
        return etag_of(self._requests.send("PutObject", **self._object(key, body)))

    def put_once(self, key: str, body: bytes) -> str:
        """Write an object whose key is this attempt's own; its ETag. Raises BackupRefusedError when the key is taken.

        An object of the same size is taken for what an earlier try of this very call wrote.
        """
        return written_once(self._requests, "PutObject", len(body), **self._object(key, body))

    def begin_upload(self, key: str) -> Upload:
        """Begin an object that is written piece by piece."""
        reply = self._requests.send("CreateMultipartUpload", Key=key, ChecksumAlgorithm="SHA256", **self._encryption)
        return Upload(self._requests, key, reply["UploadId"])

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose keys begin with the prefix, by key."""
        for page in self._pages("ListObjectsV2", Prefix=prefix):
            for found in page.get("Contents", []):
                yield StoredObject(found["Key"], found["Size"], etag_of(found))

    def folders(self, prefix: str) -> Iterator[str]:
        """The names of the folders right below a prefix that is empty or ends with a slash; without slash, by name."""
        for page in self._pages("ListObjectsV2", Prefix=prefix, Delimiter="/"):
            for found in page.get("CommonPrefixes", []):
                yield found["Prefix"][len(prefix) : -1]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that do not exist are no failure."""
        remaining = iter(keys)
        while batch := list(islice(remaining, _MOST_DELETIONS)):
            patiently(partial(self._delete, batch), self._requests.clock)

    def abort_uploads(self, prefix: str) -> None:
        """Drop the pieces of all uploads below the prefix that were never completed."""
        for page in self._pages("ListMultipartUploads", Prefix=prefix):
            for found in page.get("Uploads", []):
                Upload(self._requests, found["Key"], found["UploadId"]).abort()

    def check_private(self) -> None:
        """Raise BucketRefusedError when the bucket's policy or access control list lets everybody in."""
        if self._setting("GetBucketPolicyStatus").get("PolicyStatus", {}).get("IsPublic"):
            raise BucketRefusedError(
                f"{self._requests.url()}: its bucket policy makes it public, and backups belong in a private one; "
                "correct the policy, or switch its public access block on"
            )
        if self._is_granted_to_everybody() and not self._ignores_public_grants():
            raise BucketRefusedError(
                f"{self._requests.url()}: its access control list grants access to everybody, and backups belong in "
                "a private bucket; remove the grant, or let its public access block ignore public ACLs"
            )

    def _whole(self, key: str, most_bytes: int) -> bytes:
        reply = self._requests.send_once("GetObject", Key=key)
        if reply["ContentLength"] > most_bytes:
            reply["Body"].close()
            raise BackupRefusedError(
                f"{self._requests.url(key)}: it has {reply['ContentLength']} bytes, allowed are {most_bytes}; "
                "it is no file of a backup: restore the right one"
            )
        return b"".join(chunks(reply, self._requests.url(key)))

    def _object(self, key: str, body: bytes) -> dict[str, Any]:
        return {"Key": key, "Body": body, **checksum_of(body), **self._encryption}

    def _pages(self, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
        """A listing ends with a page that says so; each other page says where the next begins."""
        while True:
            page = self._requests.send(operation, **request)
            yield page
            if not page.get("IsTruncated"):
                return
            request |= _next_page(page)

    def _delete(self, keys: list[str]) -> None:
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        for error in self._requests.send_once("DeleteObjects", Delete=wanted).get("Errors", []):
            text = f"{self._requests.url(error['Key'])}: {error.get('Message', '')}"
            raise fault(error["Code"], text, status=200, operation="DeleteObjects")

    def _setting(self, operation: str) -> dict[str, Any]:
        try:
            return self._requests.send(operation)
        except SettingMissingError:
            return {}

    def _is_granted_to_everybody(self) -> bool:
        grants = self._setting("GetBucketAcl").get("Grants", [])
        return any(grant.get("Grantee", {}).get("URI") in _EVERYBODY for grant in grants)

    def _ignores_public_grants(self) -> bool:
        block = self._setting("GetPublicAccessBlock").get("PublicAccessBlockConfiguration", {})
        return bool(block.get("IgnorePublicAcls"))


def _next_page(page: dict[str, Any]) -> dict[str, str]:
    if "NextContinuationToken" in page:
        return {"ContinuationToken": page["NextContinuationToken"]}
    return {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
