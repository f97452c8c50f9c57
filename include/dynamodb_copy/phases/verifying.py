"""Verify: the target against what the run read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from dynamodb_copy.differences import BucketDifferences
from dynamodb_copy.errors import ContentDiffersError, LeaseLostError, RunIncompleteError
from dynamodb_copy.model import DIGEST_MODULUS, Tally
from dynamodb_copy.phases.comparing import Sides, Tables, judged, keeping
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.copying import leased
from dynamodb_copy.phases.mirroring import deleted_by, mirrored_items
from dynamodb_copy.report import Outcome, Verdict
from dynamodb_copy.sources.table_scan import only_counts
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.verify import survey

_EQUAL = (
    "The target holds exactly the items that this run read, each as it was when its page was read. What was written to "
    "the source later is not in it and not judged."
)
_FEW = 300
"""Items of a bucket of which any four are tried as a reason for what is left over; of more, any two."""

_SUPERSET = (
    "For every key the target holds the item that this run read or the one that the source holds now. What was written "
    "to the source later is not in it and not judged."
)
_COUNTED = "The target's items were counted by a strongly consistent scan; their content was not compared."
_UNPROVEN = "The job says `verify: none`: nothing was compared."


def verify(context: AnyContext, plan: Plan, read: Tally) -> Verdict:
    """Judge the run's copy against what was read, and keep the verdict for seal; raises ContentDiffersError."""
    with leased(context, plan, verdict_key(context)) as (_, holder):
        verdict = _judge(context, plan, read)
        row = {"verdict": {"S": orjson.dumps(verdict.as_dict()).decode()}, "expires_at": expiry(RUN_DAYS)}
        if not context.rows.update(verdict_key(context), row, only_if="holder = :me", values={":me": {"S": holder}}):
            raise LeaseLostError("verdict: another attempt verifies now; this one stops")
    if verdict.outcome == "differs":
        raise ContentDiffersError(
            f"{plan.target_arn} is not what was read: {verdict.headline}; "
            f"key hashes: {', '.join(verdict.differing[:10])}. "
            "`repair` writes only what differs; `verify --show-keys` shows the keys"
        )
    return verdict


def load_verdict(context: AnyContext) -> Verdict:
    """Return the run's verdict; raises RunIncompleteError when there is none or it is `differs`."""
    row = context.rows.get(verdict_key(context))
    if row is None or "verdict" not in row:
        raise RunIncompleteError(
            "the run was not verified; let its verify task run: marking it as success proves nothing"
        )
    verdict = Verdict.from_dict(orjson.loads(row["verdict"]["S"]))
    if verdict.outcome == "differs":
        raise RunIncompleteError(f"the run's verdict is {verdict.headline}; `repair` it, or run the job again")
    return verdict


def verdict_key(context: AnyContext) -> RowKey:
    """The row of the run's verdict."""
    return RowKey(context.run, "verdict")


def _judge(context: AnyContext, plan: Plan, read: Tally) -> Verdict:
    deleted = mirrored_items(context)
    if context.job.verify == "none":
        return judged("not verified", "none", Sides(read, Tally()), _UNPROVEN)
    tables = Tables(context, plan, keeping(context, plan))
    return _counted(tables, read) if context.job.verify == "count" else _digested(tables, read, deleted)


def _counted(tables: Tables, read: Tally) -> Verdict:
    context, plan = tables.context, tables.plan
    request = only_counts(context.job.target.table, plan.ttl_attribute, plan.expires_before)
    there = survey(tables.target(request), [], on_page=tables.on_page)
    extra = there.items - (read.items - read.expiring)
    if 0 < -extra <= (deleted := deleted_by(context)):
        statement = f"{_COUNTED} {-extra} fewer than were read: mirror deleted {deleted} that the source does not have."
        return judged("equal", "count", Sides(read, there), statement)
    more: Outcome = "differs" if context.job.target.mirror else "superset"
    outcome: Outcome = "equal" if extra == 0 else more if extra > 0 else "differs"
    verdict = judged(outcome, "count", Sides(read, there), _COUNTED)
    return replace(verdict, extra=max(0, extra), missing=max(0, -extra))


def _digested(tables: Tables, read: Tally, deleted: Mapping[int, set[int]]) -> Verdict:
    there = tables.survey(tables.target())
    buckets = read.digest.differing(there.digest)
    if not buckets:
        return judged("equal", "content", Sides(read, there), _EQUAL)
    found = tables.differences(buckets)
    wrong = found.within(
        bucket
        for bucket, here in found.buckets.items()
        if not is_superset(
            here, there.digest.buckets[bucket] - read.digest.buckets[bucket] - here.extra_sum, deleted.get(bucket)
        )
    )
    if wrong.buckets:
        statement = "The target differs from what was read, and from what the source holds now."
        return judged("differs", "content", Sides(read, there, wrong), statement)
    extra = len(found.extra)
    statement = f"{_SUPERSET} It also holds {extra} items that the source does not have." if extra else _SUPERSET
    verdict = judged("superset" if extra else "equal", "content", Sides(read, there, found), statement)
    return replace(verdict, missing=0, changed=0, differing=())


def is_superset(here: BucketDifferences, left: int, deleted: set[int] | None) -> bool:
    """Whether a bucket holds, for every key, what was read or what the source holds now, and perhaps more keys.

    `left` is the target's digest less those of what was read and of the extra items. Digests are sums: when nothing is
    left, the rest is what was read, to the bit, and writes to the source since then, which show as differences too, do
    not count against the copy. Otherwise a few items may make up for it, and with hashes of 128 bits they do so only if
    they are the reason: what was read and deleted from the source since then, whether it is still there or mirror
    deleted it, and what the target held before and the source had only after its page was read.
    After a mirror (`deleted` is given) extra items that were not read are not what was asked for.
    """
    left %= DIGEST_MODULUS
    if left == 0 and deleted is not None:
        return not here.extra
    if not here.missing and not here.changed:
        return True
    steps = {-item % DIGEST_MODULUS for item in (*here.extra_items, *(deleted or ()))} | set(here.changed_items)
    sums = {0} | steps
    if len(steps) <= _FEW:
        sums |= {(one + other) % DIGEST_MODULUS for one in steps for other in steps}
    return any((left - known) % DIGEST_MODULUS in sums for known in sums)
