"""Read a job of any kind from the text of its file; the keys that it has say which kind it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job.incremental import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.job.kinds import COPIES, BackupJob, CopyJob, DrillJob, RestoreJob
from dynamodb_copy.job.model import Job
from dynamodb_copy.job.problems import UnknownKey, field_problems, report, unknown_key
from dynamodb_copy.job.yaml_reader import Document, Path, Problem, read_yaml

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,250}")  # what Airflow takes as a DAG id
_VERBS = ("copy", "restore", "drill")


def read_job(name: str, text: str, *, file: str = "") -> Job:
    """Read a job from the text of its file; raise JobFileError with everything that is wrong.

    `file` is what errors call it; by default the job's name.
    """
    document = read_yaml(text)
    job, wrong = _validated(document, {"name": name, "text": text})
    problems = [*_name_problems(name), *document.problems, *wrong]
    if problems or job is None:
        raise JobFileError(report(file or name, problems))
    return job


def _validated(document: Document, not_written: Mapping[str, str]) -> tuple[Job | None, list[Problem]]:
    """The job, None if it cannot be made, and what is wrong beside the YAML."""
    values, lines = document.values, document.lines
    if values is None:
        return None, []
    kind = _kind_of(values)
    if kind is None:
        return None, [_kind_problem(values, lines)]
    wrong = [unknown_key((key,), UnknownKey(kind.keys()), lines) for key in not_written if key in values]
    try:
        return kind.model_validate({**values, **not_written}), wrong
    except ValidationError as error:
        return None, [*wrong, *field_problems(error, lines)]


def _kind_of(values: Mapping[str, Any]) -> type[Job] | None:
    match [verb for verb in _VERBS if verb in values]:
        case ["drill"]:
            return DrillJob
        case ["restore"]:
            return RestoreJob
        case ["copy"]:
            return _kind_of_copy(values)
    return None


def _kind_of_copy(values: Mapping[str, Any]) -> type[Job]:
    """The kind that a copy is or, by a slip of the keyboard, was to be."""
    said, target = values["copy"], values.get("to")
    of_changes = isinstance(said, str) and get_close_matches(said, COPIES, n=1) == ["incremental"]
    if isinstance(target, dict) and "s3" in target:
        return IncrementalBackupJob if of_changes else BackupJob
    return IncrementalJob if of_changes else CopyJob


def _kind_problem(values: Mapping[str, Any], lines: Mapping[Path, int]) -> Problem:
    verbs = [verb for verb in _VERBS if verb in values]
    allowed = f"exactly one of {', '.join(_VERBS)}"
    if verbs:
        path = max([(verb,) for verb in verbs], key=lambda path: lines[path])
        advice = "keep one, or write a file for each"
        return Problem(path, lines[path], f"found {' and '.join(verbs)} in one file; allowed: {allowed}; {advice}")
    return Problem((), None, f"found none of {', '.join(_VERBS)}; allowed: {allowed}; {_verb_advice(values)}")


def _verb_advice(values: Iterable[str]) -> str:
    for key in values:
        for verb in get_close_matches(key, _VERBS, n=1):
            return f"did you mean {verb} in place of {key}?"
    return "say what the job does, as in copy: full"


def _name_problems(name: str) -> list[Problem]:
    if _NAME.fullmatch(name):
        return []
    allowed = "1 to 250 of a-z A-Z 0-9 _ . -, for it is the job's name and the DAG's id"
    return [Problem((), None, f"found the file name {name!r}; allowed: {allowed}; rename the file")]
