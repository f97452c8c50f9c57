"""Operations that a fake answers itself, asking the emulator behind it in the name of whoever called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from threading import Lock
from typing import Any

import orjson
import urllib3

from stack.emulators import boto_client
from stack.proxy_faults import Fault, Forward, error
from stack.proxy_wire import Reply, Request, answer

_AUTHORIZATION = re.compile(rb"\r\nauthorization: *([^\r]*)", re.IGNORECASE)
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")


class RefusalError(Exception):
    """An error of the service; the text is its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request; emulators take account and region from its signature and never check that."""

    endpoint: str  # the emulator's
    authorization: str

    @property
    def access_key(self) -> str:
        """The access key that signed."""
        return self._scope[1]

    @property
    def region(self) -> str:
        """The region that was called."""
        return self._scope[2]

    @property
    def _scope(self) -> re.Match[str]:
        scope = _SCOPE.search(self.authorization)
        assert scope is not None, "an unsigned request"
        return scope

    def call(self, operation: str, **content: Any) -> dict[str, Any]:
        """Send a request of DynamoDB; items stay wire JSON. Raises RefusalError with what the emulator answers."""
        return self._sent(f"DynamoDB_20120810.{operation}", content)

    def call_streams(self, operation: str, **content: Any) -> dict[str, Any]:
        """The same of DynamoDB Streams."""
        return self._sent(f"DynamoDBStreams_20120810.{operation}", content)

    def _sent(self, target: str, content: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "X-Amz-Target": target,
            "Authorization": self.authorization,
            "Connection": "close",
        }
        response = urllib3.request("POST", self.endpoint, body=orjson.dumps(content), headers=headers, retries=False)
        reply: dict[str, Any] = orjson.loads(response.data)
        if response.status != HTTPStatus.OK:
            raise RefusalError(reply["__type"].rpartition("#")[2], reply["message"])
        return reply

    def table(self, name: str) -> dict[str, Any]:
        """As DescribeTable shows it, by name or ARN; raises RefusalError."""
        shown: dict[str, Any] = self.call("DescribeTable", TableName=name)["Table"]
        return shown

    def s3(self, bucket_owner: str | None) -> Any:
        """A client of S3 that acts as the bucket's owner where the request names one: so AWS demands it."""
        return _s3(self.endpoint, self.region, bucket_owner or self.access_key)


@cache
def _s3(endpoint: str, region: str, access_key: str) -> Any:
    return boto_client(endpoint, "s3", region, account=access_key)


Operation = Callable[[Caller, dict[str, Any]], dict[str, Any]]
"""Gets the request's body, returns the answer's; may block; raises RefusalError."""


def served(operation: Operation, endpoint: str, lock: Lock) -> Fault:
    """Answer by `operation` alone, one request at a time; `endpoint` is the emulator's."""

    def run(request: Request) -> Reply:
        signature = _AUTHORIZATION.search(request.head)
        assert signature is not None, "an unsigned request"
        with lock:
            try:
                return answer(orjson.dumps(operation(Caller(endpoint, signature[1].decode()), request.json)))
            except RefusalError as refusal:
                return error(refusal.code, str(refusal))

    async def fault(request: Request, _forward: Forward) -> Reply:
        return await asyncio.to_thread(run, request)

    return fault
