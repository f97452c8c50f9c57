"""How long the phases of a run took, over all attempts and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, expiry

_PREFIX = "phase#"


class Span(NamedTuple):
    """When a phase first began and last ended, in epoch seconds."""

    began: float
    ended: float | None  # None: it did not come to its end


@contextmanager
def timed(context: AnyContext, phase: str) -> Iterator[None]:
    """Note when the phase begins, unless it is noted, and when it ends well."""
    context.ensure_state()
    key = RowKey(context.run, f"{_PREFIX}{phase}")
    context.rows.insert(key, {"name": {"S": phase}, "began": _now(context), "expires_at": expiry(RUN_DAYS)})
    yield
    context.rows.update(key, {"ended": _now(context)})


def spans(context: AnyContext) -> dict[str, Span]:
    """The phases by name, in the order of their beginning."""
    rows = sorted(context.rows.query(context.run, _PREFIX), key=lambda row: float(row["began"]["N"]))
    return {row["name"]["S"]: _span(row) for row in rows}


def _span(row: Row) -> Span:
    return Span(float(row["began"]["N"]), float(row["ended"]["N"]) if "ended" in row else None)


def _now(context: AnyContext) -> Row:
    return {"N": f"{context.wall():.3f}"}
