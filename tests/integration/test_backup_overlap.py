"""Attempts of backups and restores that are killed, doubled, late: whatever happens, the run comes to the same end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest

from dynamodb_copy.assembly import BackupRun, RestoreRun
from dynamodb_copy.errors import BackupRefusedError, LeaseLostError, RunIncompleteError, TargetBusyError
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases.context import RunContext
from dynamodb_copy.sinks import open_part, s3_backup
from integration.backups import Store, contents, loaded, stored, whole_backup, whole_restore
from integration.killing import KilledError, Process, living
from integration.pair import LEASE_SECONDS, TIMEOUTS, Hurried, Pair, impatient_client, unseen
from stack.proxy_faults import Fault, Forward, Rule
from stack.proxy_s3 import lines
from stack.proxy_wire import Reply, Request

pytestmark = pytest.mark.integration

R = TypeVar("R", BackupRun, RestoreRun)
T = TypeVar("T")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part for each page."""
    monkeypatch.setattr(s3_backup, "PART_BYTES", 0)


@dataclass
class Killing:
    """Does each verb of a run over and over, killed one request later each time, until it comes to its end."""

    pair: Pair
    monkeypatch: pytest.MonkeyPatch
    after_sending: bool
    kills: int = 0

    def to_its_end(self, opened: Callable[[], R], verb: Callable[[R], T]) -> T:
        """Do one verb."""
        for dies_at in range(1, 200):
            process = Process(dies_at, after_sending=self.after_sending)
            try:
                with living(process, self.pair.endpoint, self.monkeypatch):
                    return verb(opened())
            except KilledError:
                self.kills += 1
        raise AssertionError("killed 200 times")


def _copy(segment: Segment, run: BackupRun | RestoreRun) -> Tally:
    return run.copy(segment, unseen)


def uploads(store: Store) -> list[Any]:
    """Those that were begun and never completed."""
    found: list[Any] = store.client.list_multipart_uploads(Bucket=store.bucket).get("Uploads", [])
    return found


def is_whole(store: Store) -> bool:
    """Whether the only backup's folder holds what its manifest names, and nothing on its way."""
    (folder,) = store.folders()
    named = [part["dataFileS3Key"] for part in store.parts(folder)]
    return sorted(named) == store.all_keys(f"{folder}/data/") and uploads(store) == []


@pytest.mark.usefixtures("small_pages", "small_parts")
@pytest.mark.parametrize(
    ("after_sending", "piece_bytes"),
    [(False, 100), (True, 8 << 20)],
    ids=["before sending, in pieces", "after sending, whole"],
)
def test_a_backup_that_is_killed_at_each_of_its_requests_is_exact(
    filled: Pair, store: Store, monkeypatch: pytest.MonkeyPatch, *, after_sending: bool, piece_bytes: int
) -> None:
    monkeypatch.setattr(open_part, "PIECE_BYTES", piece_bytes)
    killing = Killing(filled, monkeypatch, after_sending)
    opened = partial(store.backup, clock=Hurried())

    killing.to_its_end(opened, BackupRun.prepare)
    plan = killing.to_its_end(opened, BackupRun.plan)
    for segment in plan.segments:
        killing.to_its_end(opened, partial(_copy, segment))
    left_behind = len(store.all_keys()) + len(uploads(store))
    report = killing.to_its_end(opened, BackupRun.seal)

    (folder,) = store.folders()
    assert killing.kills > 50
    assert left_behind > len(["_started", "table.json"]) + len(store.parts(folder))
    assert {"-" in part["etag"] for part in store.parts(folder)} == {piece_bytes == 100}  # made of pieces
    assert report.items == 300
    assert is_whole(store)
    assert whole_restore(store.restore()).verdict.outcome == "equal"
    assert contents(filled.target) == contents(filled.source)
    store.backup("next").prepare()  # the place is free


