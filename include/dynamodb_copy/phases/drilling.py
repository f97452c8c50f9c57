"""Drill: a rehearsed restore into a scratch table, measured against its objectives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Thread

import orjson

from dynamodb_copy.aws.tables import described
from dynamodb_copy.catalogue import Backup
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.errors import BackupRefusedError, ContentDiffersError, CopyError
from dynamodb_copy.phases import choosing, proving, scratch, verifying
from dynamodb_copy.phases.choosing import Choice, backup_of, chosen, found_row, increments_of
from dynamodb_copy.phases.comparing import Tables, keeping
from dynamodb_copy.phases.context import AnyContext, DrillContext, RestoreContext, RunContext
from dynamodb_copy.phases.finding import bytes_to_restore
from dynamodb_copy.phases.registering import last_run
from dynamodb_copy.phases.replaying import replayed
from dynamodb_copy.phases.timing import Span, spans
from dynamodb_copy.report import Verdict
from dynamodb_copy.sources.table_scan import only_counts
from dynamodb_copy.state.plans import Plan, find_plan
from dynamodb_copy.state.reports import store_report
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.state.seals import Proof, remember_proof
from dynamodb_copy.verify import survey

_SOURCE_SECONDS = 5.0
"""How long the live source may take to answer for the report."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What was counted."""

    manifest: int  # of the full backup, like `read`
    read: int
    scratch: int
    replayed: int = 0  # changes of the increments
    expected: int | None = None  # items that the full backup and its increments lead to; None without increments

    @property
    def due(self) -> int:
        """The items that the scratch table has to hold."""
        return self.read if self.expected is None else self.expected


def choose(context: DrillContext, as_of: datetime | None) -> Choice:
    """Choose the backup; raises BackupRefusedError when it is larger than the drill may restore."""
    choice = choosing.choose(context, as_of)
    size = bytes_to_restore(backup_of(context), increments_of(context))
    allowed = context.job.drill.max_bytes
    if size > allowed:
        raise BackupRefusedError(
            f"drill.max_bytes: {choice.described} holds {size:,} bytes, allowed are {allowed:,}; raise max_bytes if "
            "the costs of such a restore are meant"
        )
    return choice


def rehearsed(context: DrillContext) -> RestoreContext:
    """The same run as the restore that it rehearses."""
    job = scratch.rehearsal(context.job, chosen(context), context.run)
    fields = {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}
    return RunContext(**fields | {"job": job, "part_of": context.run})


def check_rows(context: RestoreContext, plan: Plan) -> Rows:
    """Count the scratch table, strongly consistent; raises ContentDiffersError unless it holds as many as it has to."""
    read, changes = proving.check_loaded(context, plan), replayed(context)
    due = proving.expected(context, plan, changes) if chosen(context).increments else None
    tables = Tables(context, plan, keeping(context, plan))
    there = survey(tables.target(only_counts(context.job.target.table, None, 0)), [], on_page=tables.on_page)
    rows = Rows(
        backup_of(context).summary.items, read.items, there.items, changes.items, None if due is None else due.items
    )
    content = {"rows": {"S": orjson.dumps(dataclasses.asdict(rows)).decode()}, "expires_at": expiry(RUN_DAYS)}
    context.rows.put(_rows_key(context), content)
    if rows.scratch != rows.due:
        by = "were read from S3" if due is None else "come of the full backup and its increments"
        raise ContentDiffersError(
            f"{plan.target_arn}: {rows.scratch:,} items are there, {rows.due:,} {by}; the restore lost or doubled "
            "some: let the drill run again, and ask why"
        )
    return rows


def check_content(context: RestoreContext, plan: Plan) -> Verdict:
    """Compare the scratch table with the backup, item by item; raises ContentDiffersError unless they are equal."""
    verdict = proving.verify(context, plan)
    if verdict.outcome != "equal":
        raise ContentDiffersError(f"{plan.target_arn} is not what the backup holds: {verdict.headline}")
    proving.remember(context, plan)
    return verdict


def report(context: DrillContext, triggered: datetime) -> DrillReport:
    """Say what was measured and found; store it in the state table and in S3 beside the backup."""
    restore = rehearsed(context)
    backup, plan = backup_of(context), find_plan(context.rows, restore.run)
    made = _measured(context, restore, plan, triggered)
    store_report(context.rows, made.job, last_run(context), made.as_dict())
    key = f"{backup.folder}/drills/{made.triggered}-{context.run.rpartition('#')[2]}.json"
    backup.bucket.put(key, orjson.dumps(made.as_dict(), option=orjson.OPT_INDENT_2))
    if made.recovered:
        _remember_proof(context, Proof(made.run_id, _iso(context.wall())))
    if plan is not None:
        restore.run_lease(plan.target_arn).release()
    return made


