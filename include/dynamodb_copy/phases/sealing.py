"""Seal: the run's report, and TTL once the copy was verified."""

from __future__ import annotations

from datetime import UTC, datetime

from dynamodb_copy.aws.tables import described, enable_ttl, tags, untag
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases.context import RunContext
from dynamodb_copy.phases.copying import fence_out_segments
from dynamodb_copy.phases.mirroring import deleted_by
from dynamodb_copy.phases.prepare import TTL_TAG
from dynamodb_copy.phases.verifying import load_verdict
from dynamodb_copy.report import Report, SegmentReport
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.reports import store_report


def seal(context: RunContext, plan: Plan) -> Report:
    """Write the run's report and release its target.

    Raises RunIncompleteError unless every planned segment is done and the run was verified.
    """
    tallies = fence_out_segments(context, plan)
    verdict = load_verdict(context)
    _enable_ttl(context, plan)
    report = Report(
        job=plan.job_name,
        run_id=context.run_id,
        source=plan.source_arn,
        target=plan.target_arn,
        started=_instant(plan.planned_at),
        finished=_instant(context.wall()),
        segments=tuple(_segment(segment, tally) for segment, tally in zip(plan.segments, tallies, strict=True)),
        verdict=verdict,
        deleted=deleted_by(context),
        notes=(plan.reason, *plan.notes),
    )
    store_report(context.rows, plan.job_name, context.run_id, report.as_dict())
    context.run_lease(plan.target_arn).release()
    return report


def _enable_ttl(context: RunContext, plan: Plan) -> None:
    """Switch TTL on where a run created the table; the tag goes last, so that a kill in between changes nothing."""
    waiting = [tag["Value"] for tag in tags(context.target_client, plan.target_arn) if tag["Key"] == TTL_TAG]
    for attribute in waiting:
        enable_ttl(context.target_client, described(context.target_client, context.job.target.table).name, attribute)
        untag(context.target_client, plan.target_arn, TTL_TAG)


def _segment(segment: Segment, tally: Tally) -> SegmentReport:
    return SegmentReport(
        label=segment.label,
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
