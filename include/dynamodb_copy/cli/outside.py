"""What every command shares: the outside that it asks, the outcome that it returns, and how it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Console

from dynamodb_copy import errors
from dynamodb_copy.assembly import Listing
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, Job, RestoreJob, S3At

PROGRAM = "python -m dynamodb_copy"

_WORDS: dict[type[Job], str] = {CopyJob: "copy", BackupJob: "backup", RestoreJob: "restore", DrillJob: "drill"}
_REFUSALS = (
    *(errors.TableError, errors.TargetRefusedError, errors.AccessError),
    *(errors.BucketRefusedError, errors.BackupRefusedError),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the command line asks of the outside."""

    open_run: Callable[[Job, str], Any]  # a run of the job's kind
    messages: Console  # on standard error; standard output is for results alone
    pause: Callable[[threading.Event, float], object]  # seconds at most, and no longer than the event is not set
    new_run_id: Callable[[], str]
    now: Callable[[], datetime]  # in UTC
    region_of: Callable[[str], str | None]  # a profile's own; raises ConnectionMissingError
    list_backups: Callable[[S3At], Listing]
    columns: int  # how wide a table on standard output may be


class Outcome(NamedTuple):
    """What a command found or did."""

    values: dict[str, Any]  # what --json prints
    text: str
    good: bool


class ArgumentsError(errors.PermanentError):
    """Arguments that cannot be, or not for a job of this kind; nothing was touched."""


class RefusedError(Exception):
    """Holds the reason; nothing was touched."""


@contextmanager
def before_anything_is_touched() -> Iterator[None]:
    """Raise RefusedError for what is then bad input or configuration."""
    try:
        yield
    except _REFUSALS as error:
        raise RefusedError(error) from error


def kind_word(job: Job) -> str:
    """What people call a job of this kind."""
    return _WORDS[type(job)]
