"""Backup: a table's items as parts in S3, which exist once sealed. docs/backup-format.md is the contract."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.aws.tables import Table, tags, ttl_attribute
from dynamodb_copy.catalogue import exports_folder
from dynamodb_copy.errors import BackupRefusedError, RunIncompleteError
from dynamodb_copy.formats import manifest, manifest_writer
from dynamodb_copy.formats.marks import Mark
from dynamodb_copy.model import Part, Tally
from dynamodb_copy.phases.context import AnyContext, BackupContext
from dynamodb_copy.phases.copying import fence_out_segments
from dynamodb_copy.phases.planning import resolved, segment_count
from dynamodb_copy.phases.prepare import may_be_scanned, readable_source
from dynamodb_copy.phases.sealing import sealed
from dynamodb_copy.report import Report, Verdict
from dynamodb_copy.state.checkpoints import StateCheckpoints
from dynamodb_copy.state.plans import Plan, find_plan, store_plan
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.state.seals import remember_root

STATEMENT = (
    "Each part's SHA-256 was verified by S3 when it was stored, and the parts in S3 are exactly those of the manifest. "
    "They were not read back: a drill does that."
)


def prepare(context: BackupContext) -> str:
    """Check source and bucket, take the place, and write what the table is; return the backup's address.

    Raises TableError, BucketRefusedError and AccessError for what must not be; then nothing was written.
    """
    source = readable_source(context)
    may_be_scanned(context, source)
    bucket = bucket_of(context)
    bucket.check_private()
    context.ensure_state()
    context.run_lease(place_of(context)).acquire(wait_while_alive=False)
    folder = folder_of(context)
    begin_folder(context, folder, source)
    return f"s3://{bucket.name}/{folder}"


def begin_folder(context: AnyContext, folder: str, source: Table) -> None:
    """Write what the table is into a backup's folder, unless an earlier attempt has."""
    bucket = bucket_of(context)
    bucket.put(f"{folder}/_started", b"")
    if bucket.head(f"{folder}/{manifest.TABLE}") is None:  # it may belong to a sealed backup by now
        bucket.put_once(f"{folder}/{manifest.TABLE}", manifest_writer.table_json(settings_of(context, source)))


def plan(context: BackupContext) -> Plan:
    """Return the run's plan, making and storing it on the first call."""
    stored = find_plan(context.rows, context.run)
    if stored is not None:
        return stored
    source, folder = readable_source(context), folder_of(context)
    if bucket_of(context).head(f"{folder}/{manifest.TABLE}") is None:
        raise RunIncompleteError(
            f"to.s3: {place_of(context)} was not prepared for this run; let the run's prepare task succeed first: "
            "marking it as success checks nothing"
        )
    return store_plan(context.rows, context.run, make_plan(context, source, folder))


def make_plan(context: AnyContext, source: Table, folder: str) -> Plan:
    """Decide everything that the run's tasks need to know; stores nothing."""
    job = context.job
    read_units = resolved(job.read, source.read_capacity())
    segments, reason = segment_count(job, source.size_bytes, read_units)
    return Plan(
        job_name=job.name,
        job_text=job.text,
        source_arn=source.arn,
        source_id=source.table_id,
        target_arn=place_of(context),
        target_id=folder,
        key_names=tuple(name for name in source.keys if name is not None),
        ttl_attribute=None,  # a backup holds, and its digest counts, what TTL has not removed yet
        expires_before=0,
        segment_count=segments,
        read_units=read_units,
        verify_read_units=None,
        write_units={},
        reason=reason,
        notes=(),
        planned_at=context.wall(),
    )


def seal(context: BackupContext, plan: Plan) -> Report:
    """Make the parts a backup: from then on it exists; the same however often it is called.

    Raises RunIncompleteError unless every planned segment is done, BackupRefusedError when S3 holds something else.
    """
    tallies = seal_full(context, plan, None)
    read = sum(tallies, Tally())
    items, digest = read.items, read.digest.hex
    verdict = Verdict("sealed", "checksums", items, items, 0, 0, 0, 0, digest, "", (), (), STATEMENT)
    return sealed(context, plan, tallies, verdict, [f"backup s3://{context.job.target.bucket}/{plan.target_id}"])


def seal_full(context: AnyContext, plan: Plan, mark: Mark | None) -> list[Tally]:
    """Make the parts a backup, which begins a chain if it has a mark; return the tallies. Raises as `seal` does."""
    tallies = fence_out_segments(context, plan)
    checkpoints = StateCheckpoints(context.rows, context.run, "")
    parts = [part for segment in plan.segments for part in checkpoints.load(segment).parts]
    read = sum(tallies, Tally())
    if read.items != sum(part.items for part in parts):
        raise RunIncompleteError(f"{read.items} items were read and the parts hold another number; start a new run")
    sweep(bucket_of(context), f"{plan.target_id}/data/", parts)
    _write(context, plan, (read, parts), mark)
    return tallies