def _remember_proof(context: DrillContext, proof: Proof) -> None:
    """Of the full backup and of the last increment: what lies between them was proven with them."""
    choice, rows = chosen(context), context.rows_beside(context.job.source)
    for folder in (choice.folder, *[last for last, _ in choice.increments[-1:]]):
        remember_proof(rows, folder.rpartition("/")[2], proof)


def _measured(context: DrillContext, restore: RestoreContext, plan: Plan | None, triggered: datetime) -> DrillReport:
    backup, choice, objectives = backup_of(context), chosen(context), context.job.drill
    rows, verdict = _stored_rows(restore), _stored_verdict(restore)
    passed = {name: span for name, span in spans(restore).items() if span.ended is not None}
    verified = passed["check content"].ended if verdict and "check content" in passed else None
    made = DrillReport(
        job=context.job.name,
        run_id=context.run_id,
        backup=choice.uri,
        table=choice.table_arn,
        scratch=plan.target_arn if plan else restore.job.target.where,
        triggered=_iso(triggered.timestamp()),
        consistent=choice.consistent,
        rpo_seconds=(choice.wanted(triggered) - datetime.fromisoformat(choice.consistent)).total_seconds(),
        rpo_objective_seconds=objectives.rpo.total_seconds(),
        rto_seconds=None if verified is None else verified - triggered.timestamp(),
        rto_objective_seconds=objectives.rto.total_seconds(),
        phases=_seconds(passed),
        manifest_items=choice.items,
        read_items=rows.read if rows else None,
        scratch_items=rows.scratch if rows else None,
        backup_digest=_digest(backup, verdict, choice),
        scratch_digest=verdict.target_digest if verdict else "",
        source_now=_source_now(context, choice),
        notes=choice.notes,
        problems=(),
        increments=len(choice.increments),
        until=choice.until,
        replayed_changes=rows.replayed if rows else None,
        expected_items=rows.expected if rows else None,
    )
    return replace(made, problems=(*_unproven(rows, verdict), *_missed(made)))


def _digest(backup: Backup, verdict: Verdict | None, choice: Choice) -> str:
    """Of the full backup as it says itself, or of all that it leads to with its increments as it was found."""
    if choice.increments:
        return verdict.source_digest if verdict else ""
    return backup.details.digest.hex if backup.details and backup.details.digest else ""


def _seconds(passed: Mapping[str, Span]) -> dict[str, float]:
    """What each phase took, with the wait for the table between its creation and the plan."""
    seconds = {name: (span.ended or span.began) - span.began for name, span in passed.items()}
    if "create" in passed and "plan" in passed:
        seconds["wait"] = passed["plan"].began - (passed["create"].ended or passed["plan"].began)
    order = ("choose", "create", "wait", "plan", "restore", "replay", "check rows", "check content")
    return {name: seconds[name] for name in order if name in seconds}


def _unproven(rows: Rows | None, verdict: Verdict | None) -> list[str]:
    problems = []
    if rows is None:
        problems.append("the rows were not counted: the restore did not come that far")
    elif (rows.manifest, rows.due) != (rows.read, rows.scratch):
        problems.append("the counts of rows differ")
    if verdict is None:
        problems.append("the content was not compared: the restore did not come that far")
    elif verdict.outcome != "equal":
        problems.append(f"the content is not the backup's: {verdict.headline}")
    return problems


def _missed(made: DrillReport) -> list[str]:
    problems = []
    if made.rto_seconds is not None and made.rto_seconds > made.rto_objective_seconds:
        problems.append(f"RTO missed: {made.rto_seconds:,.0f} s, objective {made.rto_objective_seconds:,.0f} s")
    if made.rpo_seconds > made.rpo_objective_seconds:
        problems.append(f"RPO missed: {made.rpo_seconds:,.0f} s, objective {made.rpo_objective_seconds:,.0f} s")
    return problems


def _source_now(context: DrillContext, choice: Choice) -> str:
    """About how much the live source holds, for comparison; it may well be dark, and nobody waits for it."""
    region, table = choice.table_arn.split(":")[3], choice.table_arn.rpartition("/")[2]
    said: list[str] = []

    def ask() -> None:
        try:
            found = described(context.connect("dynamodb", region, context.job.target.connection), table)
            said.append(f"about {found.item_count:,} items now, as the service last counted them (up to six hours ago)")
        except CopyError as error:
            said.append(f"{region} says nothing of the table: {error}")

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_SOURCE_SECONDS)
    return said[0] if said else f"{region} did not answer within {_SOURCE_SECONDS:.0f} s"


def _stored_rows(context: AnyContext) -> Rows | None:
    row = found_row(context, _rows_key(context))
    return Rows(**orjson.loads(row["rows"]["S"])) if row else None


def _stored_verdict(context: AnyContext) -> Verdict | None:
    row = found_row(context, verifying.verdict_key(context))
    return Verdict.from_dict(orjson.loads(row["verdict"]["S"])) if row and "verdict" in row else None


def _rows_key(context: AnyContext) -> RowKey:
    return RowKey(context.run, "rows")


def _iso(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds")
