"""What the registry says of a run: the job's kind, and what it writes."""

from __future__ import annotations

from datetime import UTC, datetime

from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
)
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.state.registry import LastRun

AnyJob = CopyJob | BackupJob | IncrementalJob | IncrementalBackupJob | RestoreJob | DrillJob

_KINDS: dict[type[Job], str] = {
    CopyJob: "copy",
    BackupJob: "backup",
    IncrementalJob: "incremental copy",
    IncrementalBackupJob: "incremental backup",
    RestoreJob: "restore",
    DrillJob: "drill",
}


def target_of(job: AnyJob) -> str:
    """What people see of what a job writes; a drill leaves nothing behind but the proof of what it restored."""
    return f"proof of {job.source.where}" if isinstance(job, DrillJob) else job.target.where


def last_run(context: AnyContext, *, up_to: str = "") -> LastRun:
    """This run, as one that ends now."""
    finished = datetime.fromtimestamp(context.wall(), UTC).isoformat(timespec="seconds")
    return LastRun(context.run_id, finished, up_to, target_of(context.job), _KINDS[type(context.job)])
