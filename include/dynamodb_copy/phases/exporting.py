"""Backup by the service's own point-in-time export: started once, waited for, checked and sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.exports import ServiceJob, describe_export, export_of_token, latest_restorable, start_export
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.aws.tables import Table
from dynamodb_copy.catalogue import Backup, check_parts_are_there, exports_folder, open_backup
from dynamodb_copy.errors import RunIncompleteError, TableError
from dynamodb_copy.formats import manifest, manifest_writer
from dynamodb_copy.formats.marks import Mark
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.backing_up import bucket_of, make_plan, place_of, settings_of
from dynamodb_copy.phases.context import AnyContext, BackupContext
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.phases.sealing import store
from dynamodb_copy.report import Report, SegmentReport, Verdict
from dynamodb_copy.state.seals import remember_root
from dynamodb_copy.state.service_jobs import Intent, JobKey, arn_of, intent, remember_arn

_STATEMENT = (
    "The service made the export; its manifests agree with their checksums, and each part is there. The parts were not "
    "read back: a drill does that."
)


def start(context: BackupContext) -> str:
    """Start the run's export and return its ARN; a run never starts a second one.

    Raises TableError when point-in-time recovery is off, BucketRefusedError and AccessError; then nothing was started.
    """
    source = readable_source(context)
    latest = latest_restorable(context.source_client, source.name)
    bucket_of(context).check_private()
    context.ensure_state()
    context.run_lease(place_of(context)).acquire(wait_while_alive=False)
    moment = min(context.wall(), latest.timestamp()) // 1
    meant = intent(context.rows, context.run, str(uuid4()), moment)
    request = request_to(context, source.arn, context.job.target, context.job.target.kms_key)
    request["ExportTime"] = datetime.fromtimestamp(meant.moment, UTC)
    return started_once(context, context.run, meant, request)


def started_once(context: AnyContext, job: JobKey, meant: Intent, request: dict[str, Any]) -> str:
    """Start the export that is meant unless it was, remember its ARN and return it."""
    arn = meant.arn
    if arn is None and not meant.is_new:
        # an earlier attempt may have started it and not lived to remember it; tokens last only eight hours
        arn = export_of_token(context.source_client, request["TableArn"], meant.token, since=meant.moment)
    if arn is None:
        arn = start_export(context.source_client, request | {"ClientToken": meant.token}).arn
    remember_arn(context.rows, job, arn)
    return arn


def request_to(context: AnyContext, table_arn: str, place: S3At, kms_key: str | None) -> dict[str, Any]:
    """An export of a table to a place, but for its token and its time."""
    owner = context.job.bucket_owner
    encryption = {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": kms_key} if kms_key else {}
    return {
        "TableArn": table_arn,
        "S3Bucket": place.bucket,
        "ExportFormat": "DYNAMODB_JSON",
        **({"S3Prefix": place.prefix} if place.prefix else {}),
        **({"S3BucketOwner": owner} if owner else {}),
        **encryption,
    }


def is_done(context: BackupContext) -> bool:
    """Whether the run's export has completed; raises TableError when it has failed."""
    return _export(context).is_done


def seal(context: BackupContext) -> Report:
    """Check what the service wrote, put beside it what it lacks, and write the run's report.

    Raises RunIncompleteError before the export has completed, BackupRefusedError when it is not whole, TableError when
    the table is not there any more, or is another one.
    """
    export = _export(context)
    if not export.is_done:
        raise RunIncompleteError(f"{export.arn} is {export.status}; let the run's export_done task wait for it")
    source = _exported_table(context, export)
    folder = f"{exports_folder(context.job.target.prefix)}{_id(export)}"
    backup = open_backup(bucket_of(context), folder, lambda _: None)
    describe_full(context, backup, source, None)
    items = backup.summary.items
    began, ended = [export.description[name].timestamp() for name in ("StartTime", "EndTime")]
    plan = replace(
        make_plan(context, source, folder), segment_count=0, planned_at=began, reason=f"exported by {export.arn}"
    )
    verdict = Verdict("sealed", "checksums", items, items, 0, 0, 0, 0, "", "", (), (), _STATEMENT)
    whole = SegmentReport("export", items, int(export.description["BilledSizeBytes"]), 0, 0, 0, 0, ended - began)
    return store(context, plan, [whole], verdict, [f"backup {backup.uri}"])


def _exported_table(context: BackupContext, export: ServiceJob) -> Table:
    source = readable_source(context)
    if source.table_id != export.description["TableId"]:
        raise TableError(
            f"from.table: {source.arn} was dropped and created again since {export.arn} began; start a new run"
        )
    return source


def describe_full(context: AnyContext, backup: Backup, source: Table, mark: Mark | None) -> None:
    """Write our files beside the native ones, unless they are there; the root hash is remembered before the last."""
    if backup.details is not None:
        return
    sizes = list(check_parts_are_there(backup))
    summary, files = [file_of(backup.bucket, backup.folder, name) for name in (manifest.SUMMARY, manifest.FILES)]
    table = table_file(context, backup.bucket, backup.folder, source)
    details = manifest.Details(
        id=backup.id,
        engine="export",
        began=backup.summary.export_time,
        ended=backup.summary.export_time,
        items=backup.summary.items,
        bytes=0,
        digest=None,
        parts=tuple(
            [manifest.DetailsLine(p.name, p.items, size, None) for p, size in zip(backup.files, sizes, strict=True)]
        ),
        files={manifest.FILES: manifest.sha256_of(files), manifest.TABLE: manifest.sha256_of(table)},
        mark=mark,
    )
    content = manifest_writer.details_json(details)
    described = {manifest.SUMMARY: summary, manifest.FILES: files, manifest.TABLE: table, manifest.DETAILS: content}
    remember_root(context.rows, backup.id, backup.uri, manifest.root_hash(described))
    for name, written in manifest_writer.with_details_checksum(content):
        backup.bucket.put(f"{backup.folder}/{name}", written)


def table_file(context: AnyContext, bucket: Bucket, folder: str, source: Table) -> bytes:
    """`table.json` as the first attempt wrote it: one that wakes up late then writes what is there already."""
    key = f"{folder}/{manifest.TABLE}"
    if bucket.head(key) is None:
        bucket.put_once(key, manifest_writer.table_json(settings_of(context, source)))
    return file_of(bucket, folder, manifest.TABLE)


def file_of(bucket: Bucket, folder: str, name: str) -> bytes:
    """A file of a folder; nothing for one that is not there."""
    return bucket.read(f"{folder}/{name}", most_bytes=manifest.FILE_BYTES) or b""


def _export(context: BackupContext) -> ServiceJob:
    arn = arn_of(context.rows, context.run)
    if arn is None:
        raise RunIncompleteError("no export was started; let the run's start_export task succeed first")
    return describe_export(context.source_client, arn)


def _id(export: ServiceJob) -> str:
    return export.arn.rpartition("/")[2]
