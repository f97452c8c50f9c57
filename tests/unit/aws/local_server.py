"""An HTTP server on 127.0.0.1 that does as its test says, down to the byte and the end of the connection."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    connection: int  # from 0, in the order of their opening
    line: str
    headers: dict[str, str]  # by lower-case name
    body: bytes

    @property
    def json(self) -> Any:
        """The body's content."""
        return orjson.loads(self.body)


Reaction = Callable[[socket.socket, Received], bool]
"""Answers a request; returns whether the connection lives on."""


class LocalServer:
    """Reacts to each request with the next of its reactions, and to all that follow with the last one."""

    def __init__(self, *reactions: Reaction, tls: ssl.SSLContext | None = None) -> None:
        self._reactions = reactions
        self._tls = tls
        self.reads_bodies = True
        self.received: list[Received] = []
        self.connections = 0
        self._ended = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Accept connections until `close`."""
        self._start(self._accept)

    def close(self) -> None:
        """End every connection and every thread."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        """End every connection, as a server does with those that were idle for too long."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def all_ended(self, *, within_seconds: float) -> bool:
        """Whether every connection that was opened comes to its end in that time."""
        return _comes_true(lambda: self._ended == self.connections, within_seconds)

    def connections_within(self, seconds: float, *, of: int = 1) -> int:
        """How many connections were opened, once they are that many or time is up."""
        _comes_true(lambda: self.connections >= of, seconds)
        return self.connections

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                number = self.connections
                self.connections += 1
                self._start(partial(self._serve, connection, number))

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with suppress(OSError), connection:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
                with connection:
                    self._answer_all(connection, number)
        finally:
            self._ended += 1

    def _answer_all(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as reader:
            while line := reader.readline().decode("latin-1").strip():
                headers = dict(_header(raw) for raw in iter(reader.readline, b"\r\n") if raw or _ended())
                body = reader.read(int(headers.get("content-length", 0))) if self.reads_bodies else b""
                request = Received(number, line, headers, body)
                if not self._next(request)(connection, request):
                    return

    def _next(self, request: Received) -> Reaction:
        with self._one_at_a_time:
            self.received.append(request)
            return self._reactions[min(len(self.received), len(self._reactions)) - 1]


def _comes_true(condition: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return condition()


def _ended() -> bool:
    raise ConnectionError("the client hung up within a head")


def _header(raw: bytes) -> tuple[str, str]:
    name, _, value = raw.decode("latin-1").partition(":")
    return name.lower(), value.strip()


@contextmanager
def served(*reactions: Reaction, tls: ssl.SSLContext | None = None) -> Iterator[LocalServer]:
    """Run a server while the block lasts."""
    server = LocalServer(*reactions, tls=tls)
    server.listen()
    try:
        yield server
    finally:
        server.close()


def sends(*pieces: bytes, keeps_alive: bool = True) -> Reaction:
    """Send these bytes, whatever the request."""

    def reaction(connection: socket.socket, _: Received) -> bool:
        for piece in pieces:
            connection.sendall(piece)
        return keeps_alive

    return reaction


def replies(content: Any = None, *, status: str = "200 OK", **headers: str) -> Reaction:
    """Send JSON with its checksum; bytes are sent as they are. Header names are written with `_` for `-`."""
    body = content if isinstance(content, bytes) else orjson.dumps({} if content is None else content)
    return sends(reply_head(body, status=status, **headers) + body)


def reply_head(body: bytes, *, status: str = "200 OK", **headers: str) -> bytes:
    """The head of a reply with that body."""
    fields = {"Content_Length": str(len(body)), "x_amz_crc32": str(zlib.crc32(body)), **headers}
    lines = [f"HTTP/1.1 {status}", *[f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]]
    return "\r\n".join(lines).encode() + _HEAD_END


def refuses(code: str, message: str = "no", *, status: str = "400 Bad Request") -> Reaction:
    """Send an error as the service does."""
    return replies({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}, status=status)


def hangs_up(_connection: socket.socket, _request: Received) -> bool:
    """End the connection without an answer."""
    return False


def never_answers(connection: socket.socket, _: Received) -> bool:
    """Keep the connection and say nothing until the client gives up."""
    while connection.recv(4096):
        pass
    return False


def answers_early(connection: socket.socket, _: Received) -> bool:
    """Turn the request down, read no more of it and wait until the client gives up."""
    body = b'{"__type":"x#ThrottlingException"}'
    connection.sendall(reply_head(body, status="400 Bad Request") + body)
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll(10_000)
    return False


def tunnels(connection: socket.socket, request: Received) -> bool:
    """Do as a proxy that was told to CONNECT: pass bytes on, both ways, until one side ends."""
    host, _, port = request.line.split()[1].partition(":")
    with socket.create_connection((host, int(port))) as upstream:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(upstream, connection), daemon=True)
        back.start()
        _pump(connection, upstream)
        back.join()
    return False


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
