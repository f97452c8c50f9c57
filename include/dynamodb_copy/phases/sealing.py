"""Seal: the run's report, and TTL once the copy was verified."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dynamodb_copy.aws.tables import described, enable_ttl, tags, untag
from dynamodb_copy.model import Tally
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.mirroring import deleted_by
from dynamodb_copy.phases.prepare import TTL_TAG
from dynamodb_copy.phases.registering import last_run
from dynamodb_copy.phases.verifying import load_verdict
from dynamodb_copy.report import Report, SegmentReport, Verdict
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.reports import store_report


def seal(context: AnyContext, plan: Plan, tallies: Sequence[Tally]) -> Report:
    """Switch TTL on where it waits, write the run's report and release its target; `tallies` are the segments'.

    Raises RunIncompleteError unless the run was verified.
    """
    verdict = load_verdict(context)
    enable_ttl_after_verify(context, plan)
    return sealed(context, plan, tallies, verdict)


def sealed(
    context: AnyContext, plan: Plan, tallies: Sequence[Tally], verdict: Verdict, notes: Sequence[str] = ()
) -> Report:
    """Store the run's report and release its target."""
    segments = [segment_report(segment.label, tally) for segment, tally in zip(plan.segments, tallies, strict=True)]
    return store(context, plan, segments, verdict, notes)


def store(  # noqa: PLR0913  # the report's own parts
    context: AnyContext,
    plan: Plan,
    segments: Sequence[SegmentReport],
    verdict: Verdict,
    notes: Sequence[str],
    *,
    up_to: float | None = None,
    deletes: int | None = None,
) -> Report:
    """Store a report of these segments and release the run's target.

    `up_to`, in epoch seconds by the source's clock, is the moment up to which the target holds every change;
    `deletes` are those among the changes, where it is changes that were copied.
    """
    report = Report(
        job=plan.job_name,
        run_id=context.run_id,
        source=plan.source_arn,
        target=plan.target_arn,
        started=_instant(plan.planned_at),
        finished=_instant(context.wall()),
        segments=tuple(segments),
        verdict=verdict,
        deleted=deleted_by(context) if deletes is None else deletes,
        notes=(plan.reason, *plan.notes, *notes),
        up_to="" if up_to is None else _instant(up_to),
    )
    store_report(context.rows, plan.job_name, last_run(context, up_to=report.up_to), report.as_dict())
    context.run_lease(plan.target_arn).release()
    return report


def enable_ttl_after_verify(context: AnyContext, plan: Plan) -> None:
    """Switch TTL on where a run created the table; the tag goes last, so that a kill in between changes nothing."""
    waiting = [tag["Value"] for tag in tags(context.target_client, plan.target_arn) if tag["Key"] == TTL_TAG]
    for attribute in waiting:
        enable_ttl(context.target_client, described(context.target_client, context.job.target.table).name, attribute)
        untag(context.target_client, plan.target_arn, TTL_TAG)


def segment_report(label: str, tally: Tally) -> SegmentReport:
    """What a segment took, as people see it."""
    return SegmentReport(
        label=label,
        items=tally.items,
        bytes=tally.bytes,
        read_units=tally.read_units,
        write_units=tally.write_units,
        throttles=tally.throttles,
        retries=tally.retries,
        seconds=tally.seconds,
    )


def _instant(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds")
