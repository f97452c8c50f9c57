"""What a run did and what its verdict proves: values that travel as plain JSON, and their readable form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from rich import box
from rich.filesize import decimal
from rich.table import Table

from dynamodb_copy.model import BUCKETS
from dynamodb_copy.report_text import labelled, text_of

Outcome = Literal["equal", "superset", "differs", "not verified", "sealed"]
Mode = Literal["none", "count", "content", "checksums", "changed"]

_ROWS_MAX = 32
_SLOWEST_ROWS = 10
_TOTALS = ("items", "bytes", "read_units", "write_units", "throttles", "retries", "seconds", "items_per_second")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comparing the two tables found, and what that proves."""

    outcome: Outcome
    mode: Mode
    source_items: int
    target_items: int
    extra: int  # items that only the target has
    missing: int  # items that only the source has
    changed: int  # items with the same key and other content
    expiring: int  # items left out on both sides because TTL may remove them before the run ends
    source_digest: str  # 32 hexadecimal digits, or empty when mode is not "content"
    target_digest: str
    differing_buckets: tuple[int, ...]
    differing: tuple[str, ...]  # at most 100 key hashes; keys as JSON only where a person asked to see them
    statement: str  # what this verdict proves and what it does not

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` is the inverse."""
        return asdict(self, dict_factory=_plain)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Build the verdict that `as_dict` described."""
        sequences = {name: tuple(values[name]) for name in ("differing_buckets", "differing")}
        return cls(**{**values, **sequences})

    def render(self) -> str:
        """Return the verdict as readable lines of at most 100 columns."""
        return text_of([self.headline, labelled(_verdict_rows(self))])

    @property
    def headline(self) -> str:
        """The outcome in a few words, with the counts that explain it."""
        counts = {"missing": self.missing, "changed": self.changed, "extra": self.extra}
        explained = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
        return f"{self.outcome} ({explained})" if explained else self.outcome


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """What copying one segment took, over all of its attempts."""

    label: str
    items: int
    bytes: int
    read_units: float
    write_units: float
    throttles: int
    retries: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """One sealed run: what it copied, what that cost, and the verdict. Totals are over all segments."""

    job: str
    run_id: str
    source: str  # ARN
    target: str  # ARN
    started: str  # ISO 8601, UTC
    finished: str  # ISO 8601, UTC
    segments: tuple[SegmentReport, ...]
    verdict: Verdict
    deleted: int  # keys that mirror removed from the target; of changes, those that delete
    notes: tuple[str, ...]
    up_to: str = ""  # ISO 8601, UTC: the target holds every change up to then; empty for a copy of a whole table

    @property
    def lag_seconds(self) -> float | None:
        """How far behind its source the target was when the run ended."""
        return _seconds_between(self.up_to, self.finished) if self.up_to else None

    @property
    def items(self) -> int:
        """Items read from the source and stored in the target."""
        return sum(segment.items for segment in self.segments)

    @property
    def bytes(self) -> int:
        """Bytes of these items' wire JSON."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def read_units(self) -> float:
        """Read capacity units consumed on the source."""
        return sum(segment.read_units for segment in self.segments)

    @property
    def write_units(self) -> float:
        """Write capacity units consumed on the target."""
        return sum(segment.write_units for segment in self.segments)

    @property
    def throttles(self) -> int:
        """Requests that either table throttled."""
        return sum(segment.throttles for segment in self.segments)

    @property
    def retries(self) -> int:
        """Requests that were sent again."""
        return sum(segment.retries for segment in self.segments)

    @property
    def seconds(self) -> float:
        """Wall time from the start to the seal."""
        return _seconds_between(self.started, self.finished)

    @property
    def items_per_second(self) -> float:
        """Items over wall time; 0.0 for a run too short for the clock."""
        return self.items / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with the totals added; `from_dict` is the inverse."""
        totals = {name: getattr(self, name) for name in _TOTALS}
        return {**asdict(self, dict_factory=_plain), "lag_seconds": self.lag_seconds, "totals": totals}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """Build the report that `as_dict` described; the totals follow from the segments."""
        own = {name: value for name, value in values.items() if name not in {"totals", "lag_seconds"}}
        own["segments"] = tuple(SegmentReport(**segment) for segment in own["segments"])
        own["verdict"] = Verdict.from_dict(own["verdict"])
        return cls(**{**own, "notes": tuple(own["notes"])})

    def render(self) -> str:
        """Return the report as readable text of at most 100 columns, for a task's log and a terminal."""
        headline = f"{self.job}: {self.verdict.headline}, {self.items:,} items in {self.seconds:,.1f} s"
        of_what = "of the changes" if self.up_to else "items of the target that the source does not have"
        deleted = ("deleted", f"{self.deleted:,} {of_what}")
        closing = [*_verdict_rows(self.verdict), deleted, *_list_rows("notes", self.notes)]
        return text_of([headline, "", labelled(_opening_rows(self)), _segments(self.segments), labelled(closing)])


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _plain(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}


def _opening_rows(report: Report) -> list[tuple[str, str]]:
    return [
        ("run", report.run_id),
        ("source", report.source),
        ("target", f"→ {report.target}"),
        ("items", f"{report.items:,}, {report.items_per_second:,.0f} per second"),
        ("size", decimal(report.bytes)),
        ("capacity", f"{report.read_units:,.1f} read units, {report.write_units:,.1f} write units"),
        ("throttles", f"{report.throttles:,}"),
        ("retries", f"{report.retries:,}"),
        ("time", f"{report.seconds:,.1f} s, {report.started} to {report.finished}"),
        *([("up to", f"{report.up_to}, {report.lag_seconds:,.0f} s before the run's end")] if report.up_to else []),
    ]


def _verdict_rows(verdict: Verdict) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = [("compared", verdict.mode)]
    if verdict.mode != "none":
        rows.append(("items", f"{verdict.source_items:,} in the source, {verdict.target_items:,} in the target"))
    if verdict.expiring:
        rows.append(("expiring", f"{verdict.expiring:,} items left out: TTL may remove them before the run ends"))
    if verdict.mode == "content":
        rows += [("digest", f"{verdict.source_digest} source"), ("", f"{verdict.target_digest} target")]
    if verdict.differing_buckets:
        rows.append(("buckets", f"{len(verdict.differing_buckets)} of {BUCKETS} differ"))
    return [*rows, *_list_rows("differing", verdict.differing), ("proves", verdict.statement)]


def _list_rows(label: str, values: Sequence[str]) -> list[tuple[str, str]]:
    return [(label if place == 0 else "", value) for place, value in enumerate(values)]


def _segments(segments: Sequence[SegmentReport]) -> Table:
    table = Table("segment", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for heading in ("items", "size", "read units", "write units", "throttles", "retries", "seconds"):
        table.add_column(heading, justify="right", overflow="fold")
    for row in _rows_to_show(segments):
        table.add_row(*_cells(row))
    return table


def _rows_to_show(segments: Sequence[SegmentReport]) -> list[SegmentReport]:
    if len(segments) <= _ROWS_MAX:
        return list(segments)
    slowest_first = sorted(segments, key=lambda segment: segment.seconds, reverse=True)
    return [*slowest_first[:_SLOWEST_ROWS], _sum(slowest_first[_SLOWEST_ROWS:])]


def _sum(others: Sequence[SegmentReport]) -> SegmentReport:
    counts = [name for name in SegmentReport.__slots__ if name != "label"]
    totals = {name: sum(getattr(segment, name) for segment in others) for name in counts}
    return SegmentReport(label=f"{len(others)} faster ones", **totals)


def _cells(row: SegmentReport) -> list[str]:
    units = [f"{row.read_units:,.0f}", f"{row.write_units:,.0f}"]
    return [
        row.label,
        f"{row.items:,}",
        decimal(row.bytes),
        *units,
        f"{row.throttles:,}",
        f"{row.retries:,}",
        f"{row.seconds:,.1f}",
    ]
