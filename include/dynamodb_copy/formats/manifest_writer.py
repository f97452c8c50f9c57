"""The files that describe a backup: values to bytes. docs/backup-format.md tells what they mean."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from dynamodb_copy.formats.manifest import (
    DETAILS,
    DETAILS_VERSION,
    FILES,
    SUMMARY,
    Details,
    TableSettings,
    md5_of,
    sha256_of,
)
from dynamodb_copy.model import Digest, Part


def instant(epoch_seconds: float) -> str:
    """A moment in a manifest's form: ISO 8601 with milliseconds and `Z`."""
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def files_json(parts: Iterable[Part], folder: str) -> bytes:
    """`manifest-files.json` for parts below a folder, whose name ends without a slash."""
    lines = [
        {"itemCount": p.items, "md5Checksum": p.md5, "etag": p.etag, "dataFileS3Key": f"{folder}/data/{p.name}"}
        for p in parts
    ]
    return b"".join([orjson.dumps(line) + b"\n" for line in lines])


def details_json(details: Details) -> bytes:
    """`backup.json`."""
    parts = [
        {"name": part.name, "items": part.items, "bytes": part.size_bytes, "sha256": part.sha256}
        for part in details.parts
    ]
    values = {name: getattr(details, name) for name in ("id", "engine", "began", "ended", "items", "bytes", "files")}
    mark = None if details.mark is None else details.mark.values()
    return pretty(
        {"version": DETAILS_VERSION, **values, "digest": packed_digest(details.digest), "mark": mark, "parts": parts}
    )


def packed_digest(digest: Digest | None) -> str | None:
    """A digest as `backup.json` has it: base64."""
    return None if digest is None else base64.b64encode(digest.to_bytes()).decode()


def summary_json(values: Mapping[str, Any]) -> bytes:
    """`manifest-summary.json`."""
    return orjson.dumps(values)


def with_checksums(described: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """The files with those that hold their checksums, in the order of their writing: the summary is the last."""
    return [
        (FILES, described[FILES]),
        ("manifest-files.md5", md5_of(described[FILES]).encode()),
        *with_details_checksum(described[DETAILS]),
        ("manifest-summary.md5", md5_of(described[SUMMARY]).encode()),
        (SUMMARY, described[SUMMARY]),
    ]


def with_details_checksum(details: bytes) -> list[tuple[str, bytes]]:
    """`backup.json` and what holds its checksum, in the order of their writing."""
    return [("backup.sha256", sha256_of(details).encode()), (DETAILS, details)]


def table_json(settings: TableSettings) -> bytes:
    """`table.json`."""
    return pretty(
        {
            "version": DETAILS_VERSION,
            "table": settings.description,
            "timeToLive": settings.ttl_attribute,
            "tags": settings.tags,
        }
    )


def pretty(values: Mapping[str, Any]) -> bytes:
    """Moments of DescribeTable are written as text."""
    return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)
