"""The service's own export and import jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dynamodb_copy.aws.clients import control
from dynamodb_copy.errors import TableError

_EXPORT_REMEDY = "correct that, then start a new run"
_IMPORT_REMEDY = "correct that, delete the table, which is not whole if it is there, then start a new run"
_LONGEST_DAYS = 35


@dataclass(frozen=True, slots=True)
class ServiceJob:
    """An export or import as the service describes it."""

    arn: str
    status: str  # IN_PROGRESS, COMPLETED, FAILED; of imports also CANCELLING, CANCELLED
    description: dict[str, Any]
    remedy: str  # what to do about a failure

    @property
    def is_done(self) -> bool:
        """Whether it has completed; raises TableError, with the service's reason, when it has failed."""
        if self.status in {"FAILED", "CANCELLED"}:
            reason = f"{self.description.get('FailureCode')}: {self.description.get('FailureMessage')}"
            raise TableError(f"{self.arn} is {self.status}: {reason}; {self.remedy}")
        return self.status == "COMPLETED"


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """What a table can be restored to, and what of it can be exported."""

    earliest: datetime  # begins anew when point-in-time recovery is switched off and on
    latest: datetime  # usually five minutes ago
    period_days: int = _LONGEST_DAYS  # how long changes are kept


def recovery_window(client: Any, table: str, *, needed_by: str, otherwise: str = "") -> RecoveryWindow:
    """What can be exported; raises TableError when point-in-time recovery is off.

    The error names what of the job needs it, as in `engine: export`, and what could be said instead.
    """
    described = control(client, "DescribeContinuousBackups", TableName=table)["ContinuousBackupsDescription"]
    recovery = described.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise TableError(
            f"from.table: point-in-time recovery of {table!r} is off, and {needed_by} needs it; switch it on with "
            f"aws dynamodb update-continuous-backups --table-name {table} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
            + (f", or say {otherwise}" if otherwise else "")
        )
    earliest, latest = [recovery[f"{end}RestorableDateTime"] for end in ("Earliest", "Latest")]
    return RecoveryWindow(earliest, latest, recovery.get("RecoveryPeriodInDays", _LONGEST_DAYS))


def latest_restorable(client: Any, table: str) -> datetime:
    """The latest moment that can be exported; raises TableError when point-in-time recovery is off."""
    return recovery_window(client, table, needed_by="engine: export", otherwise="engine: scan").latest


def start_export(client: Any, request: dict[str, Any]) -> ServiceJob:
    """Start an export, or find the one that was started with the same ClientToken within eight hours."""
    return _export(control(client, "ExportTableToPointInTime", **request))


def describe_export(client: Any, arn: str) -> ServiceJob:
    """How far an export is."""
    return _export(control(client, "DescribeExport", ExportArn=arn))


def export_of_token(client: Any, table_arn: str, token: str, *, since: float) -> str | None:
    """The ARN of the table's export that was started with this ClientToken; the service knows it for 90 days.

    Only what began at `since`, in epoch seconds, or later is looked at: each look is a request, and every quarter of
    an hour there may have been an export.
    """
    listed = (each["ExportArn"] for each in _listed(client, "ListExports", "ExportSummaries", TableArn=table_arn))
    return _of_token((describe_export(client, arn) for arn in listed if _may_have_begun(arn, since)), token)


def start_import(client: Any, request: dict[str, Any]) -> ServiceJob:
    """Start an import into a new table, or find the one that was started with the same ClientToken."""
    return _import(control(client, "ImportTable", **request))


def describe_import(client: Any, arn: str) -> ServiceJob:
    """How far an import is."""
    return _import(control(client, "DescribeImport", ImportArn=arn))


def import_of_token(client: Any, table: str, token: str) -> str | None:
    """The ARN of the import into a table of this name that was started with this ClientToken, known for 90 days."""
    listed = _listed(client, "ListImports", "ImportSummaryList")
    into_table = (each["ImportArn"] for each in listed if each["TableArn"].endswith(f":table/{table}"))
    return _of_token((describe_import(client, arn) for arn in into_table), token)


def _listed(client: Any, operation: str, field: str, **request: Any) -> Iterator[dict[str, Any]]:
    while True:
        reply = control(client, operation, **request)
        yield from reply.get(field, [])
        if not reply.get("NextToken"):
            return
        request["NextToken"] = reply["NextToken"]


def _may_have_begun(arn: str, since: float) -> bool:
    """An export's id begins with the milliseconds of its StartTime, as in `01768385930622-efd1a093`."""
    began = arn.rpartition("/")[2].partition("-")[0]
    return not began.isdecimal() or int(began) >= since * 1000


def _of_token(jobs: Iterable[ServiceJob], token: str) -> str | None:
    return next((job.arn for job in jobs if job.description.get("ClientToken") == token), None)


def _export(reply: dict[str, Any]) -> ServiceJob:
    described = reply["ExportDescription"]
    return ServiceJob(described["ExportArn"], described["ExportStatus"], described, _EXPORT_REMEDY)


def _import(reply: dict[str, Any]) -> ServiceJob:
    described = reply["ImportTableDescription"]
    return ServiceJob(described["ImportArn"], described["ImportStatus"], described, _IMPORT_REMEDY)
