"""How an incremental job learns what has changed since its last run."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from dynamodb_copy.job.conditions import ABSENT, read_needed
from dynamodb_copy.job.sections import Section
from dynamodb_copy.job.values import (
    Flag,
    IndexName,
    NamedAttribute,
    PartitionValue,
    given,
    one_of,
    read_overlap,
    refusal,
    sequence,
)

_By = Annotated[Literal["stream", "export", "attribute"], one_of("stream", "export", "attribute")]
_Format = Annotated[
    Literal["epoch_seconds", "epoch_millis", "iso8601"] | None, one_of("epoch_seconds", "epoch_millis", "iso8601")
]


class Index(Section):
    """A global secondary index that is queried in place of a scan, partition by partition."""

    name: IndexName
    partitions: Annotated[tuple[PartitionValue, ...], sequence("a list of the partitions' values such as [a, b]")]

    @field_validator("partitions")
    @classmethod
    def _something_is_queried(cls, partitions: tuple[str, ...]) -> tuple[str, ...]:
        if not partitions:
            raise refusal("at least one partition", "list every value of the index's partition key, or remove index")
        return partitions


class Changes(Section):
    """What tells of changes: the table's stream, the service's exports, or an attribute of the items.

    `attribute` and `format` are set by attribute, and only then; deletes are then not seen.
    """

    by: _By
    attribute: NamedAttribute = Field(default=ABSENT, validate_default=True)
    format: _Format = Field(default=ABSENT, validate_default=True)
    index: Annotated[Index | None, BeforeValidator(given)] = None
    overlap: Annotated[timedelta, BeforeValidator(read_overlap)] = timedelta(minutes=5)
    enable: Flag = False
    on_gap: Annotated[Literal["fail", "full"], one_of("fail", "full")] = "fail"

    @field_validator("attribute", "format", mode="wrap")
    @classmethod
    def _tells_when_an_item_was_written(
        cls, found: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        by = info.data.get("by")
        return read_needed(found, read, needed=by == "attribute" if by else None, case="with by: attribute")

    @field_validator("index", "overlap")
    @classmethod
    def _items_are_searched(cls, value: Any, info: ValidationInfo) -> Any:
        return _only_by("attribute", value, info)

    @field_validator("enable")
    @classmethod
    def _a_stream_is_read(cls, value: Any, info: ValidationInfo) -> Any:
        return _only_by("stream", value, info)


def _only_by(by: str, value: Any, info: ValidationInfo) -> Any:
    if info.data.get("by", by) != by:
        raise refusal(f"only with by: {by}", "remove this key, or change by")
    return value
