"""HTTP/1.1 as clients and emulators of DynamoDB and S3 speak it: heads stay raw bytes, bodies have a known length."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from stack.proxy_log import Exchange

STREAM_LIMIT_BYTES = 4 << 20  # more than a page: its transfer is never paused
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSING = re.compile(rb"^HTTP/1.0|\r\nconnection: *close", re.IGNORECASE)
_EXPECTATION = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_NOT_FORWARDED = re.compile(rb"\r\n(accept-encoding:[^\r]*|expect: *100-continue)", re.IGNORECASE)
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_CRC = "x-amz-crc32"


class CutConnectionError(Exception):
    """The client's connection ends here, without an answer."""


@dataclass(frozen=True)
class Request:
    """One request of a client; `random` is the proxy's seeded source of chance."""

    head: bytes
    body: bytes
    exchange: Exchange
    random: Random

    @property
    def operation(self) -> str:
        """`Scan` and the like; empty for what is not DynamoDB's protocol."""
        return self.exchange.operation

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body; empty for what is not DynamoDB's protocol."""
        content: dict[str, Any] = orjson.loads(self.body) if self.operation else {}
        return content

    def with_json(self, content: dict[str, Any]) -> Request:
        """The same request, with another body, as the same entry of the log."""
        body = orjson.dumps(content)
        return replace(self, head=_with_header(self.head, "Content-Length", len(body)), body=body)


@dataclass(frozen=True)
class Reply:
    """One answer; only the first `sent_bytes` of the body reach the client when that is set."""

    head: bytes
    body: bytes
    sent_bytes: int | None = None

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return int(self.head[9:12])

    @property
    def closing(self) -> bool:
        """Whether no other answer follows on this connection."""
        return self.sent_bytes is not None or _CLOSING.search(self.head) is not None

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body."""
        content: dict[str, Any] = orjson.loads(self.body)
        return content

    def with_json(self, content: dict[str, Any]) -> Reply:
        """The same answer, with another body and its checksum."""
        body = orjson.dumps(content)
        head = _with_header(self.head, "Content-Length", len(body))
        return replace(self, head=_with_header(head, _CRC, zlib.crc32(body)), body=body)

    def with_wrong_checksum(self) -> Reply:
        """The same answer, as if a byte had changed on its way."""
        return replace(self, head=_with_header(self.head, _CRC, zlib.crc32(self.body) ^ 1))


def answer(
    body: bytes, *, status: HTTPStatus = HTTPStatus.OK, content_type: str = "application/x-amz-json-1.0"
) -> Reply:
    """An answer of the service itself, with the headers that it always sends."""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: Server\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nx-amzn-RequestId: {uuid4()}\r\n{_CRC}: {zlib.crc32(body)}\r\n\r\n"
    )
    return Reply(head.encode(), body)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, random: Random) -> Request:
    """Read the client's next request, asking for its body if need be; raises asyncio.IncompleteReadError at its end."""
    head = await reader.readuntil(_HEAD_END)
    at = time.monotonic()
    if _EXPECTATION.search(head):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    target = _TARGET.search(head)
    exchange = Exchange(at=at, operation=target[1].decode() if target else "")
    return Request(_NOT_FORWARDED.sub(b"", head), body, exchange, random)


async def _read_reply(reader: asyncio.StreamReader, *, to_head: bool) -> Reply:
    head = await reader.readuntil(_HEAD_END)
    if to_head or Reply(head, b"").status in _WITHOUT_BODY:
        return Reply(head, b"")
    if length := _LENGTH.search(head):
        return Reply(head, await reader.readexactly(int(length[1])))
    body = await _read_chunks(reader) if _CHUNKED.search(head) else await reader.read()
    return Reply(_with_header(_CHUNKED.sub(b"", head), "Content-Length", len(body)), body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(chunks)


def _with_header(head: bytes, name: str, value: int) -> bytes:
    line = f"\r\n{name}: {value}".encode()
    changed, found = re.subn(rf"\r\n{name}:[^\r]*".encode(), line, head, flags=re.IGNORECASE)
    return changed if found else head[: -len(_HEAD_END)] + line + _HEAD_END


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upstream:
    """The endpoint behind the proxy, over connections that are kept and used again."""

    def __init__(self, endpoint: str) -> None:
        address = urlsplit(endpoint)
        if address.scheme != "http" or not address.hostname or not address.port:
            raise ValueError(f"upstream: found {endpoint!r}, allowed is http://HOST:PORT")
        self._host, self._port = address.hostname, address.port
        self._idle: list[_Connection] = []

    async def send(self, request: Request) -> Reply:
        """Forward the request; raises OSError or asyncio.IncompleteReadError when the endpoint fails."""
        while self._idle:
            try:
                return await self._exchange(self._idle.pop(), request)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                # an idle connection that ended meanwhile; half an answer is another matter
                if getattr(error, "partial", b""):
                    raise
        connection = await asyncio.open_connection(self._host, self._port, limit=STREAM_LIMIT_BYTES)
        return await self._exchange(connection, request)

    async def _exchange(self, connection: _Connection, request: Request) -> Reply:
        reader, writer = connection
        reusable = False
        try:
            writer.write(request.head + request.body)
            reply = await _read_reply(reader, to_head=request.head.startswith(b"HEAD "))
            reusable = not reply.closing
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                writer.close()
        return reply

    def close(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop()[1].close()
