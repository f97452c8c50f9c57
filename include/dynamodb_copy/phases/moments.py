"""The source's clock: marks, ends of bases and windows are compared by it alone."""

from __future__ import annotations

from dynamodb_copy.phases.context import AnyContext

_GRAIN_SECONDS = 1.0
"""Of the `Date` header."""


def time_at_source(context: AnyContext) -> float:
    """What the service's clock shows, in whole epoch seconds; the machine's where the service does not say."""
    wire = context.wire(context.source_client)
    wire.call("DescribeTable", {"TableName": context.job.source.table})
    return wire.service_time() or context.wall()


def end_of_scan(context: AnyContext) -> float:
    """From when on a base that was scanned and is whole by now is consistent."""
    return time_at_source(context) + _GRAIN_SECONDS
