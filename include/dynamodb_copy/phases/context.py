"""What every phase of a run needs: the job, its two tables' clients and the state table."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from uuid import uuid4

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.aws.raw_json import STREAMS, Wire
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, Job, RestoreJob, S3At
from dynamodb_copy.ports import Limiter
from dynamodb_copy.state.claims import target_partition
from dynamodb_copy.state.creation import ensure_state_table
from dynamodb_copy.state.leases import Lease
from dynamodb_copy.state.limits import LocalSchedule, Schedule, SharedLimiter, StateSchedule, Unlimited
from dynamodb_copy.state.rows import RowKey, StateRows

DEFAULT_STATE_TABLE = "dynamodb-copy-state"


JobT = TypeVar("JobT", bound=Job)


def state_schedule(context: AnyContext, name: str) -> Schedule:
    """The schedule of a run's limit, shared by all its processes."""
    return StateSchedule(context.rows, RowKey(context.run, f"limit#{name}"))


def local_schedules() -> Callable[[AnyContext, str], Schedule]:
    """Schedules for one process that may not write state."""
    known: defaultdict[str, LocalSchedule] = defaultdict(LocalSchedule)
    return lambda _context, name: known[name]


@dataclass(frozen=True)
class RunContext(Generic[JobT]):
    """One run of one job, as one process sees it."""

    job: JobT
    run_id: str
    connect: Connect
    timeouts: Timeouts = field(default_factory=Timeouts)
    clock: Clock = field(default_factory=Clock)
    wall: Callable[[], float] = time.time
    schedule: Callable[[AnyContext, str], Schedule] = state_schedule
    opened: ExitStack = field(default_factory=ExitStack)
    part_of: str | None = None  # the partition of another run, of which this one is a part
    stage: str = ""  # of a run that copies twice, one after the other: the rows of the second are apart

    @property
    def run(self) -> str:
        """The partition of the rows of the run, and of its stage if it has one."""
        return f"{self.whole_run}#{self.stage}" if self.stage else self.whole_run

    @property
    def whole_run(self) -> str:
        """The partition of the run's rows.

        The places are part of it: two deployments with one state table may give the same id to runs of jobs of the
        same name, and neither must work by the other's plan.
        """
        if self.part_of is not None:
            return self.part_of
        places = f"{self._job.source.where} {self._job.target.where}"
        return f"run#{self.run_id}#{blake2b(places.encode(), digest_size=8).hexdigest()}"

    @property
    def state_table(self) -> str:
        """The state table's name."""
        return os.environ.get("DYNAMODB_COPY_STATE_TABLE", DEFAULT_STATE_TABLE)

    @cached_property
    def source_client(self) -> Any:
        """A stock client for the source table; raises ConnectionMissingError."""
        return self._client(self._job.source)

    @cached_property
    def target_client(self) -> Any:
        """A stock client of DynamoDB on the target's side; raises ConnectionMissingError."""
        return self._client(self._job.target)

    @cached_property
    def rows(self) -> StateRows:
        """The state table's rows; they live in the target's region and account."""
        return StateRows(self.wire(self.target_client), self.state_table)

    def bucket(self, place: S3At, *, kms_key: str | None = None) -> Bucket:
        """The bucket of a place; raises ConnectionMissingError."""
        client = self.connect("s3", place.region, place.connection)
        return Bucket(client, place.bucket, owner=self._job.bucket_owner, kms_key=kms_key, clock=self.clock)

    def rows_beside(self, place: S3At) -> StateRows:
        """The state table's rows on the side of some backups, which may be another than the target's."""
        return StateRows(self.wire(self._client(place)), self.state_table)

    def ensure_state(self) -> None:
        """Create the state table on first use."""
        ensure_state_table(self.target_client, self.state_table, self.clock)

    def wire(self, client: Any) -> Wire:
        """The data plane of a client's endpoint, open as long as `opened` is."""
        return self.opened.enter_context(closing(Wire(client, self.timeouts, self.clock)))

    def streams_wire(self) -> Wire:
        """The stream of the source table; a stock client of DynamoDB Streams knows its endpoint."""
        source = self._job.source
        client = self.connect("dynamodbstreams", source.region, source.connection)
        return self.opened.enter_context(closing(Wire(client, self.timeouts, self.clock, target=STREAMS)))

    def limiter(self, name: str, units_per_second: float | None) -> Limiter:
        """A share of one of the run's limits; None is unlimited."""
        if units_per_second is None:
            return Unlimited()
        return SharedLimiter(self.schedule(self, name), units_per_second, self.clock, self.wall)

    def run_lease(self, target_arn: str) -> Lease:
        """The run's lease on its target, shared by the run's tasks."""
        return self._lease(RowKey(target_partition(target_arn), "lease"), self.whole_run.removeprefix("run#"))

    def attempt_lease(self, key: RowKey) -> Lease:
        """A lease that only this attempt holds."""
        return self._lease(key, f"{self.run_id} {uuid4()}")

    def _lease(self, key: RowKey, holder: str) -> Lease:
        return Lease(self.rows, key, holder, request_seconds=self.timeouts.request_seconds, clock=self.clock)

    @property
    def _job(self) -> Any:
        """The job, of whose places only those that its kind has may be asked for."""
        return self.job

    def _client(self, place: Any) -> Any:
        return self.connect("dynamodb", place.region, place.connection)


AnyContext = RunContext[Any]
CopyContext = RunContext[CopyJob]
BackupContext = RunContext[BackupJob]
RestoreContext = RunContext[RestoreJob]
DrillContext = RunContext[DrillJob]
