"""When a job runs: a cron expression, a preset, an interval, without pause, or by hand."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple

from dynamodb_copy.job.values import read_duration, refusal

CONTINUOUS = "continuous"
PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
_ALLOWED = f'manual, every 15m, {CONTINUOUS}, {", ".join(PRESETS)}, or five cron fields in UTC such as "0 2 * * *"'
_WORDS = ("manual", CONTINUOUS, *PRESETS)
_LEAST_SECONDS = 60
_LONGEST_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]{1,2}))?")


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # of `low` and its successors


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def read_schedule(found: Any) -> str | None:
    """Return the schedule with single spaces, or None for `manual`; raise a refusal for anything else."""
    if not isinstance(found, str):
        raise refusal(_ALLOWED, "write one of these")
    text = " ".join(found.split())
    if text == "manual":
        return None
    if text.startswith("every "):
        return _every(text)
    if text not in {CONTINUOUS, *PRESETS}:
        _check_cron(text)
    return text


def interval_of(schedule: str | None) -> timedelta | None:
    """The length of an `every 15m`; None for all other schedules."""
    if schedule is None or not schedule.startswith("every "):
        return None
    return read_duration(schedule.removeprefix("every "))


def _every(text: str) -> str:
    interval = interval_of(text)
    if interval and interval.total_seconds() >= _LEAST_SECONDS:
        return text
    raise refusal("every 1m or more", "give the copy the time it needs")


def _check_cron(text: str) -> None:
    fields = text.lower().split(" ")
    if len(fields) != len(_FIELDS):
        raise refusal(_ALLOWED, _advice(text, len(fields)))
    try:
        chosen = [_values(field, part) for field, part in zip(_FIELDS, fields, strict=True)]
        _check_some_day_fits(chosen[2], chosen[3], weekday=fields[4])
    except ValueError as error:
        raise refusal(_ALLOWED, str(error)) from error


def _advice(text: str, count: int) -> str:
    if re.fullmatch(r"[0-9]+[smhd]", text):
        return f"did you mean every {text}?"
    near = get_close_matches(text, _WORDS, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"a cron expression has 5 fields, this has {count}" if count > 1 else "write one of these"


def _values(field: _Field, text: str) -> set[int]:
    """All the numbers that one cron field stands for; ValueError says which part is wrong."""
    return {number for part in text.split(",") for number in _part_values(field, part)}


def _part_values(field: _Field, part: str) -> range:
    match = _PART.fullmatch(part)
    if not match or (match[1] == "*" and match[2]) or (match[3] and match[1] != "*" and not match[2]):
        raise ValueError(f"the {field.name} {part!r} is not *, */5, 3, 1-5, 1-9/2 or a list of these")
    low = field.low if match[1] == "*" else _number(field, match[1])
    high = field.high if match[1] == "*" else _number(field, match[2] or match[1])
    if low > high:
        raise ValueError(f"the {field.name} range {part!r} runs backwards: write two ranges, separated by a comma")
    return range(low, high + 1, _step(field, match[3]))


def _number(field: _Field, word: str) -> int:
    if word in field.names:
        return field.low + field.names.index(word)
    if re.fullmatch(r"[0-9]{1,2}", word) and field.low <= int(word) <= field.high:
        return int(word)
    raise ValueError(f"the {field.name} {word!r} is not {field.low}-{field.high}")


def _step(field: _Field, text: str | None) -> int:
    step = int(text or 1)
    if 1 <= step <= field.high:
        return step
    raise ValueError(f"the {field.name} step /{text} is not 1-{field.high}; for other rhythms write every 90m or alike")


def _check_some_day_fits(days: set[int], months: set[int], *, weekday: str) -> None:
    if weekday == "*" and min(days) > max(_LONGEST_MONTH_DAYS[month - 1] for month in months):
        raise ValueError(f"day {min(days)} does not exist in the months chosen: the job would never run")
