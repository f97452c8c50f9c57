"""What the service has exported for an incremental job: its full copy, and the windows of its changes."""

from __future__ import annotations

from collections.abc import Sequence

from dynamodb_copy.aws.exports import describe_export
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import Backup, exports_folder, open_backup, open_increment
from dynamodb_copy.errors import RunIncompleteError
from dynamodb_copy.formats.manifest import SUMMARY
from dynamodb_copy.job import IncrementalBackupJob, S3At
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.state.claims import target_partition
from dynamodb_copy.state.positions import Position
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.state.service_jobs import arn_of
from dynamodb_copy.stored_increment import Increment


def exports_place(context: AnyContext) -> S3At:
    """Where the job's exports are put."""
    place: S3At = context.job.target if isinstance(context.job, IncrementalBackupJob) else context.job.staged_at
    return place


def full_export_key(target_arn: str, position: Position) -> RowKey:
    """The row of the export that makes a target's base."""
    return RowKey(target_partition(target_arn), f"export#full-{position.bases}")


def exported_full(context: AnyContext, target_arn: str, position: Position) -> Backup:
    """The export, checked as far as that can be done without its parts; raises RunIncompleteError before it is done."""
    arn = arn_of(context.rows, full_export_key(target_arn, position))
    if arn is None or not describe_export(context.source_client, arn).is_done:
        raise RunIncompleteError("the full export is not done; let the run's base_exported task wait for it")
    return open_backup(_bucket(context), _folder(context, arn), lambda _: None)


def exported_windows(context: AnyContext, arns: Sequence[str]) -> list[Increment]:
    """The windows' exports, checked as far as that can be done without their data files.

    Raises RunIncompleteError before they are done; the service is not asked: it soon refuses many looks at once.
    """
    bucket = _bucket(context)
    folders = [_folder(context, arn) for arn in arns]
    undone = [folder for folder in folders if bucket.head(f"{folder}/{SUMMARY}") is None]
    if undone:
        raise RunIncompleteError(
            f"{len(undone)} of {len(folders)} exports are not done; let the run's windows_done task wait for them"
        )
    return [open_increment(bucket, folder, lambda _: None) for folder in folders]


def _bucket(context: AnyContext) -> Bucket:
    """Where exports are read, and where the files beside them are written as the job says."""
    place = exports_place(context)
    return context.bucket(place, kms_key=getattr(place, "kms_key", None))


def _folder(context: AnyContext, arn: str) -> str:
    return f"{exports_folder(exports_place(context).prefix)}{arn.rpartition('/')[2]}"
