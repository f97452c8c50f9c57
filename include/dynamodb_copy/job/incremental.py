"""The kinds of job that take what has changed since their last run: into a table, or into a chain of backups."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from dynamodb_copy.job.changes import Changes
from dynamodb_copy.job.conditions import ABSENT, read_needed
from dynamodb_copy.job.kinds import COPIES, Segments, check_another_table
from dynamodb_copy.job.model import Job
from dynamodb_copy.job.places import BackupTarget, IncrementalTarget, S3At, SourceTable
from dynamodb_copy.job.schedule import CONTINUOUS
from dynamodb_copy.job.sections import Keep, RateValue, Share
from dynamodb_copy.job.values import AccountId, Duration, StagingUri, given, one_of, read_duration, refusal

_RUN_FOR = timedelta(hours=1)

_Base = Annotated[Literal["scan", "export"], one_of("scan", "export")]


def _base(found: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """A window of exports tells nothing of an item that came and went within it, and a scan may have read that item."""
    changes = info.data.get("changes")
    is_by_export = changes is not None and changes.by == "export"
    if found is ABSENT:
        return "export" if is_by_export else "scan"
    base = read(found)
    if is_by_export and base == "scan":
        raise refusal(
            "export with changes by: export",
            "a scan reads items that windows of exports do not tell of: remove this key",
        )
    return base


class _Incremental(Job):
    """What both kinds read, and how."""

    consistent: ClassVar[Literal[True]] = True  # changes are replayed over the base: it must not be older than they are

    copy_: Annotated[Literal["incremental"], one_of(*COPIES)] = Field(alias="copy")
    source: SourceTable = Field(alias="from")

    @field_validator("catch_up")
    @classmethod
    def _knows_what_to_catch_up(cls, catch_up: bool, info: ValidationInfo) -> bool:  # noqa: ARG003, FBT001 - pydantic calls it
        """Take the place of the check for other kinds; pydantic calls it."""
        if catch_up:
            raise refusal("false", "the next run takes all changes that missed runs would have taken: remove this key")
        return catch_up


class IncrementalJob(_Incremental):
    """A table kept like another: a first copy of the whole, then what has changed since the last run.

    `late_after` also says how old the last moment that the target holds may be.
    """

    instead_of_continuous = None

    target: IncrementalTarget = Field(alias="to")
    changes: Changes
    base: Annotated[_Base, WrapValidator(_base)] = Field(default=ABSENT, validate_default=True)
    staging: StagingUri = Field(default=ABSENT, validate_default=True)
    bucket_owner: AccountId = None
    read: RateValue = Share(0.25)
    write: RateValue = Share(0.25)
    segments: Segments = "auto"
    verify: Annotated[Literal["none", "changed"], one_of("none", "changed")] = "changed"
    run_for: Duration = Field(default=ABSENT, validate_default=True)
    ttl: Annotated[Literal["mirror", "skip"], one_of("mirror", "skip")] = "mirror"

    @property
    def staged_at(self) -> S3At | None:
        """Where exports are put: in the target's region, reached by its connection; None when nothing is exported."""
        if self.staging is None:
            return None
        return S3At(s3=self.staging, region=self.target.region, connection=self.target.connection)

    @field_validator("target")
    @classmethod
    def _target_is_another_table(cls, target: IncrementalTarget, info: ValidationInfo) -> IncrementalTarget:
        check_another_table(target, info)
        return target

    @field_validator("changes")
    @classmethod
    def _only_a_stream_is_continuous(cls, changes: Changes, info: ValidationInfo) -> Changes:
        if info.data.get("schedule") == CONTINUOUS and changes.by != "stream":
            raise refusal("by: stream with schedule: continuous", "write schedule: every 15m, or read the stream")
        return changes

    @field_validator("staging", mode="wrap")
    @classmethod
    def _exports_have_a_place(cls, found: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        case = "with changes by: export or with base: export"
        return read_needed(found, read, needed=_exports(info), case=case)

    @field_validator("bucket_owner")
    @classmethod
    def _there_is_a_bucket(cls, bucket_owner: str, info: ValidationInfo) -> str:
        if info.data.get("staging", "unread") is None:
            raise refusal("only together with staging", "remove this key: the job uses no bucket")
        return bucket_owner

    @field_validator("run_for", mode="wrap")
    @classmethod
    def _ends_before_it_is_stopped(cls, found: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        length = _RUN_FOR if found is ABSENT else read(found)
        if info.data.get("schedule", CONTINUOUS) != CONTINUOUS:
            if found is not ABSENT:
                raise refusal("only with schedule: continuous", "remove this key: other runs end when all is passed on")
            return length
        if length >= info.data.get("timeout", timedelta.max):
            raise refusal("a duration below timeout; 1h without this key", "shorten run_for, or lengthen timeout")
        return length

    @field_validator("ttl")
    @classmethod
    def _a_stream_tells_who_deleted(cls, ttl: str, info: ValidationInfo) -> str:
        if "changes" in info.data and info.data["changes"].by != "stream":
            raise refusal("only with changes by: stream", "nothing else tells who deleted an item: remove this key")
        return ttl


class IncrementalBackupJob(_Incremental):
    """A chain of backups: a full one, then what has changed since the last run, every version and every delete."""

    instead_of_continuous = "a window is sealed at the end of a run: write every 15m"

    target: BackupTarget = Field(alias="to")
    changes: Changes
    base: Annotated[_Base, WrapValidator(_base)] = Field(default=ABSENT, validate_default=True)
    full_every: Annotated[timedelta | None, BeforeValidator(read_duration)] = None
    read: RateValue = Share(0.25)
    segments: Segments = "auto"
    keep: Annotated[Keep | None, BeforeValidator(given)] = None
    bucket_owner: AccountId = None

    @field_validator("changes")
    @classmethod
    def _deletes_are_seen(cls, changes: Changes) -> Changes:
        if changes.by == "attribute":
            raise refusal("by: stream or by: export", "by attribute deletes are not seen, so it would be no backup")
        return changes

    @field_validator("read")
    @classmethod
    def _the_table_is_scanned(cls, read: Any, info: ValidationInfo) -> Any:
        if info.data.get("base") == "export":
            raise refusal("only with base: scan", "an export reads no capacity, nor do changes: remove this key")
        return read


def _exports(info: ValidationInfo) -> bool | None:
    """Whether the service exports something; None when that cannot be known."""
    changes, base = info.data.get("changes"), info.data.get("base")
    if base == "export" or (changes and changes.by == "export"):
        return True
    return False if base and changes else None
