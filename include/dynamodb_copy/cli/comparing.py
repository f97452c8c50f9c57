"""`verify` and `repair`: what a table holds against what it should hold."""

from __future__ import annotations

from argparse import Namespace

from dynamodb_copy.assembly import CopyRun, IncrementalRun
from dynamodb_copy.cli.asked import require_kind
from dynamodb_copy.cli.outside import ArgumentsError, Outcome, Surroundings, before_anything_is_touched, kind_word
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job, RestoreJob
from dynamodb_copy.report import Verdict


def verify(job: Job, arguments: Namespace, outside: Surroundings) -> Outcome:
    """Compare source and target, or backup and table, as they are now; writes nothing."""
    if not isinstance(job, CopyJob | IncrementalJob | RestoreJob):
        raise _unfit("verify", "copies and restores", job, _INSTEAD_OF_VERIFY)
    require_kind(job, "--as-of", given=arguments.as_of is not None, kinds=(RestoreJob,))
    sides = "backup and table" if isinstance(job, RestoreJob) else "source and target"
    outside.messages.print(f"{job.name}: comparing {sides}")
    with before_anything_is_touched(), frozen_collector():
        run = outside.open_run(job, outside.new_run_id())
        as_of = {"as_of": arguments.as_of} if isinstance(job, RestoreJob) else {}
        verdict: Verdict = run.compare(show_keys=arguments.show_keys, **as_of)
    return _compared(job, verdict)


def repair(job: Job, _arguments: Namespace, outside: Surroundings) -> Outcome:
    """Write only what differs, then compare again."""
    if not isinstance(job, CopyJob | IncrementalJob):
        raise _unfit("repair", "copies", job, _INSTEAD_OF_REPAIR)
    with before_anything_is_touched():
        run: CopyRun | IncrementalRun = outside.open_run(job, outside.new_run_id())
    outside.messages.print(f"{job.name}: writing what differs")
    with frozen_collector():
        return _compared(job, run.repair())


def _compared(job: CopyJob | IncrementalJob | RestoreJob, verdict: Verdict) -> Outcome:
    # What only the target has is what a mirror is there to remove.
    good = verdict.outcome == "equal" or (verdict.outcome == "superset" and not job.target.mirror)
    return Outcome(verdict.as_dict(), f"{job.name}: {verdict.render()}", good)


_INSTEAD_OF_VERIFY: dict[type[Job], str] = {
    BackupJob: "a drill of the same prefix verifies a backup, and `backups` lists what is there",
    IncrementalBackupJob: "a drill of the same prefix verifies a chain, and `chain` checks that it is whole",
    DrillJob: "a drill verifies a backup itself: use `run`",
}
_INSTEAD_OF_REPAIR: dict[type[Job], str] = {
    BackupJob: "a backup is never changed: `run` makes a new one",
    IncrementalBackupJob: "a chain is never changed: `run` extends it",
    RestoreJob: "`verify` compares the table with the backup, and `run` restores into another one",
    DrillJob: "use `run`, which restores anew",
}


def _unfit(command: str, allowed: str, job: Job, instead: dict[type[Job], str]) -> ArgumentsError:
    return ArgumentsError(f"{command}: {job.name} is {kind_word(job)}; allowed: {allowed}; {instead[type(job)]}")
