"""`plan`: what a run would do, how long it would take and what it would use; touches nothing."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.filesize import decimal

from dynamodb_copy.assembly import BackupForecast, ChainForecast, ChangesForecast, Forecast, RestoreForecast
from dynamodb_copy.cli.outside import Outcome, Surroundings, before_anything_is_touched
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job, RestoreJob
from dynamodb_copy.report_text import render_rows

_Rows = list[tuple[str, str]]

_PRICE = ("price", "not estimated: prices of capacity units differ by region and change")


def plan(job: Job, _arguments: Namespace, outside: Surroundings) -> Outcome:
    """Say what a run of the job would do."""
    with before_anything_is_touched():
        forecast = outside.open_run(job, outside.new_run_id()).forecast()
    rows = [*_ROWS[type(job)](job, forecast), *[("note", note) for note in forecast.notes]]
    text = render_rows(f"{job.name}: what a run would do; nothing was touched", rows)
    return Outcome({"job": job.name, **asdict(forecast)}, text, good=True)


def _copy_rows(_job: Job, forecast: Forecast) -> _Rows:
    return [
        ("items", f"{forecast.items:,} in {forecast.segments} segments, as the service last counted them"),
        ("size", decimal(forecast.bytes)),
        ("target", "would be created like the source" if forecast.creates_target else "exists"),
        ("time", _time(forecast.seconds)),
        ("capacity", f"{forecast.read_units:,.0f} read units, {forecast.write_units:,.0f} write units"),
        _PRICE,
    ]


def _backup_rows(job: BackupJob, forecast: BackupForecast) -> _Rows:
    is_scan = job.engine == "scan"
    shared = f"in {forecast.segments} segments, " if is_scan else ""
    return [
        ("items", f"{forecast.items:,} {shared}as the service last counted them"),
        ("size", decimal(forecast.bytes)),
        ("target", f"a new backup below {job.target.s3}"),
        ("time", _time(forecast.seconds) if is_scan else "not known: the service makes the export"),
        ("capacity", f"{forecast.read_units:,.0f} read units"),
        _PRICE,
        *[("keep", f"would delete {address}") for address in forecast.would_delete],
    ]


def _restore_rows(job: RestoreJob | DrillJob, forecast: RestoreForecast) -> _Rows:
    is_loaded = isinstance(job, DrillJob) or job.engine == "load"
    age = timedelta(seconds=round(forecast.age_seconds))
    units = f"{forecast.write_units:,.0f} write units, and those of indexes" if is_loaded else "none of the table's"
    return [
        ("backup", forecast.id),
        ("", forecast.uri),
        ("", f"consistent at {forecast.consistent}, {age} ago"),
        ("of", forecast.table),
        ("items", f"{forecast.items:,}" + (f" in {forecast.segments} segments" if is_loaded else "")),
        ("size", decimal(forecast.bytes)),
        ("target", f"{forecast.target} {'would be created' if forecast.creates_target else 'exists'}"),
        ("time", _time(forecast.seconds) if is_loaded else "not known: the service makes the import"),
        ("capacity", units),
        _PRICE,
    ]


def _changes_rows(job: IncrementalJob, forecast: ChangesForecast) -> _Rows:
    if forecast.base is None:
        return [("changes", f"by {job.changes.by}, since {forecast.up_to}"), ("lag", _lag(forecast.lag_seconds))]
    return [("changes", f"by {job.changes.by}, from now on"), *_copy_rows(job, forecast.base)]


def _chain_rows(job: IncrementalBackupJob, forecast: ChainForecast) -> _Rows:
    since = f"since {forecast.up_to}" if forecast.up_to else "from now on"
    return [
        ("makes", "a full backup and an increment" if forecast.makes_full else "an increment"),
        ("changes", f"by {job.changes.by}, {since}"),
        ("lag", _lag(forecast.lag_seconds)),
        *[("keep", f"would delete {address}") for address in forecast.would_delete],
    ]


def _lag(seconds: float | None) -> str:
    return "" if seconds is None else f"{timedelta(seconds=round(seconds))}"


def _time(seconds: float | None) -> str:
    return "not known: the job sets no limit" if seconds is None else f"about {timedelta(seconds=math.ceil(seconds))}"


_ROWS: dict[type[Job], Callable[[Any, Any], _Rows]] = {
    CopyJob: _copy_rows,
    BackupJob: _backup_rows,
    IncrementalJob: _changes_rows,
    IncrementalBackupJob: _chain_rows,
    RestoreJob: _restore_rows,
    DrillJob: _restore_rows,
}
