"""The parts of a job file that hold keys of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dynamodb_copy.job.problems import UnknownKey
from dynamodb_copy.job.values import (
    Connection,
    KmsKey,
    MaxDeletes,
    ObjectUri,
    PrefixUri,
    Region,
    TableName,
    Topic,
    one_of,
    read_max_deletes,
    read_share,
    read_units,
    refusal,
)
from dynamodb_copy.model import TableRef

_RATES = "{share: 0.25}, {units: 500} or unlimited"


class Section(BaseModel):
    """A mapping with known keys; all that is wrong in it is found at once."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The keys that may be written here, in the order of the reference."""
        return tuple([field.alias or name for name, field in cls.model_fields.items()])

    @classmethod
    def inner_keys(cls) -> dict[str, str]:
        """The keys of the sections below this one, each with its section; a key that two share goes to the last."""
        return {
            key: field.alias or name
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
            for key in field.annotation.keys()  # noqa: SIM118  # a class, not a dict
        }

    @model_validator(mode="before")
    @classmethod
    def _meet_every_key(cls, found: Any) -> Any:
        """Let missing keys be refused by their own checks, and unknown ones with the list of what is allowed."""
        keys = cls.keys()
        if not isinstance(found, dict):
            raise refusal(f"a mapping with keys of {', '.join(keys)}", "write {key: value, …} or indented lines")
        needed = {field.alias or name: None for name, field in cls.model_fields.items() if field.is_required()}
        known = {*keys, *needed}
        return needed | {
            key: value if key in known else UnknownKey(keys, cls.inner_keys()) for key, value in found.items()
        }


class TableAt(Section):
    """A table, where it is, and the connection that reaches it."""

    table: TableName
    region: Region
    connection: Connection

    @property
    def ref(self) -> TableRef:
        """The same as the value that travels."""
        return TableRef(self.table, self.region, self.connection)


class SourceTable(TableAt):
    """The table that is read."""


class Mirror(Section):
    """A full copy that also deletes what the source no longer has."""

    max_deletes: Annotated[MaxDeletes, PlainValidator(read_max_deletes)]


def _read_mirror(found: Any) -> Mirror | Literal[False]:
    if found is False:
        return False
    if isinstance(found, dict):
        return Mirror.model_validate(found)
    raise refusal("false or {max_deletes: 5%}", "say with max_deletes how much one run may delete")


class TargetTable(TableAt):
    """The table that is written, and what may happen to what it holds."""

    kms_key: KmsKey = None
    existing: Annotated[Literal["refuse", "allow"], one_of("refuse", "allow")] = "refuse"
    mirror: Annotated[Mirror | Literal[False], PlainValidator(_read_mirror)] = False

    @field_validator("kms_key")
    @classmethod
    def _key_is_in_the_targets_region(cls, kms_key: str, info: ValidationInfo) -> str:
        region = info.data.get("region")
        if region and kms_key.startswith("arn:") and kms_key.split(":")[3] != region:
            raise refusal(
                f"a key of the target's region {region}", "KMS keys are regional: name a key or replica there"
            )
        return kms_key


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the table's capacity, 0.01 to 1.0."""

    share: float


@dataclass(frozen=True, slots=True)
class Units:
    """Capacity units per second."""

    units: float


@dataclass(frozen=True, slots=True)
class Unlimited:
    """As fast as the table answers."""


Rate = Share | Units | Unlimited


class _RateKeys(Section):
    share: Annotated[float | None, BeforeValidator(read_share)] = None
    units: Annotated[float | None, BeforeValidator(read_units)] = None


def _read_rate(found: Any) -> Rate:
    if found == "unlimited":
        return Unlimited()
    if not isinstance(found, dict):
        raise refusal(_RATES, _rate_advice(found))
    keys = _RateKeys.model_validate(found)
    if keys.share is not None and keys.units is None:
        return Share(keys.share)
    if keys.units is not None and keys.share is None:
        return Units(keys.units)
    raise refusal(_RATES, "give exactly one of share and units")


def _rate_advice(found: Any) -> str:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return "write one of these"
    return f"did you mean {{share: {found}}}?" if found <= 1 else f"did you mean {{units: {found}}}?"


RateValue = Annotated[Rate, PlainValidator(_read_rate)]


class Notify(Section):
    """SNS topics that hear of a run, and the connection that publishes to them."""

    connection: Connection
    on_failure: Topic = None
    on_late: Topic = None
    on_success: Topic = None

    @model_validator(mode="after")
    def _someone_is_told(self) -> Self:
        if not (self.on_failure or self.on_late or self.on_success):
            raise refusal("at least one of on_failure, on_late and on_success", "add one, or delete notify")
        return self


class ObjectAt(Section):
    """An S3 object and the connection that reaches it."""

    s3: ObjectUri
    connection: Connection


class PrefixAt(Section):
    """An S3 prefix and the connection that reaches it."""

    s3: PrefixUri
    connection: Connection


class Precondition(Section):
    """What must hold before anything is read; exactly one of the four is set."""

    table_exists: TableAt | None = None
    table_has_items: TableAt | None = None
    s3_key_exists: ObjectAt | None = None
    s3_prefix_not_empty: PrefixAt | None = None


def read_precondition(found: Any) -> Any:
    """Check that a list item names one precondition; its keys have checks of their own."""
    if isinstance(found, dict) and (len(found) != 1 or None in found.values()):
        raise refusal(f"exactly one of {', '.join(Precondition.keys())}", "start each with a dash of its own")
    return found
