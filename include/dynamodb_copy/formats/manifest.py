"""The files that describe a backup: bytes to values. docs/backup-format.md tells what they mean."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol

import orjson

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.json_values import (
    check_output,
    count,
    digest_or_none,
    instant_text,
    mapping,
    object_of,
    reading,
    text,
    text_or_none,
    texts,
    versioned,
)
from dynamodb_copy.formats.marks import Mark, mark_of
from dynamodb_copy.model import Digest

FULL_VERSION = "2020-06-30"
"""Of a full export's manifest; incremental ones say 2023-08-01."""

DETAILS_VERSION = 1
"""Of `backup.json` and `table.json`."""

SUMMARY, FILES, TABLE, DETAILS = "manifest-summary.json", "manifest-files.json", "table.json", "backup.json"
"""The files beside `data/`, as a root hash takes them."""

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
    mark: Mark | None = None  # where the increments of its chain begin; None: it was not made to begin one


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
    if "exportFromTime" in mapping(content, name):
        raise BackupRefusedError(f"{name}: this is an incremental export; a full one is needed: name its folder")
    values = versioned(content, name, FULL_VERSION)
    check_output(values, name)
    with reading(name):
        return Summary(
            table_arn=text(values["tableArn"]),
            table_id=text(values["tableId"]),
            export_time=instant_text(values["exportTime"]),
            items=count(values["itemCount"]),
            values=values,
        )


def read_files(content: bytes, name: str) -> list[ManifestLine]:
    """Read `manifest-files.json`; raises BackupRefusedError with the number of the line, from 1."""
    parts: dict[str, ManifestLine] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        with reading(f"{name}, line {number}"):
            part = _manifest_line(orjson.loads(line))
            if part.name in parts:
                raise ValueError(f"data/{part.name} is there twice")
            parts[part.name] = part
    return list(parts.values())


def read_details(content: bytes, name: str) -> Details:
    """Read `backup.json`; raises BackupRefusedError."""
    values = versioned(content, name, DETAILS_VERSION)
    with reading(name):
        return Details(
            id=text(values["id"]),
            engine=text(values["engine"]),
            began=instant_text(values["began"]),
            ended=instant_text(values["ended"]),
            items=count(values["items"]),
            bytes=count(values["bytes"]),
            digest=digest_or_none(values["digest"]),
            parts=tuple([_details_line(part) for part in values["parts"]]),
            files=texts(values["files"]),
            mark=None if values.get("mark") is None else mark_of(values["mark"]),
        )


def read_table(content: bytes, name: str) -> TableSettings:
    """Read `table.json`; raises BackupRefusedError."""
    values = versioned(content, name, DETAILS_VERSION)
    with reading(name):
        tags = tuple([{"Key": text(tag["Key"]), "Value": text(tag["Value"])} for tag in values["tags"]])
        return TableSettings(object_of(values["table"]), text_or_none(values["timeToLive"]), tags)


class HasParts(Protocol):
    """What `backup.json` says, of a full backup or of an increment."""

    @property
    def parts(self) -> Sequence[_CountedPart]:
        """In the manifest's order."""


class _CountedPart(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def items(self) -> int: ...


def check_parts(files: Sequence[ManifestLine], details: HasParts, name: str) -> None:
    """Raise BackupRefusedError unless `backup.json`, called `name`, tells of the parts that the manifest names."""
    told = [(part.name, part.items) for part in details.parts]
    named = [(part.name, part.items) for part in files]
    for one, other in zip_longest(told, named):
        if one != other:
            raise BackupRefusedError(
                f"{name}: tells of other parts than {FILES}, first data/{(one or other)[0]}; one of the two was edited "
                "or damaged: use another backup"
            )


def _manifest_line(line: Any) -> ManifestLine:
    name = text(line["dataFileS3Key"]).rpartition("/")[2]
    if name in {"", ".", ".."}:
        raise ValueError("a data file without a name")
    return ManifestLine(name, count(line["itemCount"]), text(line["md5Checksum"]), text(line["etag"]))


def _details_line(part: Any) -> DetailsLine:
    name, sha256 = text(part["name"]), text_or_none(part["sha256"])
    return DetailsLine(name, count(part["items"]), count(part["bytes"]), sha256)
