"""HTTP replies whose headers are a plain dict; the email parser of the standard library costs more than all else."""

from __future__ import annotations

from http import HTTPStatus
from http.client import BadStatusLine, HTTPResponse, IncompleteRead, LineTooLong
from typing import Any

_MOST_LINE_BYTES = 65_536
_MOST_HEADERS = 100


class LightResponse(HTTPResponse):
    """A reply with `fields`, its headers by lower-case name, in place of `headers`."""

    fields: dict[str, str]

    def begin(self) -> None:
        """Read the status line and the headers; raises HTTPException and OSError."""
        status_line: Any = self
        version, status, reason = status_line._read_status()  # noqa: SLF001 - the base class's own
        fields = self._read_fields()
        while status == HTTPStatus.CONTINUE:
            version, status, reason = status_line._read_status()  # noqa: SLF001 - as above
            fields = self._read_fields()
        self.code = self.status = status
        self.reason = reason.strip()
        self.version = 10 if version.startswith("HTTP/1.0") else 11
        self.fields = fields
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        length = fields.get("content-length", "")
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        connection = fields.get("connection", "").lower()
        self.will_close = (
            "close" in connection
            or (self.version < 11 and "keep-alive" not in connection)  # noqa: PLR2004 - HTTP/1.1
            or (self.length is None and not self.chunked)
        )

    def _read_fields(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = self.fp.readline(_MOST_LINE_BYTES + 1)
            if len(line) > _MOST_LINE_BYTES:
                raise LineTooLong("header line")
            if not line:
                raise IncompleteRead(b"")
            if line in (b"\r\n", b"\n"):
                return fields
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.strip().lower()] = value.strip()
        raise BadStatusLine(f"more than {_MOST_HEADERS} headers")
