"""The assets that runs update, and the figures that their events carry."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset

from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.job import BackupJob, DrillJob, IncrementalBackupJob, S3At
from dynamodb_copy.report import Report
from dynamodb_copy_airflow.runs import AnyJob

_PATH_CHARACTERS = "/!$&'()*+,;=:@"
"""What stands for itself in a URI's path: Airflow would cut a prefix at `#` and sort it after `?`."""


def target_asset(job: AnyJob) -> Asset:
    """The asset that the job updates.

    `dynamodb://region/table` for copies and restores, `s3://bucket/prefix` for backups. A drill leaves nothing behind
    but the proof that the backups at a place can be restored, which is not what is there: a consumer of backups must
    not start because one was drilled. Airflow gives no meaning to schemes in `x-`, and takes them as they are written.
    """
    if isinstance(job, BackupJob | IncrementalBackupJob):
        return Asset(f"s3://{_path(job.target)}")
    if isinstance(job, DrillJob):
        return Asset(f"x-dynamodb-copy-drill://{_path(job.source)}")
    return Asset(f"dynamodb://{job.target.region}/{job.target.table}")


def _path(place: S3At) -> str:
    """Without a slash at the end, which Airflow takes from the URI and leaves in the name."""
    return f"{place.bucket}/{quote(place.prefix, safe=_PATH_CHARACTERS)}"


def figures(report: Report) -> dict[str, Any]:
    """The report's totals and verdict as JSON: no list, no key, so that an asset event stays small."""
    values = report.as_dict()
    lists = {"differing", "differing_buckets"}
    names = ("job", "run_id", "source", "target", "started", "finished", "up_to", "lag_seconds", "deleted")
    return {
        **{name: values[name] for name in names},
        **values["totals"],
        "segments": len(report.segments),
        "verdict": {name: value for name, value in values["verdict"].items() if name not in lists},
    }


def drill_figures(report: DrillReport) -> dict[str, Any]:
    """The drill's measurements as JSON, without its notes, of which there may be many."""
    return {name: value for name, value in report.as_dict().items() if name not in {"notes", "source_now"}}
