"""A bucket in memory: the same promises as Bucket, checked by the same tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO

from dynamodb_copy.aws.faults import UploadGoneError
from dynamodb_copy.aws.objects import Bucket, StoredObject, Upload
from dynamodb_copy.errors import BackupRefusedError

Step = Callable[[str, str], None]
"""Told the verb and the key of what is about to be done; it may take its time, or fail it by raising."""


def at_once(_verb: str, _key: str) -> None:
    """A bucket that answers in no time."""


class MemoryBucket(Bucket):
    """Objects by their keys; safe to use from several threads."""

    def __init__(self, contents: Mapping[str, bytes] | None = None, *, step: Step = at_once) -> None:
        self.name = "backups"
        self.contents = dict(contents or {})
        self.unfinished: dict[str, str] = {}  # keys of uploads by their ids
        self.step = step

    def read(self, key: str, *, most_bytes: int) -> bytes | None:
        """As S3."""
        self.step("read", key)
        content = self.contents.get(key)
        if content is not None and len(content) > most_bytes:
            raise BackupRefusedError(f"{self.url(key)}: it has {len(content)} bytes, allowed are {most_bytes}")
        return content

    def download(self, key: str, file: BinaryIO) -> StoredObject | None:
        """As S3."""
        self.step("download", key)
        file.write(self.contents.get(key, b""))
        return self._found(key)

    def head(self, key: str) -> StoredObject | None:
        """As S3."""
        self.step("head", key)
        return self._found(key)

    def put(self, key: str, body: bytes) -> str:
        """As S3."""
        self.step("put", key)
        self.contents[key] = body
        return _etag(body)

    def put_once(self, key: str, body: bytes) -> str:
        """As S3."""
        self.step("put_once", key)
        return self.write_once(key, body)

    def begin_upload(self, key: str) -> Upload:
        """As S3."""
        self.step("begin_upload", key)
        return MemoryUpload(self, key)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """As S3."""
        self.step("objects", prefix)
        keys = sorted(key for key in self.contents if key.startswith(prefix))
        yield from [found for found in map(self._found, keys) if found is not None]

    def folders(self, prefix: str) -> Iterator[str]:
        """As S3."""
        self.step("folders", prefix)
        below = [key.removeprefix(prefix) for key in self.contents if key.startswith(prefix)]
        yield from sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def delete(self, keys: Iterable[str]) -> None:
        """As S3."""
        for key in keys:
            self.step("delete", key)
            self.contents.pop(key, None)

    def abort_uploads(self, prefix: str) -> None:
        """As S3."""
        self.step("abort_uploads", prefix)
        for upload, key in list(self.unfinished.items()):
            if key.startswith(prefix):
                del self.unfinished[upload]

    def check_private(self) -> None:
        """Nobody else sees it."""

    def url(self, key: str) -> str:
        """The object's URL."""
        return f"s3://{self.name}/{key}"

    def write_once(self, key: str, body: bytes) -> str:
        """Write unless the key is taken."""
        there = self.contents.setdefault(key, body)
        if len(there) != len(body):
            raise BackupRefusedError(
                f"{self.url(key)}: there is an object of {len(there)} bytes, and these are {len(body)}"
            )
        return _etag(there)

    def _found(self, key: str) -> StoredObject | None:
        content = self.contents.get(key)
        return None if content is None else StoredObject(key, len(content), _etag(content))


class MemoryUpload(Upload):
    """Pieces of an object that does not exist before `complete`."""

    def __init__(self, bucket: MemoryBucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._id = str(id(self))
        self._pieces: dict[int, bytes] = {}
        bucket.unfinished[self._id] = key

    def add(self, number: int, body: bytes) -> None:
        """As S3."""
        self._bucket.step("add", self._key)
        if self._id not in self._bucket.unfinished:
            raise UploadGoneError(f"{self._bucket.url(self._key)}: UploadPart: NoSuchUpload")
        self._pieces[number] = body

    def complete(self) -> str:
        """As S3."""
        self._bucket.step("complete", self._key)
        if self._bucket.unfinished.pop(self._id, None) is None and self._key not in self._bucket.contents:
            raise UploadGoneError(f"{self._bucket.url(self._key)}: what was uploaded is gone; upload it again")
        return self._bucket.write_once(self._key, b"".join([self._pieces[number] for number in sorted(self._pieces)]))

    def abort(self) -> None:
        """As S3."""
        self._bucket.step("abort", self._key)
        self._bucket.unfinished.pop(self._id, None)
        self._pieces.clear()


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
