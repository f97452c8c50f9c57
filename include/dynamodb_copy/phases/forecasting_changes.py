"""Forecast of an incremental copy: from where on it would read, and whether it needs a base; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from dynamodb_copy.aws.tables import describe
from dynamodb_copy.errors import ChangesLostError
from dynamodb_copy.phases.backing_up import bucket_of, place_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.expiring import would_expire
from dynamodb_copy.phases.extending import chain_gap, is_full_due
from dynamodb_copy.phases.feeds import feed_of
from dynamodb_copy.phases.forecasting import Forecast, forecast
from dynamodb_copy.phases.gaps import gap, standing
from dynamodb_copy.phases.prepare import readable_source
from dynamodb_copy.state.positions import position_of


@dataclass(frozen=True, slots=True)
class ChangesForecast:
    """A run before it runs."""

    base: Forecast | None  # None: the target has its base
    up_to: str  # ISO 8601: what the target holds; empty when it holds nothing yet
    lag_seconds: float | None
    notes: list[str]


def forecast_changes(context: AnyContext) -> ChangesForecast:
    """Check what can be checked without writing; raises what prepare would raise."""
    source = readable_source(context)
    feed = feed_of(context, source)
    target = describe(context.target_client, context.job.target.table)
    feed.check("" if target is None else target.arn)
    reason = gap(context, feed, source, target)
    if reason and context.job.changes.on_gap == "fail":
        raise ChangesLostError(f"{context.job.target.where}: {reason}; say changes: {{on_gap: full}} to start over")
    position = None if reason else standing(context, target)
    if position is None or position.based is None:
        base = forecast(context)
        notes = [f"starting over with a full copy: {reason}"] if reason else ["the first run copies everything"]
        return ChangesForecast(base, "", None, [*notes, *base.notes])
    warning = feed.warning(position)
    up_to = datetime.fromtimestamp(position.up_to, UTC).isoformat(timespec="seconds")
    return ChangesForecast(None, up_to, feed.now() - position.up_to, [warning] if warning else [])


@dataclass(frozen=True, slots=True)
class ChainForecast:
    """A run that extends a chain before it runs."""

    makes_full: bool
    up_to: str  # ISO 8601: up to when the chain is complete; empty when there is none
    lag_seconds: float | None
    would_delete: list[str]  # what `keep` no longer keeps now
    notes: list[str]


def forecast_chain(context: AnyContext) -> ChainForecast:
    """Check what can be checked without writing; raises what prepare would raise."""
    source = readable_source(context)
    feed = feed_of(context, source)
    feed.check(place_of(context))
    bucket_of(context).check_private()
    reason = chain_gap(context, feed, source)
    position = None if reason else position_of(context.rows, place_of(context))
    would_delete = would_expire(context)
    if position is None:
        notes = [f"a new chain begins: {reason}"] if reason else ["the first run makes a full backup"]
        return ChainForecast(makes_full=True, up_to="", lag_seconds=None, would_delete=would_delete, notes=notes)
    warning = feed.warning(position)
    return ChainForecast(
        makes_full=position.based is None or is_full_due(context, feed, position),
        up_to=datetime.fromtimestamp(position.up_to, UTC).isoformat(timespec="seconds"),
        lag_seconds=feed.now() - position.up_to,
        would_delete=would_delete,
        notes=[warning] if warning else [],
    )
