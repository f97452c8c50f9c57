"""Attempts that are killed, paused, doubled: whatever happens, the run comes to the same end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest

from dynamodb_copy.assembly import CopyRun
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.errors import AccessError, CopyError, LeaseLostError, TargetBusyError, TargetRefusedError
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.report import Report
from integration.killing import KilledError, Process, living
from integration.pair import LEASE_SECONDS, TIMEOUTS, Hurried, Pair, copied, item_of, unseen, whole
from stack.proxy_faults import Rule, access_denied, delayed, nth

pytestmark = pytest.mark.integration

T = TypeVar("T")


class Killing:
    """Does each verb of a run over and over, killed one request later each time, until it comes to its end."""

    def __init__(self, pair: Pair, monkeypatch: pytest.MonkeyPatch, *, after_sending: bool) -> None:
        self._pair = pair
        self._monkeypatch = monkeypatch
        self._after_sending = after_sending
        self.kills = 0

    def to_its_end(self, verb: Callable[[CopyRun], T], **job: Any) -> T:
        """Do one verb."""
        for dies_at in range(1, 200):
            process = Process(dies_at, after_sending=self._after_sending)
            try:
                with living(process, self._pair.endpoint, self._monkeypatch):
                    return verb(self._pair.run("1", clock=Hurried(), **job))
            except KilledError:
                self.kills += 1
        raise AssertionError("killed 200 times")

    def whole(self) -> Report:
        """Do all verbs."""
        self.to_its_end(CopyRun.prepare)
        plan = self.to_its_end(CopyRun.plan)
        for segment in plan.segments:
            self.to_its_end(partial(_copy, segment))
        self.to_its_end(CopyRun.verify)
        return self.to_its_end(CopyRun.seal)


def _copy(segment: Segment, run: CopyRun) -> Tally:
    return run.copy(segment, unseen)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("after_sending", [False, True], ids=["before sending", "after sending"])
def test_a_run_that_is_killed_at_each_of_its_requests_comes_to_the_same_end(
    filled: Pair, monkeypatch: pytest.MonkeyPatch, *, after_sending: bool
) -> None:
    filled.source.enable_ttl("expires_at")
    killing = Killing(filled, monkeypatch, after_sending=after_sending)

    report = killing.whole()

    assert killing.kills > 50
    assert (report.items, report.verdict.outcome, report.verdict.source_items) == (300, "equal", 300)
    assert filled.target.items() == filled.source.items()
    assert filled.target.ttl() == "expires_at"
    assert filled.target.tags() == {}
    filled.run("2").prepare()  # the target is free


@pytest.mark.parametrize("after_sending", [False, True], ids=["before sending", "after sending"])
def test_a_mirror_that_is_killed_at_each_of_its_requests_deletes_the_same_keys(
    filled: Pair, monkeypatch: pytest.MonkeyPatch, *, after_sending: bool
) -> None:
    mirror = {"mirror": {"max_deletes": "20%"}}
    whole(filled.run("0", to_=mirror), mirror=True)
    filled.source.delete(*range(30))

    run = copied(filled.run("1", to_=mirror))
    Killing(filled, monkeypatch, after_sending=after_sending).to_its_end(CopyRun.mirror, to_=mirror)
    run.verify()
    report = run.seal()

    assert report.verdict.outcome == "equal"
    assert report.deleted <= 30
    assert filled.target.items() == filled.source.items()


@pytest.mark.usefixtures("small_pages")
def test_a_killed_segment_reads_at_most_one_page_again(filled: Pair) -> None:
    run = filled.run("1", segments=1)
    run.prepare()
    (segment,) = run.plan().segments
    tallies: list[Tally] = []

    def dies(_: Segment, tally: Tally) -> None:
        tallies.append(tally)
        if len(tallies) == 3:
            raise KilledError

    with filled.observed("aws_virginia") as proxy:
        with pytest.raises(KilledError):
            filled.run("1", segments=1).copy(segment, dies)
        before = sum(exchange.items for exchange in proxy.exchanges)
        tally = filled.run("1", segments=1).copy(segment, unseen)
        after = sum(exchange.items for exchange in proxy.exchanges) - before

    largest_page = 80
    assert tally.items == 300
    assert after <= 300 - tallies[-1].items + largest_page


class Zombie:
    """A copy task that stands still after its first checkpoint, as one that got SIGSTOP."""

    def __init__(self, pair: Pair, segment: Segment) -> None:
        self._pair = pair
        self._segment = segment
        self._stands = threading.Event()
        self._goes_on = threading.Event()
        self._stood_seconds = 0.0
        self._thread = ThreadPoolExecutor(1)
        self._copy = self._thread.submit(self._work)
        assert self._stands.wait(20)

    def _work(self) -> Tally:
        clock = Clock(now=lambda: time.monotonic() + self._stood_seconds)
        return self._pair.run("1", clock=clock, segments=1).copy(self._segment, self._stand)

    def _stand(self, _segment: Segment, _tally: Tally) -> None:
        self._stands.set()
        assert self._goes_on.wait(60)

    def goes_on(self, *, after_seconds: float) -> Tally:
        """Send SIGCONT, that much later, and return or raise what comes of it."""
        self._stood_seconds = after_seconds
        self._goes_on.set()
        with self._thread:
            return self._copy.result(60)


@pytest.mark.usefixtures("small_pages")
def test_a_task_that_wakes_up_when_its_retry_has_ended_and_the_run_is_sealed_writes_nothing(filled: Pair) -> None:
    run = filled.run("1", segments=1, clock=Hurried())
    run.prepare()
    (segment,) = run.plan().segments
    zombie = Zombie(filled, segment)

    report = whole(run)
    filled.target.put(*[item_of(number, note={"S": "of a later phase"}) for number in range(300)])
    before = filled.target.items()

    with pytest.raises(LeaseLostError, match="another attempt"):
        zombie.goes_on(after_seconds=60.0)

    assert report.verdict.outcome == "equal"
    assert filled.target.items() == before


@pytest.mark.usefixtures("small_pages")
def test_a_task_that_stood_still_and_that_nobody_replaced_goes_on(filled: Pair) -> None:
    run = filled.run("1", segments=1)
    run.prepare()
    zombie = Zombie(filled, run.plan().segments[0])

    assert zombie.goes_on(after_seconds=60.0).items == 300

    assert run.verify().outcome == "equal"


def test_verify_begins_when_the_lease_of_a_task_that_stood_still_is_over(filled: Pair) -> None:
    run = filled.run("1", segments=1)
    run.prepare()
    zombie = Zombie(filled, run.plan().segments[0])  # after its only page
    clock = Hurried()

    assert filled.run("1", segments=1, clock=clock).verify().outcome == "equal"

    assert sum(clock.slept) >= LEASE_SECONDS
    assert zombie.goes_on(after_seconds=60.0).items == 300


@pytest.mark.usefixtures("small_pages")
def test_of_two_tasks_that_copy_one_segment_at_once_the_second_waits_and_writes_nothing(filled: Pair) -> None:
    run = filled.run("1", segments=1)
    run.prepare()
    (segment,) = run.plan().segments
    checkpoints: list[int] = []

    def slowly(_: Segment, tally: Tally) -> None:
        checkpoints.append(tally.items)
        time.sleep(0.2)

    with filled.observed("aws_oregon") as proxy, ThreadPoolExecutor(2) as tasks:
        copies = [tasks.submit(filled.run("1", segments=1).copy, segment, slowly) for _ in range(2)]
        tallies = [each.result(60) for each in copies]
        written = sum(e.items for e in proxy.exchanges if (e.operation, e.table) == ("BatchWriteItem", filled.table))

    assert tallies[0] == tallies[1]
    assert tallies[0].items == written == 300
    assert checkpoints == sorted(checkpoints)


def test_two_plans_at_once_are_one_plan(filled: Pair) -> None:
    filled.run("1").prepare()

    with ThreadPoolExecutor(4) as tasks:
        plans = list(tasks.map(lambda segments: filled.run("1", segments=segments).plan(), (1, 2, 3, 4)))

    assert len({plan.segment_count for plan in plans}) == 1
    assert len({plan.planned_at for plan in plans}) == 1


def test_two_seals_at_once_both_pass(filled: Pair) -> None:
    filled.source.enable_ttl("expires_at")
    copied(filled.run("1")).verify()

    with ThreadPoolExecutor(2) as tasks:
        reports = list(tasks.map(lambda _: filled.run("1").seal(), range(2)))

    assert reports[0].segments == reports[1].segments
    assert filled.target.ttl() == "expires_at"


def test_two_sources_that_reach_for_one_missing_target_at_once_do_not_both_get_it(filled: Pair) -> None:
    other = Pair(filled.endpoint, f"{filled.table}-2")
    other.source.create()
    there = {"table": filled.table}

    def prepared(run: CopyRun) -> CopyError | None:
        try:
            run.prepare()
        except (TargetRefusedError, TargetBusyError) as error:
            return error
        return None

    with ThreadPoolExecutor(2) as tasks:
        refused = list(tasks.map(prepared, [filled.run("1"), other.run("2", to_=there)]))

    assert [error is None for error in refused].count(True) == 1


def test_nothing_of_a_failed_attempt_is_on_its_way_when_its_lease_is_free(filled: Pair) -> None:
    run = filled.run("1", segments=1)
    run.prepare()
    (segment,) = run.plan().segments
    rules = [
        Rule(access_denied(), "BatchWriteItem", nth(1)),
        Rule(delayed(0.6 * TIMEOUTS.read_seconds), "BatchWriteItem"),
    ]

    with filled.observed("aws_oregon", rules=rules) as proxy:
        with pytest.raises(AccessError, match="dynamodb:BatchWriteItem is not permitted"):
            filled.run("1", segments=1).copy(segment, unseen)
        statuses = [exchange.status for exchange in proxy.exchanges if exchange.operation == "BatchWriteItem"]

    assert len(statuses) > 5
    assert 0 not in statuses


def test_a_run_that_was_given_up_holds_its_target_only_until_its_lease_is_over(filled: Pair) -> None:
    filled.run("1").prepare()
    filled.run("1").plan()

    clock = Hurried()
    assert whole(filled.run("2", clock=clock)).verdict.outcome == "equal"

    assert LEASE_SECONDS <= sum(clock.slept) < LEASE_SECONDS + 2