def sweep(bucket: Bucket, start: str, parts: list[Part]) -> None:
    """Delete what dead attempts left behind among the keys that begin with `start`; S3 must then hold these parts."""
    data = f"{start.rpartition('/')[0]}/"
    counted = {part.name: part.size_bytes for part in parts}
    bucket.abort_uploads(start)
    bucket.delete([found.key for found in bucket.objects(start) if found.key.removeprefix(data) not in counted])
    there = {found.key.removeprefix(data): found.size_bytes for found in bucket.objects(start)}
    if there != counted:
        name = min(there.items() ^ counted.items())[0]
        raise BackupRefusedError(
            f"s3://{bucket.name}/{data}{name}: is not what this run stored there; find out who else writes or deletes "
            "in the backup's folder, then start a new run"
        )


def _write(context: AnyContext, plan: Plan, stored: tuple[Tally, list[Part]], mark: Mark | None) -> None:
    """Write the files that describe the backup, the summary last; before it, its root hash is remembered."""
    bucket, folder, (read, parts) = bucket_of(context), plan.target_id, stored
    table = bucket.read(f"{folder}/{manifest.TABLE}", most_bytes=manifest.FILE_BYTES)
    if table is None:
        raise RunIncompleteError(f"s3://{bucket.name}/{folder}/{manifest.TABLE} is missing; start a new run")
    files = manifest_writer.files_json(parts, folder)
    span = manifest_writer.instant(plan.planned_at), manifest_writer.instant(ended(context))
    details = manifest.Details(
        id=id_of(folder),
        engine="scan",
        began=span[0],
        ended=span[1],
        items=read.items,
        bytes=read.bytes,
        digest=read.digest,
        parts=tuple([manifest.DetailsLine(p.name, p.items, p.size_bytes, p.sha256) for p in parts]),
        files={manifest.FILES: manifest.sha256_of(files), manifest.TABLE: manifest.sha256_of(table)},
        mark=mark,
    )
    described = {
        manifest.FILES: files,
        manifest.DETAILS: manifest_writer.details_json(details),
        manifest.SUMMARY: manifest_writer.summary_json(_summary(context, plan, details)),
    }
    root = manifest.root_hash({**described, manifest.TABLE: table})
    remember_root(context.rows, details.id, f"s3://{bucket.name}/{folder}", root)
    for name, content in manifest_writer.with_checksums(described):
        bucket.put(f"{folder}/{name}", content)


def _summary(context: AnyContext, plan: Plan, details: manifest.Details) -> dict[str, Any]:
    place, folder = context.job.target, plan.target_id
    return {
        "version": manifest.FULL_VERSION,
        "exportArn": f"{plan.source_arn}/export/{details.id}",
        "startTime": details.began,
        "endTime": details.ended,
        "tableArn": plan.source_arn,
        "tableId": plan.source_id,
        "exportTime": details.began,
        "s3Bucket": place.bucket,
        "s3Prefix": place.prefix or None,
        "s3SseAlgorithm": "KMS" if place.kms_key else "AES256",
        "s3SseKmsKeyId": place.kms_key,
        "manifestFilesS3Key": f"{folder}/{manifest.FILES}",
        "billedSizeBytes": 0,
        "itemCount": details.items,
        "outputFormat": "DYNAMODB_JSON",
    }


def ended(context: AnyContext) -> float:
    """When the run was first sealed: two seals write the same."""
    key = RowKey(context.run, "sealing")
    context.rows.insert(key, {"ended": {"N": f"{context.wall():.3f}"}, "expires_at": expiry(RUN_DAYS)})
    row = context.rows.get(key) or {}
    return float(row["ended"]["N"])


def folder_of(context: AnyContext) -> str:
    """The key of the run's own folder, the same for all its tasks: chosen once."""
    key = RowKey(context.run, "backup")
    made = f"{int(context.wall() * 1000):014d}-{sha256(context.run.encode()).hexdigest()[:8]}"
    folder = f"{exports_folder(context.job.target.prefix)}{made}"
    context.rows.insert(key, {"folder": {"S": folder}, "expires_at": expiry(RUN_DAYS)})
    row = context.rows.get(key) or {}
    return str(row["folder"]["S"])


def id_of(folder: str) -> str:
    """A backup's id: its folder's own name."""
    return folder.rpartition("/")[2]


def place_of(context: AnyContext) -> str:
    """The name under which runs exclude one another: the prefix."""
    place = context.job.target
    return f"s3://{place.bucket}/{place.prefix}"


def bucket_of(context: AnyContext) -> Bucket:
    """The bucket that the job writes to."""
    return context.bucket(context.job.target, kms_key=context.job.target.kms_key)


def settings_of(context: AnyContext, source: Table) -> manifest.TableSettings:
    """All that it takes to create the table again."""
    ttl = ttl_attribute(context.source_client, source.name)
    return manifest.TableSettings(source.description, ttl, tuple(tags(context.source_client, source.arn)))
