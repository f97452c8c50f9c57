"""Requests to one bucket: each says who must own it, is tried again, and names what it failed on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from dynamodb_copy.aws.backoff import Clock, patiently
from dynamodb_copy.aws.clients import control
from dynamodb_copy.errors import PermanentError


class BucketRequests:
    """Requests to one bucket; safe to use from several threads, as stock clients are."""

    def __init__(self, client: Any, name: str, *, owner: str | None, clock: Clock) -> None:
        self._client = client
        self._owned_by = {"ExpectedBucketOwner": owner} if owner else {}
        self.name = name
        self.clock = clock

    def url(self, key: str = "") -> str:
        """The `s3://` URL of an object, or of the bucket."""
        return f"s3://{self.name}/{key}" if key else f"s3://{self.name}"

    def send(self, operation: str, **request: Any) -> dict[str, Any]:
        """Send a request until it is answered; raises what `send_once` does, ServiceUnavailableError past patience."""
        return patiently(partial(self.send_once, operation, **request), self.clock)

    def send_once(self, operation: str, **request: Any) -> dict[str, Any]:
        """Send a request; raises our errors only, the permanent ones with the object's URL, region and owner."""
        try:
            return control(self._client, operation, Bucket=self.name, **self._owned_by, **request)
        except PermanentError as error:
            raise type(error)(f"{self._described(request.get('Key', ''))}: {error}") from error

    def _described(self, key: str) -> str:
        owner = self._owned_by.get("ExpectedBucketOwner")
        region = self._client.meta.region_name
        return f"{self.url(key)} ({region}, owner {owner})" if owner else f"{self.url(key)} ({region})"


def etag_of(described: Mapping[str, Any]) -> str:
    """The ETag in a reply or a listing, without its quotes; it is no MD5 of what is encrypted or came in pieces."""
    return str(described["ETag"]).strip('"')
