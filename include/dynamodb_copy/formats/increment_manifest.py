"""The files that describe an increment: bytes to values. docs/backup-format.md tells what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.change_lines import KEY_BUCKETS
from dynamodb_copy.formats.json_values import (
    check_output,
    count,
    digest,
    digest_or_none,
    instant_text,
    reading,
    text,
    text_or_none,
    texts,
    versioned,
    whole,
)
from dynamodb_copy.formats.manifest import DETAILS_VERSION
from dynamodb_copy.formats.marks import Mark, mark_of
from dynamodb_copy.model import Digest

INCREMENT_VERSION = "2023-08-01"
"""Of an incremental export's manifest."""

KIND = "increment"
"""What `backup.json` of an increment says it is."""

VIEWS = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE", "NEW_IMAGES")
"""What its lines may show; the API says NEW_IMAGE and the developer guide NEW_IMAGES.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

_BUCKET = re.compile(r"-b(\d\d)\.json\.gz\Z")


@dataclass(frozen=True, slots=True)
class IncrementSummary:
    """What `manifest-summary.json` says of an increment."""

    table_arn: str
    table_id: str
    from_time: str  # ISO 8601: it holds what was written then or later
    to_time: str  # ISO 8601: and before then
    items: int  # lines
    view: str
    values: Mapping[str, Any]  # all fields


class IncrementPart(NamedTuple):
    """One part in an increment's `backup.json`."""

    name: str
    items: int  # lines
    size_bytes: int
    sha256: str | None  # hexadecimal; None where the service wrote the part
    bucket: int | None  # the key bucket of its changes; None where the service wrote the part


class TableState(NamedTuple):
    """What a table holds at a moment."""

    items: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class IncrementDetails:
    """What `backup.json` says of an increment."""

    id: str
    engine: str  # stream, or export
    began: str  # ISO 8601
    ended: str  # ISO 8601: nothing that was written later is in it
    items: int  # lines
    bytes: int  # of the new images' JSON
    growth: int | None  # items that came into being less those that went; None for an export
    digest: Digest | None  # of the new images less that of the old ones; None for an export
    start: Mark
    end: Mark
    previous: str | None  # the id of the increment before it
    state: TableState | None  # at its end, where that is known
    parts: tuple[IncrementPart, ...]
    files: Mapping[str, str]  # SHA-256 in hexadecimal by name


def part_bucket(name: str) -> int:
    """The key bucket of a part of ours, by its name; raises ValueError when it tells of none."""
    found = _BUCKET.search(name)
    if found is None or int(found[1]) >= KEY_BUCKETS:
        raise ValueError(f"{name}: no key bucket")
    return int(found[1])


def read_increment_summary(content: bytes, name: str) -> IncrementSummary:
    """Read `manifest-summary.json` of an increment; raises BackupRefusedError, which calls the file `name`."""
    values = versioned(content, name, INCREMENT_VERSION)
    check_output(values, name)
    if (view := values.get("outputView")) not in VIEWS:
        raise BackupRefusedError(
            f"{name}: found outputView {view!r:.80}; allowed: {', '.join(VIEWS)}: export the window again so"
        )
    with reading(name):
        if values.get("endTime") is not None:
            instant_text(values["endTime"])
        return IncrementSummary(
            table_arn=text(values["tableArn"]),
            table_id=text(values["tableId"]),
            **_span(values["exportFromTime"], values["exportToTime"]),
            items=count(values["itemCount"]),
            view=view,
            values=values,
        )


def read_increment_details(content: bytes, name: str) -> IncrementDetails:
    """Read `backup.json` of an increment; raises BackupRefusedError."""
    values = versioned(content, name, DETAILS_VERSION)
    with reading(name):
        if values["kind"] != KIND:
            raise ValueError(f"kind is {values['kind']!r:.80}")
        return IncrementDetails(
            id=text(values["id"]),
            engine=text(values["engine"]),
            began=instant_text(values["began"]),
            ended=instant_text(values["ended"]),
            items=count(values["items"]),
            bytes=count(values["bytes"]),
            growth=None if values["growth"] is None else whole(values["growth"]),
            digest=digest_or_none(values["digest"]),
            start=mark_of(values["from"]),
            end=mark_of(values["to"]),
            previous=text_or_none(values["previous"]),
            state=None if values["state"] is None else _state(values["state"]),
            parts=tuple([_part(part) for part in values["parts"]]),
            files=texts(values["files"]),
        )


def check_details(summary: IncrementSummary, details: IncrementDetails, name: str) -> None:
    """Raise BackupRefusedError unless `backup.json`, called `name`, tells of the increment that the summary does."""
    told = (details.start.moment, details.end.moment, details.items)
    if told != (datetime.fromisoformat(summary.from_time), datetime.fromisoformat(summary.to_time), summary.items):
        raise BackupRefusedError(
            f"{name}: tells of {details.items} lines from {details.start.time} to {details.end.time}, the summary of "
            f"{summary.items} from {summary.from_time} to {summary.to_time}; one of the two was edited or damaged: use "
            "another chain"
        )


def _span(from_time: Any, to_time: Any) -> dict[str, str]:
    if datetime.fromisoformat(instant_text(from_time)) > datetime.fromisoformat(instant_text(to_time)):
        raise ValueError("it ends before it begins")
    return {"from_time": from_time, "to_time": to_time}


def _state(values: Any) -> TableState:
    return TableState(count(values["items"]), digest(values["digest"]))


def _part(part: Any) -> IncrementPart:
    bucket = part["bucket"]
    if bucket is not None and count(bucket) >= KEY_BUCKETS:
        raise ValueError(f"{bucket!r:.80} is no key bucket")
    name, sha256 = text(part["name"]), text_or_none(part["sha256"])
    return IncrementPart(name, count(part["items"]), count(part["bytes"]), sha256, bucket)
