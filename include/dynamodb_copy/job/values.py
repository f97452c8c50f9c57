"""The single values of a job file: what each may be, and the words that refuse anything else.

Every check takes what YAML gave and returns the value meant, or raises a refusal; pydantic collects them all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_BYTE_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(B|KB|MB|GB|TB)")
_BYTES_PER = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=365)
_FIRST_YEAR = 2000  # an earlier one is a slip of the keyboard, and with catch_up millions of runs
_LEAST_SHARE = 0.01
_FULL_SHARE = 1.0
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_ALL_PERCENT = 100


def refusal(allowed: str, advice: str) -> PydanticCustomError:
    """The error for a value that may not be: what is allowed, and what to do next."""
    return PydanticCustomError("job_file", "{why}", {"why": f"allowed: {allowed}; {advice}"})


def text_like(pattern: str, allowed: str) -> BeforeValidator:
    """A check for text that matches the whole pattern."""
    shape = re.compile(pattern)

    def check(found: Any) -> str:
        if isinstance(found, str) and shape.fullmatch(found):
            return found
        raise refusal(allowed, _text_advice(found))

    return BeforeValidator(check)


def _text_advice(found: Any) -> str:
    if found is None:
        return "give it a value"
    if isinstance(found, bool | int | float):
        return "YAML does not read it as text: put it in quotes"
    return "correct it"


def one_of(*words: str) -> BeforeValidator:
    """A check for one of a few words."""

    def check(found: Any) -> str:
        if isinstance(found, str) and found in words:
            return found
        raise refusal(" or ".join(words), "write one of these" if len(words) > 1 else "write this")

    return BeforeValidator(check)


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A check for a whole number in a range."""

    def check(found: Any) -> int:
        if isinstance(found, int) and not isinstance(found, bool) and low <= found <= high:
            return found
        quoted = isinstance(found, str) and found.isdecimal()
        raise refusal(f"a whole number, {low} to {high}", "remove the quotes" if quoted else "choose one in that range")

    return check


def sequence(allowed: str) -> BeforeValidator:
    """A check for a list; its items have checks of their own."""

    def check(found: Any) -> tuple[Any, ...]:
        if isinstance(found, tuple):
            return found
        raise refusal(allowed, "write a list, or delete the key")

    return BeforeValidator(check)


def given(found: Any) -> Any:
    """Check that an optional mapping is not left empty: that would silently mean that it is absent."""
    if found is None:
        raise refusal("a mapping", "fill it in, or delete the key")
    return found


def read_flag(found: Any) -> bool:
    """Check for a boolean; `yes` and `on` are text here, as in YAML 1.2."""
    if isinstance(found, bool):
        return found
    meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(found).lower(), "one of the two")
    raise refusal("true or false", f"write {meant}, without quotes")


def read_duration(found: Any) -> timedelta:
    """Read `90s`, `15m`, `6h` or `30d`."""
    return _duration(found, least_seconds=1)


def read_overlap(found: Any) -> timedelta:
    """Read a duration that may also be `0s`."""
    return _duration(found, least_seconds=0)


def _duration(found: Any, *, least_seconds: int) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,8})([smhd])", found) if isinstance(found, str) else None
    length = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if length is not None and timedelta(seconds=least_seconds) <= length <= _LONGEST:
        return length
    bare = isinstance(found, int) and not isinstance(found, bool)
    advice = f"add the unit, as in {found}s or {found}m" if bare else "write one number and one unit"
    raise refusal(f"a duration of {least_seconds}s to 365d such as 90s, 15m, 6h or 30d", advice)


def read_byte_size(found: Any) -> int:
    """Read `500GB`, `1.5TB` or `20MB` into bytes; the units are decimal."""
    match = _BYTE_SIZE.fullmatch(found) if isinstance(found, str) else None
    size_bytes = Decimal(match[1]) * _BYTES_PER[match[2]] if match else Decimal(0)
    if size_bytes >= 1 and size_bytes == int(size_bytes):
        return int(size_bytes)
    bare = isinstance(found, int | float) and not isinstance(found, bool)
    advice = f"add the unit, as in {found}GB" if bare else "write one number and one unit"
    raise refusal("a size of B, KB, MB, GB or TB, such as 500GB or 1.5TB, and at least 1B", advice)


def read_instant(found: Any) -> datetime:
    """Read an ISO 8601 moment into UTC; a date alone is its midnight, a moment without an offset is UTC already."""
    try:
        moment = datetime.fromisoformat(found)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise refusal("a date or moment such as 2026-12-01 or 2026-12-01T02:00:00Z", "write it that way") from None
    if moment.year < _FIRST_YEAR:
        raise refusal(f"a moment from {_FIRST_YEAR} on", "check the year")
    return moment


