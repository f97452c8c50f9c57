"""Seal of an increment: from then on the chain ends where it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from dynamodb_copy.aws.tables import Table
from dynamodb_copy.catalogue import check_parts_are_there, exports_folder, open_backup, open_increment
from dynamodb_copy.errors import RunIncompleteError
from dynamodb_copy.formats import increment_writer, manifest, manifest_writer
from dynamodb_copy.formats.increment_manifest import IncrementDetails, IncrementPart, TableState
from dynamodb_copy.formats.marks import Mark, stream_mark
from dynamodb_copy.model import Checkpoint, Part, Tally
from dynamodb_copy.phases.advancing import advanced
from dynamodb_copy.phases.backing_up import begin_folder, bucket_of, ended, id_of, place_of, sweep
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import fence_out_segments
from dynamodb_copy.phases.exported import exported_windows
from dynamodb_copy.phases.exporting import file_of, table_file
from dynamodb_copy.phases.positioning import moved, reached, required_position
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.phases.sealing import segment_report, store
from dynamodb_copy.phases.windowing import started_windows
from dynamodb_copy.report import Report, SegmentReport, Verdict
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.state.seals import remember_root, state_of
from dynamodb_copy.stored_increment import Increment

_STATEMENT = (
    "Each part's SHA-256 was verified by S3 when it was stored, and the increment begins where the one before it ends. "
    "Parts were not read back: a drill does that."
)


def seal(context: AnyContext, base: Plan, plan: Plan) -> Report:
    """Make what the run stored the chain's next increment, or its next ones, and write the run's report.

    Raises RunIncompleteError unless every segment is done, BackupRefusedError when S3 holds something else.
    """
    position = required_position(context, plan.target_arn)
    is_mine = position.under_way == context.run
    exported = _exported_full(base, position)
    if is_mine:
        if plan.segment_count:
            fence_out_segments(context, plan)
        exported += _exported_windows(context, plan, position)
        position = moved(context, plan, replace(sealed_on(context, plan, position), under_way=""), position)
    checkpoints = reached(context, context.run, plan.segment_count)
    whole = replace(context, stage="")
    before = reached(whole, whole.run, base.segment_count)
    total = sum([checkpoint.tally for checkpoint in checkpoints], Tally())
    shown = [
        *exported,
        *[segment_report(f"full {s.label}", c.tally) for s, c in zip(base.segments, before, strict=True)],
        *[segment_report(s.label, c.tally) for s, c in zip(plan.segments, checkpoints, strict=True)],
    ]
    verdict = Verdict("sealed", "checksums", total.items, total.items, 0, 0, 0, 0, "", "", (), (), _STATEMENT)
    notes = [
        f"the chain of {position.full} ends with {position.chain}",
        *([] if is_mine else ["another run had taken over, or this one was sealed before"]),
    ]
    base = replace(base, reason=plan.reason)
    return store(whole, base, shown, verdict, notes, up_to=position.up_to, deletes=total.deletes)


def _exported_full(base: Plan, position: Position) -> list[SegmentReport]:
    """The full backup, if the service has exported it for this run."""
    is_of_this_run = not base.segment_count and id_of(base.target_id) == position.full
    return [segment_report("full", Tally(items=position.base_items or 0))] if is_of_this_run else []


def _exported_windows(context: AnyContext, plan: Plan, position: Position) -> list[SegmentReport]:
    """The windows that the service has exported for the run under way."""
    increments = exported_windows(context, started_windows(context, plan.target_arn, position.windows))
    return [
        segment_report(f"window to {increment.end.time}", Tally(items=increment.summary.items))
        for increment in increments
    ]


def sealed_on(context: AnyContext, plan: Plan, position: Position) -> Position:
    """Seal what a run whose segments are all done has stored; return the position after it. Writes the same again."""
    if position.by == "stream":
        return _stream_increment(context, plan, position)
    arns = started_windows(context, plan.target_arn, position.windows)
    for increment in exported_windows(context, arns):
        position = _exported_increment(context, increment, position)
    return advanced(position, [Checkpoint(done=True)])


def abandon(context: AnyContext, run: str) -> None:
    """Delete what a run stored that nobody will seal."""
    row = context.rows.get(_id_key(run))
    if row is None:
        return
    bucket, stored_id = bucket_of(context), row["id"]["S"]
    bucket.abort_uploads(f"{data_folder(context)}/{stored_id}-")
    for start in (f"{data_folder(context)}/{stored_id}-", f"{exports_folder(context.job.target.prefix)}{stored_id}/"):
        bucket.delete([found.key for found in bucket.objects(start)])


def begin_increment(context: AnyContext, source: Table) -> None:
    """Write what the table is into the folder of the run's increment: at its seal the source may be dark."""
    begin_folder(context, f"{exports_folder(context.job.target.prefix)}{increment_id(context)}", source)


def increment_id(context: AnyContext) -> str:
    """The id of the run's increment, the same for all its tasks: chosen once."""
    made = f"{int(context.wall() * 1000):014d}-{sha256(context.run.encode()).hexdigest()[:8]}"
    context.rows.insert(_id_key(context.run), {"id": {"S": made}, "expires_at": expiry(RUN_DAYS)})
    row = context.rows.get(_id_key(context.run)) or {}
    return str(row["id"]["S"])


def data_folder(context: AnyContext) -> str:
    """Where the parts of all increments of the place lie: a key without a slash at its end."""
    return f"{exports_folder(context.job.target.prefix)}data"


