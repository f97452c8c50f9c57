"""The kinds of job that take a whole: what each reads and writes, how fast, and which keys contradict each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from dynamodb_copy.job.model import MOST_TASKS, Job
from dynamodb_copy.job.places import (
    BackupTarget,
    DrillTarget,
    RestoreTarget,
    S3At,
    SourceTable,
    TableAt,
    TargetTable,
)
from dynamodb_copy.job.sections import Keep, Objectives, RateValue, Share
from dynamodb_copy.job.values import AccountId, Flag, given, one_of, read_instant, refusal, whole

_segment_count = whole(1, MOST_TASKS)


def _segments(found: object) -> int | str:
    return "auto" if found == "auto" else _segment_count(found)


def _restore_point(found: object) -> datetime | str:
    if found == "latest":
        return "latest"
    if isinstance(found, str) and found[:1].isdecimal():
        return read_instant(found)
    raise refusal("latest, or a date or moment such as 2026-12-01T02:00:00Z", "write one of these")


COPIES = ("full", "incremental")  # each a word after copy; the kinds that it stands for take no other

_Full = Annotated[Literal["full"], one_of(*COPIES)]
Segments = Annotated[int | Literal["auto"], BeforeValidator(_segments)]
_Verify = Annotated[Literal["none", "count", "content"], one_of("none", "count", "content")]


def check_another_table(target: TableAt, info: ValidationInfo) -> None:
    """Refuse a target that is the source, which stands before it."""
    source = info.data.get("source")
    if source and source.ref == target.ref:
        raise refusal("another table, region or connection than in from", "a table cannot be copied onto itself")


class CopyJob(Job):
    """A copy of a whole table into another."""

    copy_: _Full = Field(alias="copy")
    source: SourceTable = Field(alias="from")
    target: TargetTable = Field(alias="to")
    read: RateValue = Share(0.25)
    write: RateValue = Share(0.25)
    consistent: Flag = False
    segments: Segments = "auto"
    verify: _Verify = "content"

    @field_validator("target")
    @classmethod
    def _target_is_another_table(cls, target: TargetTable, info: ValidationInfo) -> TargetTable:
        check_another_table(target, info)
        return target


class BackupJob(Job):
    """A copy of a whole table into S3: by a scan, or by the service's point-in-time export."""

    copy_: _Full = Field(alias="copy")
    source: SourceTable = Field(alias="from")
    target: BackupTarget = Field(alias="to")
    engine: Annotated[Literal["scan", "export"], one_of("scan", "export")] = "scan"
    read: RateValue = Share(0.25)
    consistent: Flag = False
    segments: Segments = "auto"
    keep: Annotated[Keep | None, BeforeValidator(given)] = None
    bucket_owner: AccountId = None

    @field_validator("read", "consistent", "segments")
    @classmethod
    def _the_table_is_scanned(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("engine") == "export":
            raise refusal("only with engine: scan", "an export reads no capacity: remove this key, or scan")
        return value


class RestoreJob(Job):
    """A table filled from backups in S3: item by item, or by the service's ImportTable, which makes a new table."""

    restore: Annotated[datetime | Literal["latest"], BeforeValidator(_restore_point)]
    source: S3At = Field(alias="from")
    target: RestoreTarget = Field(alias="to")
    engine: Annotated[Literal["load", "import"], one_of("load", "import")] = "load"
    write: RateValue = Share(0.25)
    segments: Segments = "auto"
    verify: _Verify = "content"
    bucket_owner: AccountId = None

    @field_validator("engine")
    @classmethod
    def _an_import_makes_its_table(cls, engine: str, info: ValidationInfo) -> str:
        target = info.data.get("target")
        if engine == "import" and target and target.existing == "allow":
            raise refusal(
                "load together with existing: allow", "an import only makes new tables: change one of the two"
            )
        return engine

    @field_validator("write", "segments")
    @classmethod
    def _items_are_loaded(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("engine") == "import":
            raise refusal("only with engine: load", "an import has no rate and no segments: remove this key, or load")
        return value


class DrillJob(Job):
    """A rehearsed restore into a scratch table, held against its objectives."""

    drill: Objectives
    source: S3At = Field(alias="from")
    target: DrillTarget = Field(alias="to")
    write: RateValue = Share(0.25)
    segments: Segments = "auto"
    bucket_owner: AccountId = None
