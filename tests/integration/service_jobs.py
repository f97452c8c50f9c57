"""The service's own export and import jobs for a test's tables, and attempts that end or wait at one of their calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from dynamodb_copy.assembly import BackupRun, RestoreRun, open_run
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.errors import CopyError
from dynamodb_copy.job import BackupJob, RestoreJob
from dynamodb_copy.phases.context import DEFAULT_STATE_TABLE
from dynamodb_copy.report import Report
from integration.backups import Store
from integration.pair import TIMEOUTS, Pair, Side, close_clients
from job_texts import kind_of
from stack.fault_proxy import FaultProxy
from stack.native_exports import NativeExports
from stack.native_imports import NativeImports

ITEMS = 40
TAGS = {"team": "commerce", "tier": "gold"}
_MOST_POLLS = 5

Hook = Callable[[], object]

When = Callable[[int, dict[str, Any]], bool]
"""Picks a call of an operation, by its number from 1 on and its request."""


def first(number: int, _request: dict[str, Any]) -> bool:
    """The operation's first call."""
    return number == 1


def of_file(name: str) -> When:
    """The calls that write a file of a backup."""
    return lambda _number, request: str(request["Key"]).endswith(f"/{name}")


class KilledError(BaseException):
    """The end of a process, as one of its own lines would see it."""


def killed() -> None:
    """End the process."""
    raise KilledError


class Service:
    """Both kinds of job before one emulator, on a clock that tests may put forward."""

    def __init__(self, endpoint: str) -> None:
        self.hours = 0.0
        self.exports = NativeExports(endpoint, now=self._now)
        self.imports = NativeImports(endpoint, now=self._now)
        self.proxy = FaultProxy(endpoint, *self.exports.rules(), *self.imports.rules())

    def _now(self) -> float:
        return time.time() + 3600 * self.hours


@dataclass(frozen=True, slots=True)
class Native:
    """Runs of one test by the service's jobs, and what they started."""

    store: Store
    service: Service

    @property
    def pair(self) -> Pair:
        """The tables."""
        return self.store.pair

    @property
    def exports(self) -> list[str]:
        """The ARNs of the exports of the test's table that cost money."""
        return [arn for arn in self.service.exports.started if f"table/{self.pair.table}/" in arn]

    @property
    def imports(self) -> list[str]:
        """The ARNs of the imports into the test's table that cost money."""
        return [arn for arn in self.service.imports.started if f"table/{self.pair.table}/" in arn]

    @property
    def folder(self) -> str:
        """The key of the only backup's folder."""
        (folder,) = self.store.folders()
        return folder

    def row(self, partition: str, sort: str) -> dict[str, Any]:
        """A row of the state table; empty when it is not there."""
        key = {"pk": {"S": partition}, "sk": {"S": sort}}
        reply = self.pair.target.client.get_item(TableName=DEFAULT_STATE_TABLE, Key=key)
        return dict(reply.get("Item", {}))

    def backup(self, run_id: str = "export", *, connect: Connect | None = None, **job: Any) -> BackupRun:
        """Open a run of a backup by an export."""
        target = {**self.store.place, **job.pop("to_", {})}
        made = kind_of(BackupJob, from_={"table": self.pair.table}, to_=target, engine="export", **job)
        return open_run(made, f"{self.pair.table}/{run_id}", connect or self.pair.connect, timeouts=TIMEOUTS)

    def restore(self, run_id: str = "import", *, connect: Connect | None = None, **job: Any) -> RestoreRun:
        """Open a run of a restore by an import."""
        source = {**self.store.place, **job.pop("from_", {})}
        target = {"table": self.pair.table, **job.pop("to_", {})}
        made = kind_of(RestoreJob, from_=source, to_=target, engine="import", **job)
        return open_run(made, f"{self.pair.table}/{run_id}", connect or self.pair.connect, timeouts=TIMEOUTS)

    def meeting(self, hook: Hook, operation: str, when: When = first, *, after: bool = False) -> Connect:
        """Connect with clients of which the calls that `when` picks meet the hook: before they are sent, or after."""
        number = count(1)

        def around(call: Callable[..., Any], request: dict[str, Any]) -> Any:
            is_hooked = when(next(number), request)
            if is_hooked and not after:
                hook()
            reply = call(**request)
            if is_hooked and after:
                hook()
            return reply

        return lambda *where: _Hooked(self.pair.connect(*where), operation, around)


class _Hooked:
    """A stock client whose one operation takes a way around."""

    def __init__(self, client: Any, operation: str, around: Callable[..., Any]) -> None:
        self._client = client
        self._operation = operation
        self._around = around

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name != self._operation:
            return call
        return lambda **request: self._around(call, request)


def switch_recovery(side: Side, *, on: bool) -> None:
    """Switch point-in-time recovery."""
    recovery = {"PointInTimeRecoveryEnabled": on}
    side.client.update_continuous_backups(TableName=side.table, PointInTimeRecoverySpecification=recovery)


def dies(attempt: Callable[[], object]) -> None:
    """Let an attempt run into its end."""
    with pytest.raises(KilledError):
        attempt()


def fails(attempt: Callable[[], object]) -> CopyError:
    """Let an attempt fail, by whatever error of ours."""
    with pytest.raises(CopyError) as caught:
        attempt()
    return caught.value


def waited(is_done: Callable[[], bool]) -> None:
    """Look until it is done."""
    for _ in range(_MOST_POLLS):
        if is_done():
            return
    raise AssertionError(f"not done after {_MOST_POLLS} looks")


def exported(run: BackupRun) -> BackupRun:
    """The run, after the end of its export."""
    run.start_export()
    waited(run.export_is_done)
    return run


def whole_export(run: BackupRun) -> Report:
    """All verbs of the run, one after the other."""
    return exported(run).seal()


def imported(run: RestoreRun) -> RestoreRun:
    """The run, after the end of its import."""
    run.choose()
    run.start_import()
    waited(run.import_is_done)
    return run


def whole_import(run: RestoreRun) -> Report:
    """All verbs of the run, one after the other."""
    imported(run).verify()
    return run.seal()


@pytest.fixture(scope="module")
def service(ministack_endpoint: str) -> Iterator[Service]:
    """The service's jobs, for all tests of a module: tests take fresh table names."""
    made = Service(ministack_endpoint)
    with made.proxy:
        yield made
        close_clients(made.proxy.endpoint)


@pytest.fixture
def native(store: Store, service: Service) -> Iterator[Native]:
    """A source of 40 items with TTL, tags and point-in-time recovery, and an empty bucket."""
    source = store.pair.source
    source.create(Tags=[{"Key": name, "Value": value} for name, value in TAGS.items()])
    source.fill(range(ITEMS))
    source.enable_ttl("expires_at")
    switch_recovery(source, on=True)
    store.pair.endpoints = dict.fromkeys(store.pair.endpoints, service.proxy.endpoint)
    yield Native(store, service)
    service.hours = 0.0
