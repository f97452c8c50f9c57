"""Copy: one segment, under its lease, from its last checkpoint on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from dynamodb_copy.aws.tables import described
from dynamodb_copy.engine import copy_segment, finished
from dynamodb_copy.errors import TableError, TransientError
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.job import BackupJob, CopyJob, IncrementalBackupJob, IncrementalJob, RestoreJob
from dynamodb_copy.model import Checkpoint, Segment, Tally
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.ends import sink_of, source_of
from dynamodb_copy.ports import CheckpointStore, Fence
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.leases import Fences, Lease
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import position_of
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.steps.counting import counting

Progress = Callable[[Segment, Tally], None]
"""Told a segment's cumulative tally after each checkpoint."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Announcing:
    """Checkpoints that also tell people."""

    checkpoints: CheckpointStore
    on_progress: Progress

    def load(self, segment: Segment) -> Checkpoint:
        """As the store beneath."""
        return self.checkpoints.load(segment)

    def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
        """As the store beneath, then tell."""
        self.checkpoints.save(segment, checkpoint)
        self.on_progress(segment, checkpoint.tally)


def copy(context: AnyContext, plan: Plan, segment: Segment, on_progress: Progress) -> Tally:
    """Copy what earlier attempts left of the segment and return its cumulative tally.

    Does nothing for a base that another run has made since.
    """
    check_tables(context, plan)
    with leased(context, plan, segment_key(context.run, segment)) as held, announced(context, held, on_progress) as to:
        if _is_based(context, plan):
            _log.info("%s: the target has its base", segment.label)
            return to.load(segment).tally
        source, sink = source_of(context, plan), sink_of(context, plan, held.fence)
        return copy_segment(source, sink, segment, to, [counting(fingerprints(plan))])


def _is_based(context: AnyContext, plan: Plan) -> bool:
    """Whether items as they were once would overwrite the changes that were applied since."""
    if not isinstance(context.job, IncrementalJob):
        return False
    position = position_of(context.rows, plan.target_arn)
    return position is not None and position.based is not None


@contextmanager
def announced(context: AnyContext, held: Held, on_progress: Progress) -> Iterator[CheckpointStore]:
    """The run's checkpoints as an attempt may write them; people are told of each."""
    with closing(StateCheckpoints(context.rows, context.run, held.holder)) as checkpoints:
        yield _Announcing(checkpoints, on_progress)


def check_tables(context: AnyContext, plan: Plan) -> None:
    """Refuse tables that were dropped and created again since the plan was made."""
    places = []
    if isinstance(context.job, CopyJob | BackupJob | IncrementalJob | IncrementalBackupJob):
        places.append((context.source_client, context.job.source.table, plan.source_id))
    if isinstance(context.job, CopyJob | RestoreJob | IncrementalJob):
        places.append((context.target_client, context.job.target.table, plan.target_id))
    for client, name, table_id in places:
        table = described(client, name)
        if table.table_id != table_id:
            raise TableError(f"{table.arn} was dropped and created again since this run was planned; start a new run")


class Held(NamedTuple):
    """What an attempt holds: it may send while the fence lets it."""

    fence: Fence
    holder: str  # the attempt's name


@contextmanager
def leased(context: AnyContext, plan: Plan, key: RowKey) -> Iterator[Held]:
    """Hold the run's lease on the target and this attempt's on a row."""
    run_lease, lease = context.run_lease(plan.target_arn), context.attempt_lease(key)
    run_lease.acquire(wait_while_alive=False)
    lease.acquire(wait_while_alive=True)
    try:
        yield Held(Fences(lease, run_lease), lease.holder)
    except BaseException:
        _let_go(lease)
        raise
    else:
        lease.release()


def _let_go(lease: Lease) -> None:
    """Release after a failure that may well keep the release from arriving: the lease then runs out by itself."""
    try:
        lease.release()
    except TransientError as error:
        _log.warning("The lease was not released, the next attempt waits for its end: %s", error)


def fence_out_segments(context: AnyContext, plan: Plan) -> list[Tally]:
    """Return every segment's tally once all are done and no attempt, of mirror neither, can send any more.

    Raises RunIncompleteError. Taking a lease that is not free makes every earlier attempt's next renewal fail.
    """
    checkpoints = StateCheckpoints(context.rows, context.run, "")
    tallies = finished(checkpoints, plan.segments)
    for key in (*[segment_key(context.run, segment) for segment in plan.segments], mirror_key(context)):
        context.attempt_lease(key).end()
    return tallies


def mirror_key(context: AnyContext) -> RowKey:
    """The row of the run's mirror: its lease and how many keys it deleted."""
    return RowKey(context.run, "mirror")


def fingerprints(plan: Plan) -> Fingerprints:
    """How the run's items are compared."""
    return Fingerprints(plan.keys, plan.ttl_attribute, plan.expires_before)
