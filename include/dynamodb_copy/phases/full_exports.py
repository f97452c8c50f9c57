"""The full copy that begins a chain, or an incremental copy, made by the service's export."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from uuid import uuid4

from dynamodb_copy.aws.exports import RecoveryWindow, describe_export, recovery_window
from dynamodb_copy.aws.tables import Table
from dynamodb_copy.catalogue import Backup
from dynamodb_copy.formats.marks import Mark
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.exported import exported_full, exports_place, full_export_key
from dynamodb_copy.phases.exporting import describe_full, request_to, started_once
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.state.positions import Position
from dynamodb_copy.state.service_jobs import arn_of, intent, renewed

_KEPT_DAYS = 120
"""Longer than the service knows an export, which is 90 days."""


def check_recovery_for_base(context: AnyContext, source: Table, position: Position | None) -> None:
    """Raise TableError when the service is to export a base and point-in-time recovery is off."""
    if context.job.base == "export" and (position is None or position.based is None):
        _recovery(context, source)


def renew_failed_full(context: AnyContext, target_arn: str, position: Position) -> None:
    """Let another export take the place of one that failed, once a person has had a run begin."""
    key = full_export_key(target_arn, position)
    arn = arn_of(context.rows, key)
    if position.based is not None or arn is None:
        return
    if describe_export(context.source_client, arn).status == "FAILED":
        failed = intent(context.rows, key, str(uuid4()), position.up_to, _KEPT_DAYS)
        renewed(context.rows, key, str(uuid4()), failed._replace(arn=arn), _KEPT_DAYS)


def full_is_exported(context: AnyContext, target_arn: str, position: Position) -> bool:
    """Whether the export is done; starts it, once, as soon as the moment from which changes are read can be exported.

    Raises TableError when it has failed, or when point-in-time recovery is off.
    """
    arn = arn_of(context.rows, full_export_key(target_arn, position)) or _started(context, target_arn, position)
    return arn is not None and describe_export(context.source_client, arn).is_done


def seal_exported_full(context: AnyContext, target_arn: str, position: Position, mark: Mark) -> Backup:
    """The export as a backup of ours, with the mark at which the increments after it begin."""
    backup = exported_full(context, target_arn, position)
    describe_full(context, backup, readable_source(context), mark)
    return backup


def _started(context: AnyContext, target_arn: str, position: Position) -> str | None:
    """The export's ARN; None as long as the service cannot export that moment yet, which takes five minutes."""
    source: Table = readable_source(context)
    recovery = _recovery(context, source)
    # one of a later moment does as well: the changes before it are applied again
    earliest = max(ceil(position.up_to), ceil(recovery.earliest.timestamp()))
    if recovery.latest.timestamp() < earliest:
        return None
    key = full_export_key(target_arn, position)
    meant = intent(context.rows, key, str(uuid4()), earliest, _KEPT_DAYS)
    place = exports_place(context)
    kms_key = getattr(place, "kms_key", None)
    moment = datetime.fromtimestamp(meant.moment, UTC)
    return started_once(context, key, meant, request_to(context, source.arn, place, kms_key) | {"ExportTime": moment})


def _recovery(context: AnyContext, source: Table) -> RecoveryWindow:
    return recovery_window(context.source_client, source.name, needed_by="base: export", otherwise="base: scan")
