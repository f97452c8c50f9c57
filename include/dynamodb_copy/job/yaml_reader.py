"""Read a job file's YAML into plain values, with the line of each key and all that is wrong with the YAML itself.

Only what job files need is understood: no anchors, no tags, one document. Plain scalars follow YAML 1.2, so that
`on`, `no`, `12:30` and `2026-12-01` stay the text that a person typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import yaml

MAX_BYTES: Final = 64 * 1024
"""The largest job file that is read."""

Path = tuple[str | int, ...]

_MAX_DEPTH = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18}|[0-9]{1,18}(?=[eE]))([eE][-+]?[0-9]{1,3})?")
_QUOTE = 'a value that begins with @, *, &, !, % or ` needs quotes, as in schedule: "@daily" or "*/15 * * * *"'
_ADVICE = (
    ("a tab", "indent with spaces, not with tabs"),
    ("cannot start any token", _QUOTE),
    ("alias", _QUOTE),
    ("anchor", _QUOTE),
    ("tag", _QUOTE),
    ("directive", _QUOTE),
    ("mapping values are not allowed", 'put a text that contains ": " in quotes, and check the indentation'),
    ("could not find expected ':'", "write key: value, with a space after the colon"),
    ("characters are not allowed", "save the file as plain UTF-8 text"),
)


class _Unread:
    def __repr__(self) -> str:
        return "…"


UNREAD: Final = _Unread()
"""Stands for a value that could not be read and was already complained about."""


class Problem(NamedTuple):
    """One thing that is wrong, with the key's path and line where they are known."""

    path: Path
    line: int | None  # from 1
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says; `values` is None when no keys could be read at all."""

    values: dict[str, Any] | None
    lines: dict[Path, int]
    problems: list[Problem]


def read_yaml(text: str) -> Document:
    """Read one mapping; never raises, whatever the text is."""
    refused = _refused_unseen(text)
    if refused:
        return Document(None, {}, [refused])
    reader = _Reader(text)
    try:
        value = reader.document()
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two: PyYAML without libyaml
        return Document(None, {}, [*reader.problems, _syntax_problem(text, error)])
    if isinstance(value, dict):
        return Document(value, reader.lines, reader.problems)
    if value is not UNREAD:
        reader.problems.append(_not_a_mapping(value))
    return Document(None, reader.lines, reader.problems)


def _refused_unseen(text: str) -> Problem | None:
    """Bound the work before the parser sees the text."""
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError:
        return Problem((), None, "found characters that UTF-8 cannot hold; save the file as plain UTF-8 text")
    if size_bytes <= MAX_BYTES:
        return None
    return Problem((), None, f"found {size_bytes} bytes; allowed: at most {MAX_BYTES}; write one small file per job")


def _syntax_problem(text: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    said = said or str(error).partition("\n")[0]
    if mark and text[mark.index : mark.index + 1] == "\t":
        said += ": a tab"
    known = (advice for sign, advice in _ADVICE if sign in said)
    advice = next(known, "check quotes, brackets and indentation at that place")
    return Problem((), mark.line + 1 if mark else None, f"not valid YAML: {said}; {advice}")


def _not_a_mapping(value: Any) -> Problem:
    found = "an empty file" if value is None else "a list" if isinstance(value, tuple) else "a single value"
    return Problem((), None, f"found {found}; allowed: lines of key: value; start with copy: full, from: and to:")


class _Reader:
    """Builds values from parser events: memory and depth stay bounded, and every node's line is at hand."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)

    def document(self) -> Any:
        """Return the only document's value, or None if there is none."""
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._node(next(self._events), ())
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._complain((), after, "found a second document; allowed: one job per file; move it to its own file")
        return value

    def _node(self, event: yaml.Event, path: Path) -> Any:
        self.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._unread(path, event, f"found the YAML alias *{event.anchor}")
        plain = self._accepts(event, path)
        value = self._content(event, path)
        return value if plain else UNREAD

    def _accepts(self, event: Any, path: Path) -> bool:
        if event.anchor is not None:
            self._unread(path, event, f"found the YAML anchor &{event.anchor}")
        if event.tag is not None:
            self._unread(path, event, f"found the YAML tag {event.tag}")
        return event.anchor is None and event.tag is None

    def _content(self, event: Any, path: Path) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        if len(path) >= _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_MAX_DEPTH} levels", problem_mark=event.start_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            items = enumerate(self._until(yaml.SequenceEndEvent))
            return tuple([self._node(item, (*path, index)) for index, item in items])
        return self._mapping(path)

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._key(event, path)
            line = _line(event)
            first_line = self.lines.setdefault((*path, key), line)
            value = self._node(next(self._events), (*path, key))
            if key in values:
                self._complain((*path, key), event, f"given twice, in lines {first_line} and {line}; keep one of them")
            values.setdefault(key, value)
        return values

    def _key(self, event: Any, path: Path) -> str:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        raise yaml.MarkedYAMLError(
            problem=f"a key in {'.'.join(map(str, path)) or 'the file'} is not a word", problem_mark=event.start_mark
        )

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _unread(self, path: Path, event: Any, found: str) -> Any:
        advice = "put it in quotes if it is meant as text, else write the value out"
        self._complain(path, event, f"{found}; allowed: plain values; {advice}")
        return UNREAD

    def _complain(self, path: Path, event: yaml.Event, text: str) -> None:
        self.problems.append(Problem(path, _line(event), text))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(text: str) -> str | int | float | bool | None:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