def test_a_restore_that_is_killed_after_each_of_its_requests_comes_to_the_same_end(
    filled: Pair, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.source.enable_ttl("expires_at")
    whole_backup(store.backup())
    killing = Killing(filled, monkeypatch, after_sending=True)
    opened = partial(store.restore, clock=Hurried(), segments=1)

    killing.to_its_end(opened, RestoreRun.choose)
    killing.to_its_end(opened, RestoreRun.prepare)
    plan = killing.to_its_end(opened, RestoreRun.plan)
    for segment in plan.segments:
        killing.to_its_end(opened, partial(_copy, segment))
    killing.to_its_end(opened, RestoreRun.verify)
    report = killing.to_its_end(opened, RestoreRun.seal)

    assert killing.kills > 50
    assert (report.items, report.verdict.outcome, report.verdict.source_items) == (300, "equal", 300)
    assert contents(filled.target) == contents(filled.source)
    assert (filled.target.ttl(), filled.target.tags()) == ("expires_at", {})


def held(until: threading.Event, arrived: threading.Event) -> Fault:
    """Keep a request on its way until it may arrive."""

    async def fault(request: Request, forward: Forward) -> Reply:
        arrived.set()
        await asyncio.to_thread(until.wait, 30)
        return await forward(request)

    return fault


class Zombie:
    """A copy task whose first part is on its way to S3 for a long time."""

    def __init__(self, pair: Pair, store: Store) -> None:
        self._pair = pair
        self._store = store
        self._goes_on = threading.Event()
        self._is_on_its_way = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    @contextmanager
    def at_work(self, segment: Segment) -> Iterator[None]:
        """Let it send its part, which does not arrive; others are not held up."""
        rule = Rule(held(self._goes_on, self._is_on_its_way), when=lines("PUT .*/data/", 1))
        with self._pair.observed("aws_virginia", "aws_oregon", rules=[rule]) as proxy:
            behind = partial(_connect, proxy.endpoint)
            self._copy = self._thread.submit(self._store.backup(connect=behind).copy, segment, unseen)
            assert self._is_on_its_way.wait(20)
            self._pair.endpoints = dict.fromkeys(self._pair.endpoints, self._pair.endpoint)
            yield
            self.wakes_up()

    def wakes_up(self) -> None:
        """Let the part arrive, and see that its task finds itself replaced."""
        if not self._goes_on.is_set():
            self._goes_on.set()
            with self._thread, pytest.raises(LeaseLostError, match="another attempt"):
                self._copy.result(60)


def _connect(endpoint: str, service: str, region: str, _connection: str) -> Any:
    return impatient_client(endpoint, region, service)


def test_a_part_that_arrives_after_its_task_was_replaced_is_swept_by_the_seal(filled: Pair, store: Store) -> None:
    run = store.backup(clock=Hurried())
    run.prepare()
    plan, zombie = run.plan(), Zombie(filled, store)

    with zombie.at_work(plan.segments[0]):
        tallies = [run.copy(segment, unseen) for segment in plan.segments]
        zombie.wakes_up()
        (folder,) = store.folders()
        assert len(store.all_keys(f"{folder}/data/")) == 3
        run.seal()

    assert sum(tally.items for tally in tallies) == 300
    assert is_whole(store)
    assert whole_restore(store.restore()).items == 300


def test_a_part_that_arrives_after_the_seal_is_in_no_manifest_and_in_no_restore(filled: Pair, store: Store) -> None:
    run = store.backup(clock=Hurried())
    run.prepare()
    plan, zombie = run.plan(), Zombie(filled, store)

    with zombie.at_work(plan.segments[0]):
        for segment in plan.segments:
            run.copy(segment, unseen)
        run.seal()

    (folder,) = store.folders()
    assert (len(store.all_keys(f"{folder}/data/")), len(store.parts(folder))) == (3, 2)
    assert whole_restore(store.restore()).verdict.outcome == "equal"
    assert contents(filled.target) == contents(filled.source)
    run.seal()
    assert is_whole(store)


@pytest.mark.usefixtures("filled")
def test_of_two_tasks_that_store_one_segment_at_once_the_second_waits_and_stores_nothing(store: Store) -> None:
    run = store.backup(segments=1)
    run.prepare()
    (segment,) = run.plan().segments

    def slowly(_: Segment, _tally: Tally) -> None:
        time.sleep(0.2)

    with ThreadPoolExecutor(2) as tasks:
        copies = [tasks.submit(store.backup(segments=1).copy, segment, slowly) for _ in range(2)]
        tallies = [each.result(60) for each in copies]
    before = len(store.all_keys())
    run.seal()

    assert tallies[0] == tallies[1]
    assert (tallies[0].items, before) == (300, len(["_started", "table.json", "data/0000"]))
    assert is_whole(store)


@pytest.mark.usefixtures("filled")
def test_a_seal_before_every_segment_is_done_is_refused_and_nothing_is_sealed(store: Store) -> None:
    run = store.backup(segments=3)
    run.prepare()
    run.copy(run.plan().segments[1], unseen)

    with pytest.raises(RunIncompleteError, match=r"2 of 3 planned segments.*segment 1/3, segment 3/3.*run again"):
        run.seal()

    assert [key.rpartition("/")[2] for key in store.all_keys() if "/data/" not in key] == ["_started", "table.json"]
    with pytest.raises(BackupRefusedError, match=r"no sealed full backup \(but 1 unsealed\)"):
        store.restore().choose()


@pytest.mark.usefixtures("filled")
def test_two_seals_at_once_make_one_backup(store: Store) -> None:
    stored(store.backup())

    with ThreadPoolExecutor(2) as tasks:
        reports = list(tasks.map(lambda _: store.backup().seal(), range(2)))

    (folder,) = store.folders()
    sealed = store.contents(folder)
    store.backup().seal()
    assert store.contents(folder) == sealed
    assert reports[0].segments == reports[1].segments
    assert whole_restore(store.restore()).items == 300


@contextmanager
def alive(store: Store, run_id: str, held_by: str) -> Iterator[None]:
    """Another run has taken the place, and shows signs of life."""
    stop = threading.Event()
    context = RunContext(store.backup().job, run_id, store.pair.connect, TIMEOUTS, Hurried())
    lease = context.run_lease(held_by)

    def live() -> None:
        while not stop.wait(0.1):
            lease.renew()

    with context.opened:
        lease.acquire(wait_while_alive=False)
        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.mark.usefixtures("filled")
def test_two_runs_at_once_in_one_prefix_are_refused(store: Store) -> None:
    whole_backup(store.backup("before"))
    mine = stored(store.backup("mine"))

    with alive(store, "other/1", store.place["s3"]):
        for verb in (store.backup("another").prepare, lambda: mine.copy(mine.plan().segments[0], unseen)):
            with pytest.raises(
                TargetBusyError, match=r"to\.s3: s3://.*run 'other/1.* is at work there.*wait for its end"
            ):
                verb()

    assert len(store.folders()) == 2


@pytest.mark.usefixtures("filled")
def test_a_run_that_was_given_up_holds_its_prefix_only_until_its_lease_is_over(store: Store) -> None:
    stored(store.backup("given up"))

    clock = Hurried()
    whole_backup(store.backup("next", clock=clock))

    assert LEASE_SECONDS <= sum(clock.slept) < LEASE_SECONDS + 2
    assert whole_restore(store.restore()).items == 300


def test_two_restores_into_one_table_at_once_are_refused(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())
    mine = loaded(store.restore("mine"))

    with (
        alive(store, "other/1", filled.target.description()["TableArn"]),
        pytest.raises(TargetBusyError, match=r"to\.table: .*run 'other/1.* is at work there"),
    ):
        mine.verify()
