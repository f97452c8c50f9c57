"""What every command shares: the outside that it asks, the outcome that it returns, and how it refuses."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError
from rich.console import Console

from dynamodb_copy import errors
from dynamodb_copy.assembly import ChainReport, Listing
from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
    S3At,
)

PROGRAM = "python -m dynamodb_copy"

_WORDS: dict[type[Job], str] = {
    CopyJob: "a copy",
    BackupJob: "a backup",
    IncrementalJob: "an incremental copy",
    IncrementalBackupJob: "an incremental backup",
    RestoreJob: "a restore",
    DrillJob: "a drill",
}
_ARGUMENTS = {"s3": "S3URI", "region": "--region", "connection": "--profile"}
_REFUSALS = (
    *(errors.TableError, errors.TargetRefusedError, errors.AccessError),
    *(errors.BucketRefusedError, errors.BackupRefusedError, errors.ChangesLostError),
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
    check_chains: Callable[[S3At, bool], ChainReport]  # the flag: whether every part is read
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


def place_of(arguments: Namespace, outside: Surroundings) -> S3At:
    """The place that a command names by S3URI, --profile and --region; raises ArgumentsError for what is none."""
    region = arguments.region or outside.region_of(arguments.profile)
    if region is None:
        raise ArgumentsError(
            f"--region: profile {arguments.profile!r} names no region; give --region, or add a line such as "
            f"`region = us-west-2` to [profile {arguments.profile}]"
        )
    try:
        return S3At.model_validate({"s3": arguments.s3uri, "region": region, "connection": arguments.profile})
    except ValidationError as error:
        wrong = [
            f"{_ARGUMENTS[str(each['loc'][0])]}: found {each['input']!r}; {each['msg']}" for each in error.errors()
        ]
        raise ArgumentsError("\n".join(wrong)) from error


def kind_word(job: Job) -> str:
    """What people call a job of this kind, with its article."""
    return _WORDS[type(job)]
