"""What the arguments ask of a run, and which of them mean something for its kind of job."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dynamodb_copy.cli.outside import PROGRAM, ArgumentsError, kind_word
from dynamodb_copy.job import DrillJob, Job, RestoreJob


@dataclass(frozen=True, slots=True)
class Asked:
    """One run, as its arguments ask for it."""

    jobfile: Path
    run_id: str
    continued: bool
    as_of: datetime | None
    keep_scratch: bool

    @property
    def again(self) -> str:
        """The command that continues this run, with all that it was asked for."""
        words = [*PROGRAM.split(), "run", str(self.jobfile), "--run-id", self.run_id]
        if self.as_of is not None:
            words += ["--as-of", self.as_of.isoformat()]
        if self.keep_scratch:
            words.append("--keep-scratch")
        return shlex.join(words)


def asked_of_run(job: Job, arguments: argparse.Namespace, new_run_id: str) -> Asked:
    """What `run` was asked for; raises ArgumentsError for an option that the job's kind does not have."""
    require_kind(job, "--as-of", given=arguments.as_of is not None, kinds=(RestoreJob, DrillJob))
    require_kind(job, "--keep-scratch", given=arguments.keep_scratch, kinds=(DrillJob,))
    return Asked(
        jobfile=arguments.jobfile,
        run_id=arguments.run_id or new_run_id,
        continued=arguments.run_id is not None,
        as_of=arguments.as_of,
        keep_scratch=arguments.keep_scratch,
    )


def require_kind(job: Job, option: str, *, given: bool, kinds: tuple[type[Job], ...]) -> None:
    """Raise ArgumentsError for an option that is given with a job of another kind than these."""
    if given and not isinstance(job, kinds):
        allowed = " and ".join(f"{_PLURALS[kind]}" for kind in kinds)
        raise ArgumentsError(f"{option}: {job.name} is {kind_word(job)}; allowed: {allowed}; leave {option} out")


_PLURALS: dict[type[Job], str] = {RestoreJob: "restores", DrillJob: "drills"}
