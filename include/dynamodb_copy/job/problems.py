"""Say what is wrong with a job file in a person's words: every problem with its key, its line and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dynamodb_copy.job.yaml_reader import UNREAD, Path, Problem

_SHOWN_CHARACTERS = 60


class UnknownKey(NamedTuple):
    """Takes the place of an unknown key's value, so that its error can tell what is allowed there."""

    allowed: tuple[str, ...]
    inner: Mapping[str, str] = MappingProxyType({})  # keys of the sections below, and the section that each belongs to


def field_problems(error: ValidationError, lines: Mapping[Path, int]) -> list[Problem]:
    """All of a validation's errors; those that follow from an unreadable value are left out."""
    found = error.errors(include_url=False)
    return [_field_problem(each, lines) for each in found if each["input"] is not UNREAD]


def _field_problem(error: ErrorDetails, lines: Mapping[Path, int]) -> Problem:
    path, found = error["loc"], error["input"]
    if isinstance(found, UnknownKey):
        return unknown_key(path, found, lines)
    return Problem(path, line_of(path, lines), f"found {_shown(found)}; {error['msg']}")


def unknown_key(path: Path, unknown: UnknownKey, lines: Mapping[Path, int]) -> Problem:
    """The problem of a key that has no meaning at its place."""
    advice = _advice(str(path[-1]), unknown)
    return Problem(path, line_of(path, lines), f"unknown key; allowed here: {', '.join(unknown.allowed)}; {advice}")


def _advice(key: str, unknown: UnknownKey) -> str:
    if key in unknown.inner:
        return f"move it below {unknown.inner[key]}"
    near = get_close_matches(key, unknown.allowed, n=2)
    return f"did you mean {' or '.join(near)}?" if near else "remove it"


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """The line of a key, or of the nearest key around it when it is missing."""
    known = (lines.get(path[:depth]) for depth in range(len(path), 0, -1))
    return next((line for line in known if line is not None), None)


def report(file: str, problems: Iterable[Problem]) -> str:
    """One message with all problems, in the file's order."""
    lines = [_report_line(each) for each in sorted(problems, key=lambda each: each.line or 0)]
    count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
    return "\n".join([f"{file}: {count}", *lines])


def _report_line(problem: Problem) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.path).lstrip(".")
    line = f"line {problem.line}" if problem.line else ""
    where = ", ".join(part for part in (line, _cut(path)) if part)
    return f"- {where}: {problem.text}" if where else f"- {problem.text}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return _cut(_flow(value))


def _flow(value: Any) -> str:
    """The value as one line of YAML."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
        case tuple():
            return "[" + ", ".join(_flow(inner) for inner in value) + "]"
        case bool() | None:
            return "null" if value is None else str(value).lower()
        case str():
            return ascii(value) if not value.isprintable() else f'"{value}"'
        case _:
            return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
