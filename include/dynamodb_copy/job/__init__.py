"""Jobs and the folder they are in: one YAML file each; a bad file never hides another."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job.model import Job
from dynamodb_copy.job.problems import report
from dynamodb_copy.job.sections import (
    Mirror,
    Notify,
    Precondition,
    Rate,
    Share,
    SourceTable,
    TargetTable,
    Units,
    Unlimited,
)
from dynamodb_copy.job.values import MaxDeletes
from dynamodb_copy.job.yaml_reader import MAX_BYTES, Problem

__all__ = [
    "Job",
    "JobFolder",
    "MaxDeletes",
    "Mirror",
    "Notify",
    "Precondition",
    "Rate",
    "Share",
    "SourceTable",
    "TargetTable",
    "Units",
    "Unlimited",
    "jobs_folder",
    "load_folder",
    "load_job",
]

_JOBS_DIR_VARIABLE = "DYNAMODB_COPY_JOBS_DIR"
_SUFFIXES = frozenset({".yaml", ".yml"})


def load_job(path: Path) -> Job:
    """Read one job file; its stem is the job's name. Raise JobFileError with everything that is wrong."""
    return Job.from_text(path.stem, _text_of(path), file=str(path))


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
    for path, clash in [*_same_names(paths), *_same_targets(jobs)]:
        errors[path.name].append(_one_error(path, clash))
    return JobFolder(
        [job for path, job in jobs.items() if path.name not in errors],
        {name: "\n".join(texts) for name, texts in sorted(errors.items())},
    )


def _is_job_file(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not path.name.startswith(".")


def _same_names(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path, others in _sharing({path: path.stem for path in paths}):
        yield path, f"found another file for the same job: {others}; allowed: one; remove or rename one of them"


def _same_targets(jobs: Mapping[Path, Job]) -> Iterator[tuple[Path, str]]:
    for path, others in _sharing({path: job.target.ref for path, job in jobs.items()}):
        target = jobs[path].target
        found = f"{others} writes the same target, {target.table} in {target.region} over {target.connection}"
        yield path, f"found that {found}; allowed: one job per target; remove one, or give it another target"


def _sharing(values: Mapping[Path, Hashable]) -> Iterator[tuple[Path, str]]:
    """Each path whose value others have too, with the names of these others."""
    holders = defaultdict(list)
    for path, value in values.items():
        holders[value].append(path)
    for path, value in values.items():
        others = [other.name for other in holders[value] if other != path]
        if others:
            yield path, ", ".join(others)
