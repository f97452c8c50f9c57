"""The files of a native export in DYNAMODB_JSON, byte for byte as the service lays them out; pure.

Source: exports of real tables (repository gurre/ddb-pitr @02acf36, January 2026; scylladb/scylla-migrator, May 2024),
of incremental ones also https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import orjson

Item = dict[str, Any]
"""Wire JSON; binaries are base64."""

Change = dict[str, Any]
"""A line of an incremental export: `Metadata`, `Keys`, and `OldImage` and `NewImage` as far as there are any."""


@dataclass(frozen=True, slots=True)
class Window:
    """What an incremental export is of: the changes from `start` on and before `end`, in epoch seconds."""

    start: float
    end: float
    view: str  # NEW_AND_OLD_IMAGES or NEW_IMAGE


@dataclass(frozen=True, slots=True)
class Export:
    """What the manifests say of an export; times are epoch seconds."""

    id: str  # 14 digits, a hyphen, 8 hexadecimal digits
    table_arn: str
    table_id: str
    bucket: str
    prefix: str | None
    exported_at: float  # of an incremental one the end of its window
    started_at: float
    ended_at: float = 0.0
    sse_algorithm: str = "AES256"
    sse_key_id: str | None = None
    billed_size_bytes: int = 0  # real ones bill 0 for small tables
    window: Window | None = None  # None: a full export

    @property
    def arn(self) -> str:
        """The ExportArn."""
        return f"{self.table_arn}/export/{self.id}"

    @property
    def folder(self) -> str:
        """The key below which all files lie, without a slash at its end."""
        return f"{self._parent}/{self.id}"

    @property
    def data_folder(self) -> str:
        """The key below which its data files lie: incremental exports to one prefix share theirs."""
        return f"{self.folder}/data" if self.window is None else f"{self._parent}/data"

    @property
    def summary_key(self) -> str:
        """The ExportManifest."""
        return f"{self.folder}/manifest-summary.json"

    @property
    def _parent(self) -> str:
        return f"{self.prefix}/AWSDynamoDB" if self.prefix else "AWSDynamoDB"


@dataclass(frozen=True, slots=True)
class _DataFile:
    key: str
    items: int
    content: bytes


def started_file(export: Export) -> dict[str, bytes]:
    """The empty file that an export begins with, by its key."""
    return {f"{export.folder}/_started": b""}


def written_export(export: Export, partitions: Sequence[Sequence[Item | Change]]) -> dict[str, bytes]:
    """All files by key, in the order of writing: a data file for each partition, also for those that hold nothing."""
    parts = [_data_file(export, number, held) for number, held in enumerate(partitions)]
    files_manifest = b"".join([_manifest_line(part) for part in parts])
    summary = orjson.dumps(_summary(export, sum(part.items for part in parts)))
    return {
        **started_file(export),
        **{part.key: part.content for part in parts},
        f"{export.folder}/manifest-files.json": files_manifest,
        f"{export.folder}/manifest-files.md5": _md5(files_manifest),
        export.summary_key: summary,
        f"{export.folder}/manifest-summary.md5": _md5(summary),
    }


def is_data_file(key: str) -> bool:
    """Whether a key is that of items or changes."""
    return key.endswith(".json.gz")


def _data_file(export: Export, number: int, held: Sequence[Item | Change]) -> _DataFile:
    # 16 bytes are the 26 characters that real names have; theirs mean nothing, ours come out the same each time
    name = base64.b32encode(hashlib.md5(f"{export.id}/{number}".encode(), usedforsecurity=False).digest())
    key = f"{export.data_folder}/{name.decode().rstrip('=').lower()}.json.gz"
    lines = held if export.window else [{"Item": item} for item in held]
    return _DataFile(key, len(held), _gzipped(b"".join([orjson.dumps(line) + b"\n" for line in lines])))


def _gzipped(content: bytes) -> bytes:
    packed = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def _manifest_line(part: _DataFile) -> bytes:
    md5 = hashlib.md5(part.content, usedforsecurity=False).digest()
    line = {
        "itemCount": part.items,
        "md5Checksum": base64.b64encode(md5).decode(),
        # the service uploads in multiple parts, of which there is one
        "etag": hashlib.md5(md5, usedforsecurity=False).hexdigest() + "-1",
        "dataFileS3Key": part.key,
    }
    return orjson.dumps(line) + b"\n"


def _summary(export: Export, item_count: int) -> dict[str, Any]:
    """The fields in their order; `exportType` is absent from real full exports."""
    return {
        "version": "2023-08-01" if export.window else "2020-06-30",
        "exportArn": export.arn,
        "startTime": _instant(export.started_at),
        "endTime": _instant(export.ended_at),
        "tableArn": export.table_arn,
        "tableId": export.table_id,
        **_times(export),
        "s3Bucket": export.bucket,
        "s3Prefix": export.prefix,
        "s3SseAlgorithm": export.sse_algorithm,
        "s3SseKmsKeyId": export.sse_key_id,
        "manifestFilesS3Key": f"{export.folder}/manifest-files.json",
        "billedSizeBytes": export.billed_size_bytes,
        "itemCount": item_count,
        "outputFormat": "DYNAMODB_JSON",
        **({"outputView": export.window.view, "exportType": "INCREMENTAL_EXPORT"} if export.window else {}),
    }


def _times(export: Export) -> dict[str, str]:
    if export.window is None:
        return {"exportTime": _instant(export.exported_at)}
    return {"exportFromTime": _instant(export.window.start), "exportToTime": _instant(export.window.end)}


def _instant(epoch_seconds: float) -> str:
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _md5(content: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest())
