"""The files that describe a backup: bytes to values. docs/backup-format.md tells what they mean."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.model import BUCKETS, Digest

FULL_VERSION = "2020-06-30"
"""Of a full export's manifest; incremental ones say 2023-08-01."""

DETAILS_VERSION = 1
"""Of `backup.json` and `table.json`."""

SUMMARY, FILES, TABLE, DETAILS = "manifest-summary.json", "manifest-files.json", "table.json", "backup.json"
"""The files beside `data/`, as a root hash takes them."""

HASH_BYTES = 16
"""Of one bucket of a digest."""

FILE_BYTES = 256 << 20
"""The largest of these files that is read; a manifest line has about 250 bytes."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What `manifest-summary.json` says of a full export."""

    table_arn: str
    table_id: str
    export_time: str  # ISO 8601: the backup holds all that was written before
    items: int
    values: Mapping[str, Any]  # all fields


class ManifestLine(NamedTuple):
    """One part in `manifest-files.json`."""

    name: str  # below `data/`
    items: int
    md5: str  # base64
    etag: str


class DetailsLine(NamedTuple):
    """One part in `backup.json`."""

    name: str
    items: int
    size_bytes: int
    sha256: str | None  # hexadecimal; None where the service wrote the part


@dataclass(frozen=True, slots=True)
class Details:
    """What `backup.json` says."""

    id: str
    engine: str
    began: str  # ISO 8601
    ended: str  # ISO 8601
    items: int
    bytes: int  # of the items' JSON
    digest: Digest | None
    parts: tuple[DetailsLine, ...]
    files: Mapping[str, str]  # SHA-256 in hexadecimal by name


@dataclass(frozen=True, slots=True)
class TableSettings:
    """What `table.json` says: enough to create the table again."""

    description: Mapping[str, Any]  # as DescribeTable shows it
    ttl_attribute: str | None
    tags: tuple[Mapping[str, str], ...]


def md5_of(content: bytes) -> str:
    """MD5 as manifests give it: base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def sha256_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def root_hash(files: Mapping[str, bytes | None]) -> str:
    """One hash for the four files that describe a backup, by their names; a missing one counts as nothing."""
    contents = [files[name] for name in (SUMMARY, FILES, TABLE, DETAILS)]
    return sha256_of(b"".join([b"" if content is None else hashlib.sha256(content).digest() for content in contents]))


def read_summary(content: bytes, name: str) -> Summary:
    """Read `manifest-summary.json` of a full export; raises BackupRefusedError, which calls the file `name`."""
    values = _mapping(content, name)
    if "exportFromTime" in values:
        raise BackupRefusedError(f"{name}: this is an incremental export; a full one is needed: name its folder")
    version = values.get("version")
    if version != FULL_VERSION:
        raise BackupRefusedError(
            f"{name}: found version {version!r:.80}; allowed: {FULL_VERSION!r}: a newer release may read it"
        )
    if (output := values.get("outputFormat", "DYNAMODB_JSON")) != "DYNAMODB_JSON":
        raise BackupRefusedError(f"{name}: found outputFormat {output!r:.80}; allowed: DYNAMODB_JSON: export so")
    with _reading(name):
        return Summary(
            table_arn=_text(values["tableArn"]),
            table_id=_text(values["tableId"]),
            export_time=_instant_text(values["exportTime"]),
            items=_count(values["itemCount"]),
            values=values,
        )


def read_files(content: bytes, name: str) -> list[ManifestLine]:
    """Read `manifest-files.json`; raises BackupRefusedError with the number of the line, from 1."""
    parts: dict[str, ManifestLine] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        with _reading(f"{name}, line {number}"):
            part = _manifest_line(orjson.loads(line))
            if part.name in parts:
                raise ValueError(f"data/{part.name} is there twice")
            parts[part.name] = part
    return list(parts.values())


def read_details(content: bytes, name: str) -> Details:
    """Read `backup.json`; raises BackupRefusedError."""
    values = _versioned(content, name)
    with _reading(name):
        digest = values["digest"]
        return Details(
            id=_text(values["id"]),
            engine=_text(values["engine"]),
            began=_instant_text(values["began"]),
            ended=_instant_text(values["ended"]),
            items=_count(values["items"]),
            bytes=_count(values["bytes"]),
            digest=None if digest is None else _digest(digest),
            parts=tuple([_details_line(part) for part in values["parts"]]),
            files={file: _text(sha256) for file, sha256 in _object(values["files"]).items()},
        )


def read_table(content: bytes, name: str) -> TableSettings:
    """Read `table.json`; raises BackupRefusedError."""
    values = _versioned(content, name)
    with _reading(name):
        tags = tuple([{"Key": _text(tag["Key"]), "Value": _text(tag["Value"])} for tag in values["tags"]])
        return TableSettings(_object(values["table"]), _text_or_none(values["timeToLive"]), tags)


def check_parts(files: Sequence[ManifestLine], details: Details, name: str) -> None:
    """Raise BackupRefusedError unless `backup.json`, called `name`, tells of the parts that the manifest names."""
    told = [(part.name, part.items) for part in details.parts]
    named = [(part.name, part.items) for part in files]
    for one, other in zip_longest(told, named):
        if one != other:
            raise BackupRefusedError(
                f"{name}: tells of other parts than {FILES}, first data/{(one or other)[0]}; one of the two was edited "
                "or damaged: use another backup"
            )


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise BackupRefusedError(
            f"{name}: is not what a backup holds there ({type(error).__name__}: {error!s:.200}); it was edited or "
            "damaged: use another backup"
        ) from error


def _mapping(content: bytes, name: str) -> dict[str, Any]:
    with _reading(name):
        return _object(orjson.loads(content))


def _versioned(content: bytes, name: str) -> dict[str, Any]:
    values = _mapping(content, name)
    version = values.get("version")
    if version != DETAILS_VERSION:
        raise BackupRefusedError(
            f"{name}: found version {version!r:.80}; allowed: {DETAILS_VERSION}: a newer release may read it"
        )
    return values


def _manifest_line(line: Any) -> ManifestLine:
    name = _text(line["dataFileS3Key"]).rpartition("/")[2]
    if name in {"", ".", ".."}:
        raise ValueError("a data file without a name")
    return ManifestLine(name, _count(line["itemCount"]), _text(line["md5Checksum"]), _text(line["etag"]))


def _details_line(part: Any) -> DetailsLine:
    name, sha256 = _text(part["name"]), _text_or_none(part["sha256"])
    return DetailsLine(name, _count(part["items"]), _count(part["bytes"]), sha256)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no JSON object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r:.80} is no count")
    return value


def _digest(packed: str) -> Digest:
    buckets = base64.b64decode(packed, validate=True)
    if len(buckets) != BUCKETS * HASH_BYTES:
        raise ValueError(f"a digest of {len(buckets)} bytes")
    return Digest.from_bytes(buckets)


def _instant_text(value: Any) -> str:
    """Check that it is a moment with an offset."""
    if datetime.fromisoformat(value).tzinfo is None:
        raise ValueError(f"{value!r} has no offset")
    return str(value)
