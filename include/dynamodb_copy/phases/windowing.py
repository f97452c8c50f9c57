"""Changes by the service's incremental exports: each window's started once for its target, and waited for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.exports import RecoveryWindow, ServiceJob, describe_export
from dynamodb_copy.errors import ChangesLostError, RunIncompleteError
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.exporting import request_to, started_once
from dynamodb_copy.state.claims import target_partition
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.state.service_jobs import arn_of, intent, renewed
from dynamodb_copy.windows import Window

_KEPT_DAYS = 120
"""Longer than the service knows an export (90 days) or could make it again (35)."""

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class WindowsOf:
    """A table whose changes are exported, the target that they are for, and where the exports lie meanwhile."""

    table_arn: str
    target_arn: str
    place: S3At
    kms_key: str | None = None


def start_windows(context: AnyContext, of: WindowsOf, windows: Iterable[tuple[int, int]]) -> list[str]:
    """Start each window's export and return their ARNs, in order; no run of the target ever starts a second one.

    The one exception is an export that failed, or that lies at another place: it is of no use and started anew.
    """
    request = request_to(context, of.table_arn, of.place, of.kms_key)
    return [_started(context, of.target_arn, Window(*window), request) for window in windows]


def started_windows(context: AnyContext, target_arn: str, windows: Iterable[tuple[int, int]]) -> list[str]:
    """The ARNs of the windows' exports, in order; raises RunIncompleteError when one was not started."""
    arns = [arn_of(context.rows, _key(target_arn, Window(*window))) for window in windows]
    started = [arn for arn in arns if arn is not None]
    if len(started) < len(arns):
        raise RunIncompleteError(
            f"{len(arns) - len(started)} of {len(arns)} exports were not started; let the run's start_windows task "
            "succeed first"
        )
    return started


def windows_are_done(context: AnyContext, arns: Sequence[str]) -> bool:
    """Whether all have completed; raises TableError, with the service's reason, for the first that failed.

    Those after the first that runs are not looked at: the service soon refuses many looks at once.
    """
    return all(describe_export(context.source_client, arn).is_done for arn in arns)


def check_recovery(recovery: RecoveryWindow, position: int) -> str:
    """What to warn of when more than half of the recovery period has passed unread, else nothing.

    Raises ChangesLostError when changes after `position`, in epoch seconds, cannot be exported any more.
    """
    unread_from = _instant(position)
    if recovery.earliest.timestamp() > position:
        raise ChangesLostError(
            f"from.table: changes are read up to {unread_from}, and point-in-time recovery begins at "
            f"{recovery.earliest.isoformat()}: what lies between is lost, because recovery was switched off and on, or "
            f"its {recovery.period_days} days have passed; say on_gap: full for a new full copy"
        )
    unread_days = (recovery.latest.timestamp() - position) / _DAY_SECONDS
    if unread_days <= recovery.period_days / 2:
        return ""
    return (
        f"changes since {unread_from} are unread, for {unread_days:.1f} of the {recovery.period_days} days after which "
        "point-in-time recovery forgets them; let the job run more often"
    )


def _started(context: AnyContext, target_arn: str, window: Window, request: dict[str, Any]) -> str:
    key = _key(target_arn, window)
    request = request | _incremental(window)
    meant = intent(context.rows, key, str(uuid4()), window.end, _KEPT_DAYS)
    arn = started_once(context, key, meant, request)
    if meant.is_new or _is_of_use(describe_export(context.source_client, arn), request):
        return arn
    # the service answers a repeated token with the export that failed, so that another one has to be meant
    again = renewed(context.rows, key, str(uuid4()), meant._replace(arn=arn), _KEPT_DAYS)
    return started_once(context, key, again, request)


def _is_of_use(export: ServiceJob, request: dict[str, Any]) -> bool:
    there = all(export.description.get(name) == request.get(name) for name in ("TableArn", "S3Bucket", "S3Prefix"))
    return there and export.status != "FAILED"


def _incremental(window: Window) -> dict[str, Any]:
    start, end = [datetime.fromtimestamp(moment, UTC) for moment in window]
    times = {"ExportFromTime": start, "ExportToTime": end, "ExportViewType": "NEW_AND_OLD_IMAGES"}
    return {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": times}


def _key(target_arn: str, window: Window) -> RowKey:
    return RowKey(target_partition(target_arn), f"export#{window.start}-{window.end}")


def _instant(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat()
