"""A canned DynamoDB endpoint: every operation gets the same answer each time, in every framing that HTTP allows."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = {"Items": [{"id": {"S": "1"}}], "Count": 1, "ScannedCount": 3}
_REPLIES: dict[str, Any] = {"BatchWriteItem": {"UnprocessedItems": {}}, "Scan": PAGE}


class CannedTable(ThreadingHTTPServer):
    """Remembers the operations and bodies that it got; answers in the framing of `answers`."""

    def __init__(self, answers: type[PlainAnswers]) -> None:
        super().__init__(("127.0.0.1", 0), answers)
        self.received: list[tuple[str, Any]] = []

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def operations(self) -> list[str]:
        """What it was asked to do, in order."""
        return [operation for operation, _ in self.received]


class PlainAnswers(BaseHTTPRequestHandler):
    """A known length, and a checksum as the service sends it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CannedTable

    def do_POST(self) -> None:
        """Remember the request and answer it."""
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        self.server.received.append((operation, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send(json.dumps(_REPLIES.get(operation, {})).encode())

    def send(self, body: bytes) -> None:
        """Send the head and the body."""
        self.send_response(200)
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ChunkedAnswers(PlainAnswers):
    """Two chunks, the first with an extension."""

    def send(self, body: bytes) -> None:
        """Send the head and the chunks."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:]))


class UnboundedAnswers(PlainAnswers):
    """No length: the end of the connection is the end of the answer."""

    protocol_version = "HTTP/1.0"

    def send(self, body: bytes) -> None:
        """Send the head and the body."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


class LastAnswers(PlainAnswers):
    """The connection ends after each answer, unannounced."""

    def send(self, body: bytes) -> None:
        """Send the head and the body."""
        super().send(body)
        self.close_connection = True


@contextmanager
def canned_table(answers: type[PlainAnswers] = PlainAnswers) -> Iterator[CannedTable]:
    """Run one in a thread while the block lasts."""
    with CannedTable(answers) as table:
        thread = threading.Thread(target=table.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield table
        finally:
            table.shutdown()
            thread.join()