def read_share(found: Any) -> float:
    """Check for a share of a table's capacity."""
    number = _finite(found)
    if number is not None and _LEAST_SHARE <= number <= _FULL_SHARE:
        return number
    percent = _PERCENT.fullmatch(found) if isinstance(found, str) else None
    meant = float(percent[1]) if percent else number
    advice = "choose a share in that range"
    if meant is not None and _FULL_SHARE <= meant <= _ALL_PERCENT:
        advice = f"{found} is out of range, did you mean {meant / _ALL_PERCENT:g}?"
    raise refusal(f"{_LEAST_SHARE} to {_FULL_SHARE}, where {_FULL_SHARE} is the whole capacity", advice)


def read_units(found: Any) -> float:
    """Check for capacity units per second."""
    number = _finite(found)
    if number is not None and number > 0:
        return number
    raise refusal("a number of capacity units per second above 0", "choose one, or write unlimited in place of units")


def _finite(found: Any) -> float | None:
    is_number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if is_number else None


@dataclass(frozen=True, slots=True)
class MaxDeletes:
    """The most that one mirror may delete: a number of items, or a percentage of the target's."""

    count: int | None = None
    percent: Decimal | None = None

    def limit(self, target_items: int) -> int:
        """The number of deletes allowed in a target that holds so many items, rounded down."""
        if self.percent is None:
            return self.count or 0
        return int(target_items * self.percent / _ALL_PERCENT)


def read_max_deletes(found: Any) -> MaxDeletes:
    """Read `5%` or `100`."""
    if isinstance(found, int) and not isinstance(found, bool) and found > 0:
        return MaxDeletes(count=found)
    percent = _PERCENT.fullmatch(found) if isinstance(found, str) else None
    if percent and 0 < Decimal(percent[1]) <= _ALL_PERCENT:
        return MaxDeletes(percent=Decimal(percent[1]))
    number = _finite(found)
    advice = "say how much one run may delete"
    if number is not None and 0 < number < 1:
        advice = f"did you mean {number * _ALL_PERCENT:g}%?"
    raise refusal("a percentage of the target's items such as 5%, or a number of items such as 100", advice)


_BUCKET = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_ARN = r"arn:aws[a-z-]*:"

TableName = Annotated[str, text_like(r"[a-zA-Z0-9_.-]{3,255}", "a table's name: 3 to 255 of a-z A-Z 0-9 _ . -")]
Region = Annotated[str, text_like(r"[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}", "an AWS region such as us-east-1")]
Connection = Annotated[
    str,
    text_like(r"[\w#!()\-.:/\\]{1,250}", "the name of a connection, since nothing falls back to default credentials"),
]
KmsKey = Annotated[
    str | None,
    text_like(
        r"alias/[a-zA-Z0-9/_-]{1,250}|(mrk-)?[0-9a-f-]{32,36}"
        rf"|{_ARN}kms:[a-z0-9-]+:[0-9]{{12}}:(key|alias)/[a-zA-Z0-9/_-]{{1,250}}",
        "a KMS key of the target's region: its id, alias/name or ARN",
    ),
]
Topic = Annotated[
    str | None,
    text_like(
        rf"{_ARN}sns:[a-z0-9-]+:[0-9]{{12}}:[a-zA-Z0-9_-]{{1,256}}",
        "the ARN of a standard SNS topic such as arn:aws:sns:us-west-2:123456789012:oncall",
    ),
]
ObjectUri = Annotated[str, text_like(_BUCKET + r"/[^\x00-\x1f]{1,1024}", "an object such as s3://bucket/key")]
PrefixUri = Annotated[str, text_like(_BUCKET + r"/[^\x00-\x1f]{0,1024}", "a prefix such as s3://bucket/prefix/")]
_BACKUP_URI = text_like(
    _BUCKET + r"(?=[^\x00-\x1f]{0,1025}\Z)(/[^/]+)*/?",
    "a bucket, or better a prefix in it, such as s3://bucket/prefix",
)
BackupUri = Annotated[str, _BACKUP_URI]
StagingUri = Annotated[str | None, _BACKUP_URI]
_ATTRIBUTE_NAME = text_like(r"[^\x00-\x1f]{1,255}", "an attribute's name: 1 to 255 characters")
AttributeName = Annotated[str, _ATTRIBUTE_NAME]
NamedAttribute = Annotated[str | None, _ATTRIBUTE_NAME]
IndexName = Annotated[str, text_like(r"[a-zA-Z0-9_.-]{3,255}", "an index's name: 3 to 255 of a-z A-Z 0-9 _ . -")]
PartitionValue = Annotated[str, text_like(r"(?s).{1,2048}", "a text of 1 to 2048 characters")]
AccountId = Annotated[str | None, text_like(r"[0-9]{12}", "the 12 digits of the bucket owner's AWS account, as text")]
Description = Annotated[str, text_like(r"(?s).*", "a text")]
Label = Annotated[str, text_like(r"\S(.{0,98}\S)?", "a text of 1 to 100 characters")]
AirflowName = Annotated[str | None, text_like(r"\S(.{0,254}\S)?", "a name of 1 to 256 characters")]
Flag = Annotated[bool, BeforeValidator(read_flag)]
Duration = Annotated[timedelta, BeforeValidator(read_duration)]
ByteSize = Annotated[int, BeforeValidator(read_byte_size)]
