"""`run`: what the job says, once; the verbs of each kind of run in their order."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from dynamodb_copy.assembly import BackupRun, CopyRun, RestoreRun
from dynamodb_copy.cli.asked import Asked, asked_of_run
from dynamodb_copy.cli.copying import (
    copy_and_apply,
    copy_segments,
    planned,
    tell_choice,
    tell_prepared,
    wait_until_active,
)
from dynamodb_copy.cli.drilling import drilled
from dynamodb_copy.cli.incremental import brought_up_to_date, expired, extended, wait_for_service
from dynamodb_copy.cli.outside import Outcome, Surroundings, before_anything_is_touched
from dynamodb_copy.cli.patience import Patience
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job, RestoreJob


def run(job: Job, arguments: argparse.Namespace, outside: Surroundings) -> Outcome:
    """Do what the job says, once."""
    asked = asked_of_run(job, arguments, outside.new_run_id())
    say = outside.messages.print
    say(f"{job.name}: run {asked.run_id}; if it stops early, continue with\n  {asked.again}")
    if job.preconditions:
        say("preconditions are awaited by Airflow only: make sure that they hold")
    try:
        return _RUNS[type(job)](job, asked, outside)
    except KeyboardInterrupt:
        say(_stopped(job, asked))
        raise


def _stopped(job: Job, asked: Asked) -> str:
    if isinstance(job, DrillJob) and not asked.keep_scratch:
        return "stopped: this drill proves nothing; begin a new one"
    return f"stopped, nothing is lost; continue with\n  {asked.again}"


def _copied(job: CopyJob, asked: Asked, outside: Surroundings) -> Outcome:
    patience = Patience(job, outside)
    with before_anything_is_touched():
        copy: CopyRun = outside.open_run(job, asked.run_id)
        prepared = patience.patiently(copy.prepare)
    tell_prepared(prepared, patience)
    wait_until_active(copy, patience)
    plan = planned(copy, patience)
    with frozen_collector():
        copy_segments(copy, plan.segments, patience, continued=asked.continued)
        if job.target.mirror:
            patience.say(f"{patience.patiently(copy.mirror):,} items deleted that the source does not have")
        return _verified(job, copy, patience)


def _backed_up(job: BackupJob, asked: Asked, outside: Surroundings) -> Outcome:
    patience = Patience(job, outside)
    with before_anything_is_touched():
        backup: BackupRun = outside.open_run(job, asked.run_id)
        begin, began = (backup.prepare, "backup") if job.engine == "scan" else (backup.start_export, "export")
        patience.say(f"{began} {patience.patiently(begin)}")
    if job.engine == "export":
        wait_for_service(backup.export_is_done, "export", patience)
    else:
        plan = planned(backup, patience)
        with frozen_collector():
            copy_segments(backup, plan.segments, patience, continued=asked.continued)
    report = patience.patiently(backup.seal)
    return Outcome(report.as_dict(), report.render(), good=expired(backup.expire, patience))


def _restored(job: RestoreJob, asked: Asked, outside: Surroundings) -> Outcome:
    patience = Patience(job, outside)
    with before_anything_is_touched():
        restore: RestoreRun = outside.open_run(job, asked.run_id)
        tell_choice(patience.patiently(lambda: restore.choose(asked.as_of)), asked, patience)
    if job.engine == "import":
        with before_anything_is_touched():
            patience.say(f"import {patience.patiently(restore.start_import)}")
        wait_for_service(restore.import_is_done, "import", patience)
        with frozen_collector():
            return _verified(job, restore, patience)
    with before_anything_is_touched():
        prepared = patience.patiently(restore.prepare)
    tell_prepared(prepared, patience)
    wait_until_active(restore, patience)
    with frozen_collector():
        copy_and_apply(restore, patience, continued=asked.continued)
        return _verified(job, restore, patience)


def _verified(job: CopyJob | RestoreJob, run: CopyRun | RestoreRun, patience: Patience) -> Outcome:
    patience.say(f"verifying ({job.verify})")
    patience.patiently(run.verify)
    report = patience.patiently(run.seal)
    return Outcome(report.as_dict(), report.render(), good=report.verdict.outcome != "differs")


_RUNS: dict[type[Job], Callable[[Any, Asked, Surroundings], Outcome]] = {
    CopyJob: _copied,
    BackupJob: _backed_up,
    IncrementalJob: brought_up_to_date,
    IncrementalBackupJob: extended,
    RestoreJob: _restored,
    DrillJob: drilled,
}
