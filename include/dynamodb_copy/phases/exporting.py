"""Backup by the service's own point-in-time export: started once, waited for, checked and sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.exports import ServiceJob, describe_export, export_of_token, latest_restorable, start_export
from dynamodb_copy.aws.tables import Table
from dynamodb_copy.catalogue import Backup, check_parts_are_there, exports_folder, open_backup
from dynamodb_copy.errors import RunIncompleteError, TableError
from dynamodb_copy.formats import manifest, manifest_writer
from dynamodb_copy.phases.backing_up import bucket_of, make_plan, place_of, settings_of
from dynamodb_copy.phases.context import BackupContext
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.phases.sealing import store
from dynamodb_copy.report import Report, SegmentReport, Verdict
from dynamodb_copy.state.seals import remember_root
from dynamodb_copy.state.service_jobs import arn_of, intent, remember_arn

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
    arn = meant.arn
    if arn is None and not meant.is_new:
        # an earlier attempt may have started it and not lived to remember it; tokens last only eight hours
        arn = export_of_token(context.source_client, source.arn, meant.token)
    if arn is None:
        arn = start_export(context.source_client, _request(context, source.arn, meant.token, meant.moment)).arn
    remember_arn(context.rows, context.run, arn)
    return arn


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
    if backup.details is None:
        _describe(context, backup, source)
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


def _describe(context: BackupContext, backup: Backup, source: Table) -> None:
    """Write our files beside the native ones; the root hash is remembered before the last of them."""
    sizes = list(check_parts_are_there(backup))
    summary, files = _content(backup, manifest.SUMMARY), _content(backup, manifest.FILES)
    table = _table_file(context, backup, source)
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
    )
    content = manifest_writer.details_json(details)
    described = {manifest.SUMMARY: summary, manifest.FILES: files, manifest.TABLE: table, manifest.DETAILS: content}
    remember_root(context.rows, backup.id, backup.uri, manifest.root_hash(described))
    for name, written in manifest_writer.with_details_checksum(content):
        backup.bucket.put(f"{backup.folder}/{name}", written)


def _table_file(context: BackupContext, backup: Backup, source: Table) -> bytes:
    """`table.json` as the first attempt wrote it: one that wakes up late then writes what is there already."""
    key = f"{backup.folder}/{manifest.TABLE}"
    if backup.table is None:
        backup.bucket.put_once(key, manifest_writer.table_json(settings_of(context, source)))
    return _content(backup, manifest.TABLE)


def _content(backup: Backup, name: str) -> bytes:
    return backup.bucket.read(f"{backup.folder}/{name}", most_bytes=manifest.FILE_BYTES) or b""


def _request(context: BackupContext, table_arn: str, token: str, moment: float) -> dict[str, Any]:
    place, owner = context.job.target, context.job.bucket_owner
    encryption = {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": place.kms_key} if place.kms_key else {}
    return {
        "TableArn": table_arn,
        "ExportTime": datetime.fromtimestamp(moment, UTC),
        "ClientToken": token,
        "S3Bucket": place.bucket,
        "ExportFormat": "DYNAMODB_JSON",
        **({"S3Prefix": place.prefix} if place.prefix else {}),
        **({"S3BucketOwner": owner} if owner else {}),
        **encryption,
    }


def _export(context: BackupContext) -> ServiceJob:
    arn = arn_of(context.rows, context.run)
    if arn is None:
        raise RunIncompleteError("no export was started; let the run's start_export task succeed first")
    return describe_export(context.source_client, arn)


def _id(export: ServiceJob) -> str:
    return export.arn.rpartition("/")[2]
