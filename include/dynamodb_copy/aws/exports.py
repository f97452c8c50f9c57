"""The service's own export and import jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dynamodb_copy.aws.clients import control
from dynamodb_copy.errors import TableError


@dataclass(frozen=True, slots=True)
class ServiceJob:
    """An export or import as the service describes it."""

    arn: str
    status: str  # IN_PROGRESS, COMPLETED, FAILED; of imports also CANCELLING, CANCELLED
    description: dict[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether it has completed; raises TableError, with the service's reason, when it has failed."""
        if self.status in {"FAILED", "CANCELLED"}:
            reason = f"{self.description.get('FailureCode')}: {self.description.get('FailureMessage')}"
            raise TableError(f"{self.arn} is {self.status}: {reason}; correct that, then start a new run")
        return self.status == "COMPLETED"


def latest_restorable(client: Any, table: str) -> datetime:
    """The latest moment that can be exported; raises TableError when point-in-time recovery is off."""
    described = control(client, "DescribeContinuousBackups", TableName=table)["ContinuousBackupsDescription"]
    recovery = described.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise TableError(
            f"from.table: point-in-time recovery of {table!r} is off, and engine: export needs it; switch it on with "
            f"aws dynamodb update-continuous-backups --table-name {table} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true, or say engine: scan"
        )
    latest: datetime = recovery["LatestRestorableDateTime"]
    return latest


def start_export(client: Any, request: dict[str, Any]) -> ServiceJob:
    """Start an export, or find the one that was started with the same ClientToken within eight hours."""
    return _export(control(client, "ExportTableToPointInTime", **request))


def describe_export(client: Any, arn: str) -> ServiceJob:
    """How far an export is."""
    return _export(control(client, "DescribeExport", ExportArn=arn))


def exports_of(client: Any, table_arn: str) -> list[str]:
    """The ARNs of the table's exports that the service still knows: those of the last 90 days."""
    arns: list[str] = []
    request: dict[str, Any] = {"TableArn": table_arn}
    while True:
        reply = control(client, "ListExports", **request)
        arns += [each["ExportArn"] for each in reply.get("ExportSummaries", [])]
        if not reply.get("NextToken"):
            return arns
        request["NextToken"] = reply["NextToken"]


def start_import(client: Any, request: dict[str, Any]) -> ServiceJob:
    """Start an import into a new table, or find the one that was started with the same ClientToken."""
    return _import(control(client, "ImportTable", **request))


def describe_import(client: Any, arn: str) -> ServiceJob:
    """How far an import is."""
    return _import(control(client, "DescribeImport", ImportArn=arn))


def _export(reply: dict[str, Any]) -> ServiceJob:
    described = reply["ExportDescription"]
    return ServiceJob(described["ExportArn"], described["ExportStatus"], described)


def _import(reply: dict[str, Any]) -> ServiceJob:
    described = reply["ImportTableDescription"]
    return ServiceJob(described["ImportArn"], described["ImportStatus"], described)
