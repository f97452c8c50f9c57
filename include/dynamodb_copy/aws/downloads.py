"""An object on its way into a file, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO, NamedTuple

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.bucket_requests import BucketRequests, etag_of
from dynamodb_copy.aws.faults import ConditionFailedError, ObjectMissingError, translated
from dynamodb_copy.errors import BackupRefusedError, ServiceUnavailableError

_CHUNK_BYTES = 1 << 20


class StoredObject(NamedTuple):
    """An object as S3 lists it."""

    key: str
    size_bytes: int
    etag: str  # without quotes; no MD5 where the object is encrypted or was uploaded in pieces


class Download:
    """Goes on where a connection broke off, as long as the object is the same."""

    def __init__(self, requests: BucketRequests, key: str, file: BinaryIO) -> None:
        self._requests = requests
        self._key = key
        self._file = file
        self._patience = Patience(requests.clock)
        self._found: StoredObject | None = None
        self._received_bytes = 0

    def run(self) -> StoredObject | None:
        """Write the whole object to the file; None when there is none.

        Raises BackupRefusedError when it changed meanwhile or is not what its checksum says.
        """
        try:
            while self._found is None or self._received_bytes < self._found.size_bytes:
                self._go_on()
        except (ObjectMissingError, ConditionFailedError) as error:
            if self._found is None:
                return None
            raise BackupRefusedError(
                f"{self._requests.url(self._key)}: it was replaced or deleted while it was read; read it again"
            ) from error
        return self._found

    def _go_on(self) -> None:
        try:
            reply = self._requests.send_once("GetObject", Key=self._key, **self._rest())
            self._found = self._found or StoredObject(self._key, reply["ContentLength"], etag_of(reply))
            self._receive(reply)
        except ServiceUnavailableError as error:
            self._patience.wait(error)

    def _rest(self) -> dict[str, str]:
        if self._found is None:
            return {}
        return {"Range": f"bytes={self._received_bytes}-", "IfMatch": f'"{self._found.etag}"'}

    def _receive(self, reply: dict[str, Any]) -> None:
        for chunk in chunks(reply, self._requests.url(self._key)):
            self._file.write(chunk)
            self._received_bytes += len(chunk)
            self._patience.renew()


def chunks(reply: dict[str, Any], url: str) -> Iterator[bytes]:
    """The body of GetObject's reply; raises BackupRefusedError when it is not what its checksum says."""
    with closing(reply["Body"]) as body:
        try:
            yield from body.iter_chunks(_CHUNK_BYTES)
        except BotoCoreError as error:
            raise translated(error, url) from error
        except HTTPError as error:  # botocore lets some of urllib3's through, such as a broken TLS record
            raise ServiceUnavailableError(f"{url}: {error}") from error
