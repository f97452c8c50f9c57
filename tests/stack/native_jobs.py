"""Export and import jobs: accepted at once, looked at by polling, done when somebody looked often enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from stack.native_calls import RefusalError

_TOKEN_SECONDS = 8 * 3600
"""How long a ClientToken stands for its job (API reference)."""

_MOST_LISTED = 25
"""On a page of ListExports or ListImports (API reference)."""


def job_id(at: float) -> str:
    """14 digits of milliseconds since the epoch and 8 hexadecimal ones, as in `01768385930622-efd1a093`."""
    return f"{int(at * 1000):014d}-{uuid4().hex[:8]}"


@dataclass
class Job:
    """One export or import."""

    arn: str
    region: str
    asked: dict[str, Any]  # the request that started it
    description: dict[str, Any]  # as the service shows it
    started_at: float  # epoch seconds
    ending: Callable[[], dict[str, Any]] | None  # does the work, returns what changes in the description; None: ended
    polls_left: int = 0


class Jobs:
    """The jobs of one kind, Export or Import; each is IN_PROGRESS for some polls."""

    def __init__(self, kind: str, in_progress_polls: int, now: Callable[[], float]) -> None:
        self._kind = kind
        self._polls = in_progress_polls
        self._now = now
        self._jobs: dict[str, Job] = {}

    @property
    def arns(self) -> list[str]:
        """Of all jobs, by their start."""
        return list(self._jobs)

    def of_token(self, token: str, region: str) -> Job | None:
        """The job that this ClientToken stands for in the region."""
        for job in self._jobs.values():
            young = self._now() - job.started_at < _TOKEN_SECONDS
            if young and (job.asked["ClientToken"], job.region) == (token, region):
                return job
        return None

    def all(self, region: str, table_arn: str | None) -> list[Job]:
        """The region's jobs, of one table if said so, by their start."""
        jobs = [job for job in self._jobs.values() if job.region == region]
        return [job for job in jobs if table_arn in {None, job.description["TableArn"]}]

    def running(self) -> list[Job]:
        """The jobs that have not ended."""
        return [job for job in self._jobs.values() if job.ending]

    def add(self, job: Job) -> None:
        """Accept the job."""
        job.polls_left = self._polls
        self._jobs[job.arn] = job

    def polled(self, arn: str) -> dict[str, Any]:
        """The description, after the work once the polls are used up; raises RefusalError."""
        job = self._jobs.get(arn)
        if job is None:
            raise RefusalError(f"{self._kind}NotFoundException", f"{self._kind} not found: {arn}")
        if job.ending and job.polls_left:
            job.polls_left -= 1
        elif job.ending:
            job.description |= job.ending()
            job.ending = None
        return job.description


def page_of(jobs: Sequence[Job], asked: dict[str, Any], size: str) -> tuple[Sequence[Job], dict[str, str]]:
    """As many jobs as the request's field `size` asks for, and the token that leads to the rest."""
    start = int(asked.get("NextToken", "0"))
    end = start + asked.get(size, _MOST_LISTED)
    return jobs[start:end], {"NextToken": f"{end:0112}"} if end < len(jobs) else {}  # clients refuse a shorter one


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed."""

    code: str
    message: str

    def shown(self) -> dict[str, str]:
        """As a description shows it."""
        return {"FailureCode": self.code, "FailureMessage": self.message}


def failure_of(error: ClientError) -> Failure:
    """What a job says of an error of S3; codes as measured: S3NoSuchBucket, S3AccessDenied (scylladb PR 31619)."""
    code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return Failure(f"S3{code}", f"{text} (Service: Amazon S3; Status Code: {status}; Error Code: {code})")
