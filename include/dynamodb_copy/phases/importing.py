"""Restore by the service's own ImportTable, which makes a new table from a full backup."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.exports import ServiceJob, describe_import, start_import
from dynamodb_copy.aws.table_creation import creation
from dynamodb_copy.aws.tables import describe, described
from dynamodb_copy.catalogue import Backup, check_parts_are_there
from dynamodb_copy.errors import BackupRefusedError, RunIncompleteError, TableError, TargetRefusedError
from dynamodb_copy.phases.choosing import backup_of
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.prepare import check_encryption
from dynamodb_copy.phases.restoring import described_by
from dynamodb_copy.state.service_jobs import arn_of, intent, remember_arn

_PARAMETERS = frozenset(
    {"TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "OnDemandThroughput"}
    | {"SSESpecification", "GlobalSecondaryIndexes"}
)
"""What ImportTable's TableCreationParameters take."""


def start(context: RestoreContext) -> str:
    """Start the run's import and return its ARN; a run never starts a second one.

    Raises BackupRefusedError, TableError and TargetRefusedError for what must not be; then nothing was started.
    """
    backup = backup_of(context)
    source = described_by(context, backup)
    sum(check_parts_are_there(backup))
    check_encryption(context, source)
    if source.description.get("LocalSecondaryIndexes"):
        raise TableError(
            "engine: ImportTable makes no local secondary indexes, and the table had some; say engine: load"
        )
    context.ensure_state()
    meant = intent(context.rows, context.run, str(uuid4()), context.wall())
    if meant.arn is not None:
        return meant.arn
    if meant.is_new and describe(context.target_client, context.job.target.table) is not None:
        raise TargetRefusedError(
            f"to.table: {context.job.target.table!r} exists, and ImportTable only makes new tables; name another one, "
            "or say engine: load"
        )
    _check_folder(backup)
    target = creation(source, context.job.target.table, tags=[], kms_key=context.job.target.kms_key)
    arn = start_import(context.target_client, _request(context, backup, meant.token, target)).arn
    remember_arn(context.rows, context.run, arn)
    return arn


def is_done(context: RestoreContext) -> bool:
    """Whether the run's import has completed and its table can be read; raises TableError when it has failed."""
    return _import(context).is_done and described(context.target_client, context.job.target.table).is_active


def _check_folder(backup: Backup) -> None:
    """ImportTable lists the folder: it must hold exactly what the manifest names."""
    data = f"{backup.folder}/data/"
    there = {found.key.removeprefix(data) for found in backup.bucket.objects(data)}
    for name in sorted(there ^ {part.name for part in backup.files}):
        raise BackupRefusedError(
            f"s3://{backup.bucket.name}/{data}{name}: is not named by the manifest, and ImportTable would read it; "
            "move it away, or say engine: load"
        )


def _request(context: RestoreContext, backup: Backup, token: str, target: dict[str, Any]) -> dict[str, Any]:
    owner = context.job.bucket_owner
    place: dict[str, Any] = {"S3Bucket": backup.bucket.name, "S3KeyPrefix": f"{backup.folder}/data/"}
    return {
        "ClientToken": token,
        "S3BucketSource": place | ({"S3BucketOwner": owner} if owner else {}),
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": {name: value for name, value in target.items() if name in _PARAMETERS},
    }


def _import(context: RestoreContext) -> ServiceJob:
    arn = arn_of(context.rows, context.run)
    if arn is None:
        raise RunIncompleteError("no import was started; let the run's start_import task succeed first")
    return describe_import(context.target_client, arn)
