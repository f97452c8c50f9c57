"""What the two tables of a run hold, and how they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import orjson

from dynamodb_copy.differences import Differences
from dynamodb_copy.formats.dynamodb_json import key_of
from dynamodb_copy.model import Page, Put, Tally
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import fingerprints
from dynamodb_copy.phases.ends import state_source_of, table_source
from dynamodb_copy.ports import Source
from dynamodb_copy.report import Mode, Outcome, Verdict
from dynamodb_copy.sources.table_scan import TableScan, only_keys, whole_items
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.steps.counting import counting
from dynamodb_copy.steps.selecting import selecting
from dynamodb_copy.verify import THREADS, OnPage, differences, survey

MOST_NAMED = 100
"""Differing keys that a verdict names."""

_NOW = (
    "Both tables were read now, one after the other, by strongly consistent scans: what changed in between shows as a "
    "difference."
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The two tables of a run as they are now, read by several threads under the run's read limits."""

    context: AnyContext
    plan: Plan
    on_page: OnPage

    def source(self) -> Source:
        """The source's items: of a table as it is now, or of the backup with its increments."""
        return state_source_of(self.context, self.plan, segments=self.segments, on_block=self.on_page)

    def target(self, request: dict[str, Any] | None = None) -> TableScan:
        """The target's items, or what another scan request reads of it."""
        request = request or whole_items(self.context.job.target.table, consistent=True)
        limit = ("verify", self.plan.verify_read_units)
        return table_source(self.context, self.context.target_client, request, segments=self.segments, limit=limit)

    def survey(self, table: Source) -> Tally:
        """Count and digest a table."""
        return survey(table, [counting(fingerprints(self.plan))], on_page=self.on_page)

    def differences(self, buckets: Iterable[int]) -> Differences:
        """Compare the tables key by key within some buckets."""
        return differences(self.source(), self.target(), fingerprints(self.plan), buckets, on_page=self.on_page)

    def keys(self, table: str, hashes: frozenset[bytes]) -> list[str]:
        """The keys behind key hashes, as JSON; for a person who asked to see them."""
        keys_of_target = only_keys(self.context.job.target.table, self.plan.keys)
        scan = self.source() if table == "source" else self.target(keys_of_target)
        found: list[str] = []

        def collecting(pages: Iterable[Page]) -> Iterator[Page]:
            for page in pages:
                items = [change.item for change in page.changes if isinstance(change, Put)]
                found.extend(orjson.dumps(key_of(item, self.plan.keys)).decode() for item in items)
                yield page

        if hashes:
            survey(scan, [selecting(self.plan.keys, hashes), collecting], on_page=self.on_page)
        return sorted(found)

    @property
    def segments(self) -> int:
        """In how many segments each side is read."""
        return max(THREADS // 2, min(self.plan.segment_count, 4 * THREADS))


def compare(tables: Tables, *, show_keys: bool) -> Verdict:
    """Compare source and target as they are now."""
    source, target = tables.survey(tables.source()), tables.survey(tables.target())
    buckets = source.digest.differing(target.digest)
    found = tables.differences(buckets) if buckets else Differences()
    outcome: Outcome = "differs" if found.missing or found.changed else "superset" if found.extra else "equal"
    verdict = judged(outcome, "content", Sides(source, target, found), _NOW)
    if not show_keys:
        return verdict
    shown = tables.keys("source", found.missing | found.changed) + tables.keys("target", found.extra)
    return replace(verdict, differing=tuple(shown[:MOST_NAMED]))


def keeping(context: AnyContext, plan: Plan) -> Callable[[], None]:
    """Take the run's lease on the target; returns what keeps it while pages are read."""
    lease = context.run_lease(plan.target_arn)
    lease.acquire(wait_while_alive=False)
    one_at_a_time = Lock()

    def keep() -> None:
        with one_at_a_time:
            lease.check()

    return keep


@dataclass(frozen=True, slots=True)
class Sides:
    """What was counted on both sides, and how they differ."""

    source: Tally
    target: Tally
    found: Differences = field(default_factory=Differences)


def judged(outcome: Outcome, mode: Mode, sides: Sides, statement: str) -> Verdict:
    """A verdict from what was counted and found; items that expire are in none of its counts but their own."""
    source, target, found = sides.source, sides.target, sides.found
    hashes = sorted(found.missing | found.changed) + sorted(found.extra)
    content = mode == "content"
    return Verdict(
        outcome=outcome,
        mode=mode,
        source_items=source.items - source.expiring,
        target_items=target.items - target.expiring,
        extra=len(found.extra),
        missing=len(found.missing),
        changed=len(found.changed),
        expiring=source.expiring,
        source_digest=source.digest.hex if content else "",
        target_digest=target.digest.hex if content else "",
        differing_buckets=tuple(sorted(found.buckets)),
        differing=tuple(hashed.hex() for hashed in hashes[:MOST_NAMED]),
        statement=statement,
    )
