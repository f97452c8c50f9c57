"""Restore by the service's own ImportTable, which makes a new table from a full backup."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.exports import ServiceJob, describe_import, import_of_token, start_import
from dynamodb_copy.aws.faults import ResourceInUseError
from dynamodb_copy.aws.table_creation import creation
from dynamodb_copy.aws.tables import Table, described, enable_ttl, tag
from dynamodb_copy.catalogue import Backup, check_parts_are_there
from dynamodb_copy.errors import BackupRefusedError, RunIncompleteError, TableError, TargetRefusedError
from dynamodb_copy.job.places import RestoreTarget
from dynamodb_copy.phases import restoring
from dynamodb_copy.phases.choosing import backup_of
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.prepare import check_encryption
from dynamodb_copy.phases.restoring import described_by
from dynamodb_copy.phases.sealing import store
from dynamodb_copy.phases.verifying import load_verdict
from dynamodb_copy.report import Report, SegmentReport
from dynamodb_copy.state.plans import Plan, find_plan
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
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
    arn = meant.arn
    if arn is None and not meant.is_new:
        # an earlier attempt may have started it and not lived to remember it; once it has ended, its token is refused
        arn = import_of_token(context.target_client, context.job.target.table, meant.token)
    if arn is None:
        _check_folder(backup)
        arn = _started(context, _request(context, backup, meant.token, source))
    remember_arn(context.rows, context.run, arn)
    return arn


def is_done(context: RestoreContext) -> bool:
    """Whether the run's import has completed and its table can be read; raises TableError when it has failed."""
    return _import(context).is_done and described(context.target_client, context.job.target.table).is_active


def plan(context: RestoreContext) -> Plan:
    """Return the run's plan, making and storing it on the first call.

    Raises RunIncompleteError before the import has completed, TableError when the table is not the one that it made.
    """
    stored = find_plan(context.rows, context.run)
    if stored is not None:
        return stored
    if not is_done(context):
        raise RunIncompleteError("the import has not completed; let the run's import_done task wait for it")
    _require(context, _import(context).description["TableId"])
    return restoring.plan(context)


def seal(context: RestoreContext, plan: Plan) -> Report:
    """Give the table its TTL and tags, write the run's report and release the table.

    Raises RunIncompleteError unless the run was verified, TableError when the table is another one by now.
    """
    verdict = load_verdict(context)
    _settle(context, plan)
    made = _import(context)
    items, size_bytes = [int(made.description[name]) for name in ("ImportedItemCount", "ProcessedSizeBytes")]
    began, ended = [made.description[name].timestamp() for name in ("StartTime", "EndTime")]
    whole = SegmentReport("import", items, size_bytes, 0, 0, 0, 0, ended - began)
    as_imported = replace(plan, planned_at=began, reason=f"imported by {made.arn}")
    return store(context, as_imported, [whole], verdict, [])


def _started(context: RestoreContext, request: dict[str, Any]) -> str:
    try:
        return start_import(context.target_client, request).arn
    except ResourceInUseError as error:
        raise TargetRefusedError(
            f"to.table: {context.job.target.table!r} exists, and ImportTable only makes new tables; name another one, "
            "or say engine: load"
        ) from error


def _settle(context: RestoreContext, plan: Plan) -> None:
    """Give the table what ImportTable cannot, once per run: from then on it is its owner's business.

    The run's state remembers it, and no tag on the table as where a run creates one: a tag that is not there from the
    beginning may for seconds be missing in ListTagsOfResource.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html
    """
    key = RowKey(context.run, "settled")
    settings = backup_of(context).table
    if settings is None or context.rows.get(key) is not None:
        return
    table = _require(context, plan.target_id)
    tag(context.target_client, table.arn, list(settings.tags))
    if settings.ttl_attribute:
        enable_ttl(context.target_client, table.name, settings.ttl_attribute)
    context.rows.insert(key, {"expires_at": expiry(RUN_DAYS)})


def _require(context: RestoreContext, table_id: str) -> Table:
    table = described(context.target_client, context.job.target.table)
    if table.table_id != table_id:
        raise TableError(
            f"to.table: {table.arn} is not the table that this run's import made: it was dropped and created again; "
            "start a new run"
        )
    return table


def _check_folder(backup: Backup) -> None:
    """ImportTable lists the folder: it must hold exactly what the manifest names."""
    data = f"{backup.folder}/data/"
    there = {found.key.removeprefix(data) for found in backup.bucket.objects(data)}
    for name in sorted(there ^ {part.name for part in backup.files}):
        raise BackupRefusedError(
            f"s3://{backup.bucket.name}/{data}{name}: is not named by the manifest, and ImportTable would read it; "
            "move it away, or say engine: load"
        )


def _request(context: RestoreContext, backup: Backup, token: str, source: Table) -> dict[str, Any]:
    owner = context.job.bucket_owner
    place: dict[str, Any] = {"S3Bucket": backup.bucket.name, "S3KeyPrefix": f"{backup.folder}/data/"}
    return {
        "ClientToken": token,
        "S3BucketSource": place | ({"S3BucketOwner": owner} if owner else {}),
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": _parameters(source, context.job.target),
    }


def _parameters(source: Table, target: RestoreTarget) -> dict[str, Any]:
    """How the table is made; an index's warm throughput is refused, although the API reference lists it."""
    like = creation(source, target.table, tags=[], kms_key=target.kms_key)
    for index in like.get("GlobalSecondaryIndexes", []):
        index.pop("WarmThroughput", None)
    return {name: value for name, value in like.items() if name in _PARAMETERS}


def _import(context: RestoreContext) -> ServiceJob:
    arn = arn_of(context.rows, context.run)
    if arn is None:
        raise RunIncompleteError("no import was started; let the run's start_import task succeed first")
    return describe_import(context.target_client, arn)
