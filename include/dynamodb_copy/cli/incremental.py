"""`run` of jobs that take what changed: the verbs of their runs in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynamodb_copy.assembly import IncrementalBackupRun, IncrementalRun
from dynamodb_copy.cli.asked import Asked
from dynamodb_copy.cli.copying import Applies, copy_segments, planned, tell_prepared, wait_until_active
from dynamodb_copy.cli.outside import Outcome, Surroundings, before_anything_is_touched
from dynamodb_copy.cli.patience import Patience
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.errors import CopyError
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob

_SECONDS_BETWEEN_LOOKS = 30.0


def brought_up_to_date(job: IncrementalJob, asked: Asked, outside: Surroundings) -> Outcome:
    """Bring the target up to date, once."""
    patience = Patience(job, outside)
    with before_anything_is_touched():
        run: IncrementalRun = outside.open_run(job, asked.run_id)
        prepared = patience.patiently(run.prepare)
    tell_prepared(prepared, patience)
    wait_until_active(run, patience)
    _changes(job, run, asked, patience)
    report = patience.patiently(run.seal)
    return Outcome(report.as_dict(), report.render(), good=True)


def extended(job: IncrementalBackupJob, asked: Asked, outside: Surroundings) -> Outcome:
    """Extend the chain, once."""
    patience = Patience(job, outside)
    with before_anything_is_touched():
        run: IncrementalBackupRun = outside.open_run(job, asked.run_id)
        patience.say(patience.patiently(run.prepare))
    _changes(job, run, asked, patience)
    report = patience.patiently(run.seal)
    return Outcome(report.as_dict(), report.render(), good=expired(run.expire, patience))


def expired(expire: Callable[[], list[str]], patience: Patience) -> bool:
    """Whether `keep` could be applied; the new backup counts even if it could not."""
    try:
        for address in patience.patiently(expire):
            patience.say(f"deleted {address}: keep does not keep it any more")
    except CopyError as error:
        patience.say(f"the backup is sealed, but older ones could not be deleted: {error}")
        return False
    return True


def wait_for_service(is_done: Callable[[], bool], what: str, patience: Patience) -> None:
    """Return once the service's export or import is done; raises TableError after the job's timeout."""
    patience.wait(
        is_done,
        poll_seconds=_SECONDS_BETWEEN_LOOKS,
        waiting=f"waiting until the service's {what} is done",
        missing=f"the service's {what} is not done",
    )


def _changes(job: IncrementalJob | IncrementalBackupJob, run: Any, asked: Asked, patience: Patience) -> None:
    if job.base == "export":
        wait_for_service(run.base_is_exported, "export", patience)
    with frozen_collector():
        if base := planned(run, patience).segments:
            copy_segments(run, base, patience, continued=asked.continued)
        applies = Applies(run)
        plan = planned(applies, patience)
        if job.changes.by == "export":
            for arn in patience.patiently(run.start_windows):
                patience.say(f"export {arn}")
            wait_for_service(run.windows_are_done, "last export", patience)
        if plan.segments:
            copy_segments(applies, plan.segments, patience, continued=asked.continued)
