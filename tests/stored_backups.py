"""Small backups as the product writes them, exports as the service writes them, and what can be read of both."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from arbitrary_items import KEYS
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import Backup, check_parts_are_there, open_backup
from dynamodb_copy.formats import manifest, manifest_writer
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Item, KeySchema, Page, Part, Put, Segment, Tally
from dynamodb_copy.phases.ends import export_source
from dynamodb_copy.sinks.s3_backup import S3Backup
from dynamodb_copy.sources.native_export import NativeExport
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.steps.counting import counting
from fakes import AlwaysHeld
from stack.native_layout import Export

TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
SETTINGS = manifest.TableSettings(
    {"TableName": "orders", "TableArn": TABLE_ARN, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]},
    "expires_at",
    ({"Key": "team", "Value": "orders"},),
)
EXPORT = Export(
    id="01768385930622-efd1a093",
    table_arn=TABLE_ARN,
    table_id="6f1f7a52-8c3e-4b0b-9d64-2b7f0f5f7c31",
    bucket="elsewhere",
    prefix="nightly",
    exported_at=1_764_036_004.12,
    started_at=1_764_036_004.12,
    ended_at=1_764_036_700.002,
)
"""Where backups and exports are put unless a test says otherwise; `bucket` is only what their manifests say."""


@dataclass(frozen=True, slots=True)
class Written:
    """A backup, and what is remembered of it."""

    folder: str
    root: str
    items: list[Item]


def item_of(number: int, value: str = "") -> Item:
    """A small item."""
    return {"id": {"S": f"{number:03}"}, "value": {"S": value}}


def pages_of(items: Sequence[Item], keys: KeySchema = KEYS, *, size: int = 4) -> Iterator[Page]:
    """The items in pages that are counted."""
    starts = range(0, len(items) or 1, size)
    pages = [
        Page([Put(item) for item in items[at : at + size]], {"after": at} if at != starts[-1] else None, Tally(pages=1))
        for at in starts
    ]
    return counting(Fingerprints(keys))(pages)


def write_backup(
    bucket: Bucket, segments: Sequence[Sequence[Item]], export: Export = EXPORT, *, keys: KeySchema = KEYS
) -> Written:
    """Store and seal a backup."""
    sink = S3Backup(bucket, export.folder, "5f0c11d2", fence=AlwaysHeld(), now=lambda: 0.0)
    durables = [
        durable
        for index, items in enumerate(segments)
        for durable in sink.absorb(Segment(index, len(segments)), pages_of(items, keys))
    ]
    read = sum((durable.tally for durable in durables), Tally())
    files = _described(export, [part for durable in durables for part in durable.parts], read)
    for name, content in [(manifest.TABLE, files[manifest.TABLE]), *manifest_writer.with_checksums(files)]:
        bucket.put(f"{export.folder}/{name}", content)
    return Written(export.folder, manifest.root_hash({**files}), [item for items in segments for item in items])


def read_back(bucket: Bucket, folder: str, root: str | None = None) -> list[Item]:
    """All items of a backup of which this root hash is remembered, checked as a restore checks it."""
    backup = open_backup(bucket, folder, lambda _: root)
    list(check_parts_are_there(backup))
    source = source_of(backup, KEYS, 2)
    pages = [page for segment in source.segments() for page in source.pages(segment, None)]
    return [change.item for page in pages for change in page.changes if isinstance(change, Put)]


def source_of(backup: Backup, keys: KeySchema, segments: int) -> NativeExport:
    """The source that a restore reads."""
    return export_source(backup, cast("Plan", _OnlyKeys(keys)), segments)


def items_in(packed: bytes) -> list[Item]:
    """The items of a part, read without the product."""
    lines = gzip.decompress(packed).splitlines()
    return [orjson.loads(line)["Item"] for line in lines]


@dataclass(frozen=True, slots=True)
class _OnlyKeys:
    keys: KeySchema


def _described(export: Export, parts: list[Part], read: Tally) -> dict[str, bytes]:
    """The four files, by name."""
    table = manifest_writer.table_json(SETTINGS)
    files = manifest_writer.files_json(parts, export.folder)
    details = manifest.Details(
        id=export.id,
        engine="scan",
        began=manifest_writer.instant(export.exported_at),
        ended=manifest_writer.instant(export.ended_at),
        items=read.items,
        bytes=read.bytes,
        digest=read.digest,
        parts=tuple([manifest.DetailsLine(p.name, p.items, p.size_bytes, p.sha256) for p in parts]),
        files={manifest.FILES: manifest.sha256_of(files), manifest.TABLE: manifest.sha256_of(table)},
    )
    return {
        manifest.TABLE: table,
        manifest.FILES: files,
        manifest.DETAILS: manifest_writer.details_json(details),
        manifest.SUMMARY: manifest_writer.summary_json(_summary(export, read.items)),
    }


def _summary(export: Export, items: int) -> dict[str, Any]:
    return {
        "version": manifest.FULL_VERSION,
        "exportArn": export.arn,
        "tableArn": export.table_arn,
        "tableId": export.table_id,
        "exportTime": manifest_writer.instant(export.exported_at),
        "s3Bucket": export.bucket,
        "s3Prefix": export.prefix,
        "manifestFilesS3Key": f"{export.folder}/{manifest.FILES}",
        "itemCount": items,
        "outputFormat": "DYNAMODB_JSON",
    }
