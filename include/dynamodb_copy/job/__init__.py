"""Jobs and the folder they are in: one YAML file each; a bad file never hides another."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job.changes import Changes, Index
from dynamodb_copy.job.clashes import clashes
from dynamodb_copy.job.incremental import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.job.kinds import BackupJob, CopyJob, DrillJob, RestoreJob
from dynamodb_copy.job.model import Job
from dynamodb_copy.job.places import (
    BackupTarget,
    DrillTarget,
    IncrementalTarget,
    KeyAttribute,
    Mirror,
    RestoreTarget,
    S3At,
    SourceTable,
    TableKeys,
    TargetTable,
)
from dynamodb_copy.job.preconditions import Precondition
from dynamodb_copy.job.problems import report
from dynamodb_copy.job.reading import read_job
from dynamodb_copy.job.sections import Keep, Notify, Objectives, Rate, Share, Units, Unlimited
from dynamodb_copy.job.values import MaxDeletes
from dynamodb_copy.job.yaml_reader import MAX_BYTES, Problem

__all__ = [
    "BackupJob",
    "BackupTarget",
    "Changes",
    "CopyJob",
    "DrillJob",
    "DrillTarget",
    "IncrementalBackupJob",
    "IncrementalJob",
    "IncrementalTarget",
    "Index",
    "Job",
    "JobFolder",
    "Keep",
    "KeyAttribute",
    "MaxDeletes",
    "Mirror",
    "Notify",
    "Objectives",
    "Precondition",
    "Rate",
    "RestoreJob",
    "RestoreTarget",
    "S3At",
    "Share",
    "SourceTable",
    "TableKeys",
    "TargetTable",
    "Units",
    "Unlimited",
    "jobs_folder",
    "load_folder",
    "load_job",
    "read_job",
]

_JOBS_DIR_VARIABLE = "DYNAMODB_COPY_JOBS_DIR"
_SUFFIXES = frozenset({".yaml", ".yml"})


def load_job(path: Path) -> Job:
    """Read one job file; its stem is the job's name. Raise JobFileError with everything that is wrong."""
    return read_job(path.stem, _text_of(path), file=str(path))


def _text_of(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise JobFileError(_one_error(path, "found something else than a file; allowed: a YAML file; move it away"))
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise JobFileError(_one_error(path, f"cannot be read: {error.strerror}; check the path and rights")) from error
    if len(content) > MAX_BYTES:
        advice = "write one small file per job"
        raise JobFileError(_one_error(path, f"found more than {MAX_BYTES} bytes; allowed: at most that; {advice}"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"found byte 0x{content[error.start]:02x} at position {error.start}"
        raise JobFileError(_one_error(path, f"{found}; allowed: UTF-8 text; save the file as UTF-8")) from error


def _one_error(path: Path, text: str) -> str:
    return report(str(path), [Problem((), None, text)])


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The jobs of a folder, sorted by file name, and what is wrong with the other files, by file name."""

    jobs: list[Job]
    errors: dict[str, str]


def jobs_folder() -> Path:
    """The folder that DYNAMODB_COPY_JOBS_DIR names, or `jobs` beside this package."""
    named = os.environ.get(_JOBS_DIR_VARIABLE)
    return Path(named) if named else Path(__file__).parents[2] / "jobs"


def load_folder(folder: Path) -> JobFolder:
    """Read every job file of a folder, hidden ones aside; bad files and clashes become errors, never exceptions."""
    try:
        paths = sorted(path for path in folder.iterdir() if _is_job_file(path))
    except OSError as error:
        advice = f"create it, or let {_JOBS_DIR_VARIABLE} name the folder of the job files"
        return JobFolder([], {str(folder): _one_error(folder, f"cannot be read: {error.strerror}; {advice}")})
    jobs: dict[Path, Job] = {}
    errors: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        try:
            jobs[path] = load_job(path)
        except JobFileError as error:
            errors[path.name].append(str(error))
    for path, clash in clashes(paths, jobs):
        errors[path.name].append(_one_error(path, clash))
    return JobFolder(
        [job for path, job in jobs.items() if path.name not in errors],
        {name: "\n".join(texts) for name, texts in sorted(errors.items())},
    )


def _is_job_file(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not path.name.startswith(".")
