"""Prove: what a restored table has to hold, never as its loader tells, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from dynamodb_copy.errors import ContentDiffersError
from dynamodb_copy.formats.increment_manifest import TableState
from dynamodb_copy.formats.json_values import digest
from dynamodb_copy.formats.manifest_writer import packed_digest
from dynamodb_copy.model import Digest, Tally
from dynamodb_copy.phases import verifying
from dynamodb_copy.phases.choosing import backup_of, chosen, increments_of
from dynamodb_copy.phases.comparing import Tables, keeping
from dynamodb_copy.phases.context import RestoreContext
from dynamodb_copy.phases.copying import fence_out_segments
from dynamodb_copy.phases.ends import chain_state, stored_of
from dynamodb_copy.phases.replaying import replayed
from dynamodb_copy.report import Verdict
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.state.seals import remember_state, state_of
from dynamodb_copy.stored_increment import Increment


@dataclass(frozen=True, slots=True)
class Expected:
    """What a full backup and its increments lead to."""

    items: int
    expiring: int  # of them: those left out of the digest because TTL may remove them before the run ends
    digest: Digest
    applied: int  # changes
    left_out: int  # changes of the increments that were written after the moment

    @property
    def tally(self) -> Tally:
        """As what was read is counted."""
        return Tally(items=self.items, expiring=self.expiring, digest=self.digest)


def check_loaded(context: RestoreContext, plan: Plan) -> Tally:
    """Return what was read of the full backup, if it is what it says of itself; raises ContentDiffersError."""
    read = sum(_tallies(context, plan), Tally())
    backup = backup_of(context)
    if read.items != backup.summary.items:
        raise ContentDiffersError(
            f"{backup.uri}: {read.items} items were read, its manifest counts {backup.summary.items}; start a new run"
        )
    told = backup.details.digest if backup.details else None
    if told is not None and plan.expires_before == 0 and told != read.digest:
        raise ContentDiffersError(
            f"{backup.uri}: what was read has the digest {read.digest.hex}, its backup.json says {told.hex}; the "
            "backup was edited or damaged: use another one"
        )
    return read


def verify(context: RestoreContext, plan: Plan) -> Verdict:
    """Judge the restored table, and keep the verdict for seal; raises ContentDiffersError."""
    read = check_loaded(context, plan)
    if chosen(context).increments:
        changes = replayed(context)
        if context.job.verify != "none":
            read = expected(context, plan, changes).tally
    return verifying.verify(context, plan, read)


def expected(context: RestoreContext, plan: Plan, changes: Tally) -> Expected:
    """What the run's full backup and increments lead to, read anew once per run; `changes` is what was replayed.

    Raises ContentDiffersError when the replay applied fewer or more changes, or when figures that the chain carries
    for this very moment say otherwise.
    """
    found = _stored(context) or _surveyed(context, plan)
    if found.applied != changes.items:
        raise ContentDiffersError(
            f"{plan.target_arn}: {changes.items:,} changes were replayed, the increments hold {found.applied:,} that "
            "count; start a new run"
        )
    return found


def remember(context: RestoreContext, plan: Plan) -> None:
    """Keep what a proven table holds at the end of its last increment, so that later increments carry it on."""
    found, choice = _stored(context), chosen(context)
    if found is not None and found.left_out == 0 and plan.expires_before == 0:
        last, _ = choice.increments[-1]
        state = TableState(found.items, found.digest)
        remember_state(context.rows_beside(context.job.source), last.rpartition("/")[2], state)


def _tallies(context: RestoreContext, plan: Plan) -> list[Tally]:
    """What was read; the service's import does not tell what it read, so the backup is read again."""
    if context.job.engine == "load":
        return fence_out_segments(context, plan)
    tables = Tables(context, plan, lambda: None)
    return [tables.survey(tables.source())]


def _surveyed(context: RestoreContext, plan: Plan) -> Expected:
    tables = Tables(context, plan, keeping(context, plan))
    source = chain_state(context, stored_of(context), plan, segments=tables.segments, on_block=tables.on_page)
    there = tables.survey(source)
    found = Expected(there.items, there.expiring, there.digest, *source.folded())
    if found.left_out == 0:
        _check_carried(context, plan, found)
    packed = {
        "items": found.items,
        "expiring": found.expiring,
        "digest": packed_digest(found.digest),
        "applied": found.applied,
        "left_out": found.left_out,
    }
    row = {"expected": {"S": orjson.dumps(packed).decode()}, "expires_at": expiry(RUN_DAYS)}
    context.rows.put(_key(context), row)
    return found


def _check_carried(context: RestoreContext, plan: Plan, found: Expected) -> None:
    """Hold what was found against what the chain itself says of the moment at which its last increment ends."""
    last = increments_of(context)[-1]
    carried = _carried(context, last)
    if carried is None:
        return
    if carried.items != found.items:
        raise ContentDiffersError(
            f"{last.uri}: at its end the table has {carried.items:,} items by the figures that the chain carries, and "
            f"{found.items:,} by the full backup and its increments; the chain is damaged: restore to an earlier moment"
        )
    if plan.expires_before == 0 and carried.digest != found.digest:
        raise ContentDiffersError(
            f"{last.uri}: at its end the table has the digest {carried.digest.hex} by the figures that the chain "
            f"carries, and {found.digest.hex} by the full backup and its increments; the chain is damaged: restore to "
            "an earlier moment"
        )


def _carried(context: RestoreContext, last: Increment) -> TableState | None:
    told = last.details.state if last.details else None
    return told or state_of(context.rows_beside(context.job.source), last.id)


def _stored(context: RestoreContext) -> Expected | None:
    row = context.rows.get(_key(context))
    if row is None:
        return None
    packed = orjson.loads(row["expected"]["S"])
    return Expected(**packed | {"digest": digest(packed["digest"])})


def _key(context: RestoreContext) -> RowKey:
    return RowKey(context.run, "expected")
