"""The files that describe an increment: values to bytes. docs/backup-format.md tells what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynamodb_copy.formats.increment_manifest import (
    INCREMENT_VERSION,
    KIND,
    IncrementDetails,
    IncrementPart,
    part_bucket,
)
from dynamodb_copy.formats.manifest import DETAILS_VERSION, FILES
from dynamodb_copy.formats.manifest_writer import packed_digest, pretty, summary_json
from dynamodb_copy.model import Part


class Origin(NamedTuple):
    """Of which table an increment is, and where it is put."""

    table_arn: str
    table_id: str
    bucket: str
    prefix: str | None
    folder: str  # key without a slash at its end
    kms_key: str | None = None


def increment_parts(parts: Iterable[Part]) -> tuple[IncrementPart, ...]:
    """Parts that a sink stored, as `backup.json` tells of them; their names tell their buckets."""
    return tuple([IncrementPart(p.name, p.items, p.size_bytes, p.sha256, part_bucket(p.name)) for p in parts])


def increment_details_json(details: IncrementDetails) -> bytes:
    """`backup.json`."""
    names = ("id", "engine", "began", "ended", "items", "bytes", "growth", "previous", "files")
    state = details.state
    return pretty(
        {
            "version": DETAILS_VERSION,
            "kind": KIND,
            **{name: getattr(details, name) for name in names},
            "digest": packed_digest(details.digest),
            "from": details.start.values(),
            "to": details.end.values(),
            "state": None if state is None else {"items": state.items, "digest": packed_digest(state.digest)},
            "parts": [
                {"name": p.name, "items": p.items, "bytes": p.size_bytes, "sha256": p.sha256, "bucket": p.bucket}
                for p in details.parts
            ],
        }
    )


def increment_summary_json(details: IncrementDetails, origin: Origin) -> bytes:
    """`manifest-summary.json` of an increment of ours, with the fields of an incremental export."""
    return summary_json(
        {
            "version": INCREMENT_VERSION,
            "exportArn": f"{origin.table_arn}/export/{details.id}",
            "startTime": details.began,
            "endTime": details.ended,
            "tableArn": origin.table_arn,
            "tableId": origin.table_id,
            "exportFromTime": details.start.time,
            "exportToTime": details.end.time,
            "s3Bucket": origin.bucket,
            "s3Prefix": origin.prefix,
            "s3SseAlgorithm": "KMS" if origin.kms_key else "AES256",
            "s3SseKmsKeyId": origin.kms_key,
            "manifestFilesS3Key": f"{origin.folder}/{FILES}",
            "billedSizeBytes": 0,
            "itemCount": details.items,
            "outputFormat": "DYNAMODB_JSON",
            "outputView": "NEW_AND_OLD_IMAGES",
            "exportType": "INCREMENTAL_EXPORT",
        }
    )
