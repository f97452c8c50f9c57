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
from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.job import Job
from dynamodb_copy.model import TableRef
from dynamodb_copy.ports import Limiter
from dynamodb_copy.state.claims import target_partition
from dynamodb_copy.state.creation import ensure_state_table
from dynamodb_copy.state.leases import Lease
from dynamodb_copy.state.limits import LocalSchedule, Schedule, SharedLimiter, StateSchedule, Unlimited
from dynamodb_copy.state.rows import RowKey, StateRows

DEFAULT_STATE_TABLE = "dynamodb-copy-state"


def state_schedule(context: RunContext, name: str) -> Schedule:
    """The schedule of a run's limit, shared by all its processes."""
    return StateSchedule(context.rows, RowKey(context.run, f"limit#{name}"))


def local_schedules() -> Callable[[RunContext, str], Schedule]:
    """Schedules for one process that may not write state."""
    known: defaultdict[str, LocalSchedule] = defaultdict(LocalSchedule)
    return lambda _context, name: known[name]


@dataclass(frozen=True)
class RunContext:
    """One run of one job, as one process sees it."""

    job: Job
    run_id: str
    connect: Connect
    timeouts: Timeouts = field(default_factory=Timeouts)
    clock: Clock = field(default_factory=Clock)
    wall: Callable[[], float] = time.time
    schedule: Callable[[RunContext, str], Schedule] = state_schedule
    opened: ExitStack = field(default_factory=ExitStack)

    @property
    def run(self) -> str:
        """The partition of the run's rows.

        The tables are part of it: two deployments with one state table may give the same id to runs of jobs of the
        same name, and neither must work by the other's plan.
        """
        source, target = self.job.source, self.job.target
        tables = f"{source.region}/{source.table} {target.region}/{target.table}"
        return f"run#{self.run_id}#{blake2b(tables.encode(), digest_size=8).hexdigest()}"

    @property
    def state_table(self) -> str:
        """The state table's name."""
        return os.environ.get("DYNAMODB_COPY_STATE_TABLE", DEFAULT_STATE_TABLE)

    @cached_property
    def source_client(self) -> Any:
        """A stock client for the source; raises ConnectionMissingError."""
        return self._client(self.job.source.ref)

    @cached_property
    def target_client(self) -> Any:
        """A stock client for the target; raises ConnectionMissingError."""
        return self._client(self.job.target.ref)

    @cached_property
    def rows(self) -> StateRows:
        """The state table's rows; they live in the target's region and account."""
        return StateRows(self.wire(self.target_client), self.state_table)

    def ensure_state(self) -> None:
        """Create the state table on first use."""
        ensure_state_table(self.target_client, self.state_table, self.clock)

    def wire(self, client: Any) -> Wire:
        """The data plane of a client's endpoint, open as long as `opened` is."""
        return self.opened.enter_context(closing(Wire(client, self.timeouts, self.clock)))

    def limiter(self, name: str, units_per_second: float | None) -> Limiter:
        """A share of one of the run's limits; None is unlimited."""
        if units_per_second is None:
            return Unlimited()
        return SharedLimiter(self.schedule(self, name), units_per_second, self.clock, self.wall)

    def run_lease(self, target_arn: str) -> Lease:
        """The run's lease on its target, shared by the run's tasks."""
        return self._lease(RowKey(target_partition(target_arn), "lease"), self.run.removeprefix("run#"))

    def attempt_lease(self, key: RowKey) -> Lease:
        """A lease that only this attempt holds."""
        return self._lease(key, f"{self.run_id} {uuid4()}")

    def _lease(self, key: RowKey, holder: str) -> Lease:
        return Lease(self.rows, key, holder, request_seconds=self.timeouts.request_seconds, clock=self.clock)

    def _client(self, table: TableRef) -> Any:
        return self.connect("dynamodb", table.region, table.connection)
