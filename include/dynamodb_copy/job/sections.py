"""The parts of a job file that hold keys of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, model_validator

from dynamodb_copy.job.problems import UnknownKey
from dynamodb_copy.job.values import (
    ByteSize,
    Connection,
    Duration,
    Topic,
    read_share,
    read_units,
    refusal,
    whole,
)

_RATES = "{share: 0.25}, {units: 500} or unlimited"
_MOST_FULL_COPIES = 10_000
_MOST_DAYS = 36_500


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


class Keep(Section):
    """Which backups stay; a chain stays while either of the two, where it is given, wants it."""

    full: Annotated[int | None, BeforeValidator(whole(1, _MOST_FULL_COPIES))] = None
    days: Annotated[int | None, BeforeValidator(whole(1, _MOST_DAYS))] = None

    @model_validator(mode="after")
    def _something_is_kept(self) -> Self:
        if self.full is None and self.days is None:
            raise refusal("at least one of full and days", "add one, or delete keep")
        return self


class Objectives(Section):
    """What a drill has to meet: the time to recover, the age of what is recovered, and how much it may restore."""

    rto: Duration
    rpo: Duration
    max_bytes: ByteSize