def mark_after(context: AnyContext, chain_id: str) -> Mark:
    """Where the increment after this one, or after this full backup, begins."""
    details = _opened(context, chain_id)
    return details.end if isinstance(details, IncrementDetails) else details


def _stream_increment(context: AnyContext, plan: Plan, position: Position) -> Position:
    checkpoints = reached(context, context.run, plan.segment_count)
    after = advanced(position, checkpoints)
    parts = [part for checkpoint in checkpoints for part in checkpoint.parts]
    read = sum([checkpoint.tally for checkpoint in checkpoints], Tally())
    bucket, made = bucket_of(context), increment_id(context)
    sweep(bucket, f"{data_folder(context)}/{made}-", parts)
    before = _opened(context, position.chain)
    details = IncrementDetails(
        id=made,
        engine="stream",
        began=manifest_writer.instant(plan.planned_at),
        ended=manifest_writer.instant(ended(context)),
        items=read.items,
        bytes=read.bytes,
        growth=read.growth,
        digest=read.digest,
        start=before.end if isinstance(before, IncrementDetails) else before,
        end=stream_mark(manifest_writer.instant(after.up_to), after.frontier),
        previous=position.chain if isinstance(before, IncrementDetails) else None,
        state=_state_after(context, before, position.chain, read),
        parts=increment_writer.increment_parts(parts),
        files={},
    )
    _write(context, plan, details, parts)
    return replace(after, chain=made)


def _write(context: AnyContext, plan: Plan, details: IncrementDetails, parts: Sequence[Part]) -> None:
    """Write the files that describe the increment, the summary last; before it, its root hash is remembered."""
    bucket, parent = bucket_of(context), exports_folder(context.job.target.prefix)
    folder = f"{parent}{details.id}"
    table = file_of(bucket, folder, manifest.TABLE)
    files = manifest_writer.files_json(parts, parent.removesuffix("/"))
    named = {manifest.FILES: manifest.sha256_of(files), manifest.TABLE: manifest.sha256_of(table)}
    place = context.job.target
    origin = increment_writer.Origin(
        plan.source_arn, plan.source_id, place.bucket, place.prefix or None, folder, place.kms_key
    )
    described = {
        manifest.FILES: files,
        manifest.DETAILS: increment_writer.increment_details_json(replace(details, files=named)),
        manifest.SUMMARY: increment_writer.increment_summary_json(details, origin),
    }
    root = manifest.root_hash({**described, manifest.TABLE: table})
    remember_root(context.rows, details.id, f"s3://{bucket.name}/{folder}", root)
    for name, content in manifest_writer.with_checksums(described):
        bucket.put(f"{folder}/{name}", content)


def _exported_increment(context: AnyContext, increment: Increment, position: Position) -> Position:
    """Put our files beside an export of the service; the root hash is remembered before the last of them."""
    after = replace(position, chain=increment.id)
    if increment.details is not None:
        return after
    bucket, folder, source = increment.bucket, increment.folder, readable_source(context)
    table = table_file(context, bucket, folder, source)
    summary, files = [file_of(bucket, folder, name) for name in (manifest.SUMMARY, manifest.FILES)]
    sizes = list(check_parts_are_there(increment))
    before = _opened(context, position.chain)
    details = IncrementDetails(
        id=increment.id,
        engine="export",
        began=increment.summary.from_time,
        ended=increment.summary.to_time,
        items=increment.summary.items,
        bytes=0,
        growth=None,
        digest=None,
        start=Mark(increment.summary.from_time),
        end=Mark(increment.summary.to_time),
        previous=position.chain if isinstance(before, IncrementDetails) else None,
        state=None,
        parts=tuple(
            [IncrementPart(p.name, p.items, size, None, None) for p, size in zip(increment.files, sizes, strict=True)]
        ),
        files={manifest.FILES: manifest.sha256_of(files), manifest.TABLE: manifest.sha256_of(table)},
    )
    content = increment_writer.increment_details_json(details)
    described = {manifest.SUMMARY: summary, manifest.FILES: files, manifest.TABLE: table, manifest.DETAILS: content}
    remember_root(context.rows, increment.id, increment.uri, manifest.root_hash(described))
    for name, written in manifest_writer.with_details_checksum(content):
        bucket.put(f"{folder}/{name}", written)
    return after


def _state_after(
    context: AnyContext, before: IncrementDetails | Mark, before_id: str, read: Tally
) -> TableState | None:
    """What the table holds at the increment's end, where it is known what it held at its begin."""
    known = before.state if isinstance(before, IncrementDetails) else None
    known = known or state_of(context.rows, before_id)
    return None if known is None else TableState(known.items + read.growth, known.digest + read.digest)


def _opened(context: AnyContext, chain_id: str) -> IncrementDetails | Mark:
    """The increment of this id, or the mark of the full backup that has it; raises RunIncompleteError for neither."""
    bucket, folder = bucket_of(context), f"{exports_folder(context.job.target.prefix)}{chain_id}"
    content = file_of(bucket, folder, manifest.SUMMARY)
    found: IncrementDetails | Mark | None
    if b'"exportFromTime"' in content:
        found = open_increment(bucket, folder, lambda _: None).details
    else:
        details = open_backup(bucket, folder, lambda _: None).details
        found = None if details is None else details.mark
    if found is None:
        raise RunIncompleteError(
            f"to.s3: {place_of(context)}: the chain's {chain_id} is gone, or not made by this product: restore it "
            "from the bucket's versions, or take another prefix to begin a new chain"
        )
    return found


def _id_key(run: str) -> RowKey:
    return RowKey(run, "increment")
