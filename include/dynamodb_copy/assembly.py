"""Opens runs: what the DAGs and the command line begin with."""

from __future__ import annotations

from functools import cache
from typing import Any, overload

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.chain_report import ChainReport
from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
)
from dynamodb_copy.phases.chaining import check_chains
from dynamodb_copy.phases.choosing import Choice
from dynamodb_copy.phases.context import RunContext
from dynamodb_copy.phases.copying import Progress
from dynamodb_copy.phases.drilling import Rows
from dynamodb_copy.phases.forecasting import BackupForecast, Forecast
from dynamodb_copy.phases.forecasting_changes import ChainForecast, ChangesForecast
from dynamodb_copy.phases.forecasting_restores import RestoreForecast
from dynamodb_copy.phases.listing import Listed, Listing, list_backups
from dynamodb_copy.phases.prepare import Prepared
from dynamodb_copy.runs.backup_run import BackupRun
from dynamodb_copy.runs.copy_run import CopyRun
from dynamodb_copy.runs.drill_run import DrillRun, require_recovered
from dynamodb_copy.runs.incremental_backup_run import IncrementalBackupRun
from dynamodb_copy.runs.incremental_run import IncrementalRun
from dynamodb_copy.runs.restore_run import RestoreRun
from dynamodb_copy.state.plans import Plan

__all__ = [
    "AnyRun",
    "BackupForecast",
    "BackupRun",
    "ChainForecast",
    "ChainReport",
    "ChangesForecast",
    "Choice",
    "CopyRun",
    "DrillRun",
    "Forecast",
    "IncrementalBackupRun",
    "IncrementalRun",
    "Listed",
    "Listing",
    "Plan",
    "Prepared",
    "Progress",
    "RestoreForecast",
    "RestoreRun",
    "Rows",
    "check_chains",
    "list_backups",
    "open_run",
    "require_recovered",
]

AnyRun = CopyRun | BackupRun | IncrementalRun | IncrementalBackupRun | RestoreRun | DrillRun

_KINDS: dict[type[Job], Any] = {
    CopyJob: CopyRun,
    BackupJob: BackupRun,
    IncrementalJob: IncrementalRun,
    IncrementalBackupJob: IncrementalBackupRun,
    RestoreJob: RestoreRun,
    DrillJob: DrillRun,
}


@overload
def open_run(
    job: CopyJob, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> CopyRun: ...
@overload
def open_run(
    job: BackupJob, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> BackupRun: ...
@overload
def open_run(
    job: IncrementalJob, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> IncrementalRun: ...
@overload
def open_run(
    job: IncrementalBackupJob,
    run_id: str,
    connect: Connect,
    *,
    timeouts: Timeouts | None = None,
    clock: Clock | None = None,
) -> IncrementalBackupRun: ...
@overload
def open_run(
    job: RestoreJob, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> RestoreRun: ...
@overload
def open_run(
    job: DrillJob, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> DrillRun: ...
@overload
def open_run(
    job: Job, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> AnyRun: ...
def open_run(
    job: Job, run_id: str, connect: Connect, *, timeouts: Timeouts | None = None, clock: Clock | None = None
) -> AnyRun:
    """Open a run by its id; many processes may hold the same run open at once."""
    context = RunContext(job, run_id, cache(connect), timeouts or Timeouts(), clock or Clock())
    run: AnyRun = _KINDS[type(job)](context)
    return run
