from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_copy.errors import LeaseLostError, TargetBusyError
from dynamodb_copy.state.leases import Fences, Lease
from dynamodb_copy.state.rows import Row, RowKey
from fakes import StoppedClock
from unit.state.memory_rows import MemoryRows
from unit.state.simulated_time import SimulatedTime

KEY = RowKey("target#arn:aws:dynamodb:us-west-2:1:table/orders", "lease")
REQUEST_SECONDS = 10.0
LEASE_SECONDS = 30.0


def lease_of(holder: str, rows: MemoryRows, clock: StoppedClock | None = None, *, key: RowKey = KEY) -> Lease:
    return Lease(rows, key, holder, request_seconds=REQUEST_SECONDS, clock=clock or StoppedClock())


def held_by(holder: str, rows: MemoryRows, clock: StoppedClock | None = None) -> Lease:
    lease = lease_of(holder, rows, clock)
    lease.acquire(wait_while_alive=True)
    return lease


def taken_over(rows: MemoryRows, *, by: str = "new") -> Lease:
    """Another machine takes the lease of a holder that shows no sign of life."""
    return held_by(by, rows, StoppedClock())


def test_a_lease_that_nobody_ever_held_is_had_at_once() -> None:
    clock = StoppedClock()

    held_by("first", MemoryRows(), clock)

    assert clock.slept == []


def test_a_released_lease_is_had_at_once() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    held_by("first", rows).release()

    held_by("second", rows, clock)

    assert clock.slept == []


def test_a_dead_holders_lease_is_had_after_a_whole_lease_of_standing_still() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    held_by("dead", rows)

    held_by("second", rows, clock)

    assert LEASE_SECONDS < sum(clock.slept) <= LEASE_SECONDS + 2


def test_a_row_that_stood_still_before_anyone_watched_is_watched_for_a_whole_lease_all_the_same() -> None:
    rows, first, second = MemoryRows(), StoppedClock(), StoppedClock()
    held_by("dead", rows, first)
    second.pass_by(100 * LEASE_SECONDS)

    held_by("second", rows, second)

    assert sum(second.slept) > LEASE_SECONDS


def test_the_time_that_the_state_table_took_to_answer_does_not_count_as_standing_still() -> None:
    clock = StoppedClock()
    rows = MemoryRows()
    held_by("alive", rows)
    rows.step = lambda _: clock.pass_by(2 * LEASE_SECONDS) if not rows.requests[2:] else None

    held_by("second", rows, clock)

    assert sum(clock.slept) > LEASE_SECONDS


def test_a_taker_that_slept_through_a_sign_of_life_begins_to_watch_again() -> None:
    rows = MemoryRows()
    alive = held_by("alive", rows)
    taker = StoppedClock()
    woken: list[float] = []

    def asleep(verb: str) -> None:
        if verb == "get" and not woken and taker.slept:
            woken.append(taker.now())
            taker.pass_by(5 * LEASE_SECONDS)  # SIGSTOP
            rows.step = lambda _: None
            alive.renew()

    rows.step = asleep
    held_by("taker", rows, taker)

    assert taker.now() - 5 * LEASE_SECONDS - woken[0] > LEASE_SECONDS


def test_a_live_holder_is_waited_for_when_the_waiting_is_asked_for() -> None:
    time, rows = SimulatedTime(), MemoryRows()
    order: list[str] = []

    def works() -> None:
        lease = Lease(rows, KEY, "first", request_seconds=REQUEST_SECONDS, clock=time.clock())
        lease.acquire(wait_while_alive=True)
        for _ in range(20):
            time.sleep(10.0)
            lease.check()
        order.append("first ends")
        lease.release()

    def waits() -> None:
        time.sleep(1.0)
        lease = Lease(rows, KEY, "second", request_seconds=REQUEST_SECONDS, clock=time.clock())
        lease.acquire(wait_while_alive=True)
        order.append("second begins")

    time.run(works, waits)

    assert order == ["first ends", "second begins"]


def test_a_live_holder_of_a_target_refuses_another_run_by_name() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    alive = held_by("orders/scheduled__1", rows)
    rows.step = lambda verb: alive.renew() if verb == "get" and len(clock.slept) == 3 else None

    with pytest.raises(TargetBusyError) as caught:
        lease_of("orders/manual__2", rows, clock).acquire(wait_while_alive=False)

    for part in ("to.table", "table/orders", "'orders/scheduled__1' is at work", "wait for its end or stop it"):
        assert part in str(caught.value)


def test_a_dead_holder_of_a_target_refuses_nobody() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    held_by("dead", rows)

    lease_of("second", rows, clock).acquire(wait_while_alive=False)

    assert sum(clock.slept) > LEASE_SECONDS


def test_a_holder_that_several_tasks_share_comes_in_again_at_any_time() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    first = held_by("run", rows)

    lease_of("run", rows, clock).acquire(wait_while_alive=False)

    first.check()
    assert clock.slept == []


def test_of_two_tasks_that_wait_for_the_same_dead_run_the_slower_follows_the_faster() -> None:
    time, rows = SimulatedTime(), MemoryRows()
    held_by("dead", rows)
    held: list[int] = []

    def task(number: int) -> Callable[[], None]:
        def work() -> None:
            time.sleep(0.3 * number)
            lease = Lease(rows, KEY, "run", request_seconds=REQUEST_SECONDS, clock=time.clock())
            lease.acquire(wait_while_alive=False)
            held.append(number)

        return work

    time.run(task(0), task(1))

    assert held == [0, 1]


@pytest.mark.parametrize("verb", ["check", "renew"])
def test_a_zombie_is_told_that_its_lease_is_lost(verb: str) -> None:
    rows, clock = MemoryRows(), StoppedClock()
    zombie = held_by("zombie", rows, clock)
    taken_over(rows)
    clock.pass_by(LEASE_SECONDS)

    with pytest.raises(LeaseLostError, match="'zombie'"):
        getattr(zombie, verb)()


def test_a_zombies_release_does_not_touch_its_successors_lease() -> None:
    rows = MemoryRows()
    zombie = held_by("zombie", rows)
    new = taken_over(rows)
    before = rows.get(KEY)

    zombie.release()

    assert rows.get(KEY) == before
    new.check()


def test_release_leaves_a_shared_lease_alone_that_another_task_renews_meanwhile() -> None:
    rows = MemoryRows()
    sealing, working = held_by("run", rows), lease_of("run", rows)
    working.acquire(wait_while_alive=False)

    def renewed(verb: str) -> None:
        if verb == "update":
            rows.step = lambda _: None
            working.renew()

    rows.step = renewed
    sealing.release()

    assert (rows.get(KEY) or {})["released"] == {"BOOL": False}


def test_nothing_can_be_sent_after_a_release() -> None:
    lease = held_by("first", MemoryRows())
    lease.release()

    with pytest.raises(LeaseLostError):
        lease.require()


def test_a_fresh_lease_is_checked_without_asking_the_state_table() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    lease = held_by("first", rows, clock)
    asked = len(rows.requests)

    clock.pass_by(LEASE_SECONDS - 2 * REQUEST_SECONDS)
    lease.check()

    assert len(rows.requests) == asked


def test_check_renews_while_there_is_time_for_two_requests() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    lease = held_by("first", rows, clock)
    clock.pass_by(LEASE_SECONDS - 2 * REQUEST_SECONDS + 0.1)
    asked = len(rows.requests)

    lease.check()
    lease.check()

    assert rows.requests[asked:] == ["update"]


def test_a_lease_that_ran_out_unnoticed_goes_on_when_nobody_took_it() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    lease = held_by("first", rows, clock)
    clock.pass_by(100 * LEASE_SECONDS)

    lease.check()

    lease.require()


def test_a_renewal_that_took_too_long_lets_no_request_out() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    lease = held_by("first", rows, clock)
    clock.pass_by(LEASE_SECONDS)
    rows.step = lambda _: clock.pass_by(LEASE_SECONDS - REQUEST_SECONDS + 0.1)

    with pytest.raises(LeaseLostError, match="answers too slowly"):
        lease.check()


def test_a_slow_renewal_of_one_lease_does_not_let_a_request_outlive_another() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    segment = lease_of("attempt", rows, clock, key=RowKey("run#1", "segment#0000"))
    run = lease_of("run", rows, clock)
    run.acquire(wait_while_alive=False)
    clock.pass_by(0.2)
    segment.acquire(wait_while_alive=True)
    clock.pass_by(LEASE_SECONDS - 2 * REQUEST_SECONDS - 0.1)
    rows.step = lambda _: clock.pass_by(1.5 * REQUEST_SECONDS)

    with pytest.raises(LeaseLostError, match="segment#0000"):
        Fences(segment, run).check()


def test_ending_a_lease_shuts_out_whoever_held_it_and_leaves_it_free() -> None:
    rows, clock = MemoryRows(), StoppedClock()
    zombie = held_by("zombie", rows, clock)

    lease_of("verify", rows).end()

    with pytest.raises(LeaseLostError):
        zombie.renew()
    held_by("next", rows, after := StoppedClock())
    assert after.slept == []


def test_ending_a_lease_that_is_free_writes_nothing() -> None:
    rows = MemoryRows()
    held_by("first", rows).release()
    asked = len(rows.requests)

    lease_of("verify", rows).end()

    assert rows.requests[asked:] == ["get"]


class UnreliableRows(MemoryRows):
    """A state table at a distance: requests and replies take time, replies are lost, and requests come twice."""

    def __init__(self, time: SimulatedTime, chance: Random) -> None:
        super().__init__(lambda _: time.sleep(chance.choice([0.0, 0.0, 0.0, 0.1, 0.1, 5.0, 20.0])))
        self._time = time
        self._chance = chance
        self.late: list[Callable[[], object]] = []
        self._at_once = MemoryRows()
        self._at_once.rows = self.rows

    def update(
        self, key: RowKey, changes: Row, *, only_if: str = "", values: Row | None = None, counting: str = ""
    ) -> bool:
        """As the table, or twice: the first reply was lost, or the first request arrives long after the second."""

        def once() -> bool:
            return super(UnreliableRows, self).update(key, changes, only_if=only_if, values=values, counting=counting)

        mishap = self._chance.choice(["none", "none", "reply lost", "request late"])
        if mishap == "request late":
            self.late.append(
                lambda: self._at_once.update(key, changes, only_if=only_if, values=values, counting=counting)
            )
        if mishap == "reply lost":
            once()
        done = once()
        self._time.sleep(self._chance.choice([0.0, 0.0, 0.1, 12.0]))
        return done


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), holders=st.integers(2, 4), shared=st.booleans())
def test_at_most_one_holder_may_send_at_any_time(seed: int, *, holders: int, shared: bool) -> None:
    chance, time = Random(seed), SimulatedTime()  # noqa: S311 - repeatable, no secrets
    rows = UnreliableRows(time, chance)
    sent: list[tuple[float, float, str]] = []

    def attempt(number: int) -> Callable[[], None]:
        name = f"run {number // 2}" if shared else f"attempt {number}"
        clock = time.clock(offset=chance.uniform(-1e6, 1e6))

        def work() -> None:
            for _ in range(3):
                lease = Lease(rows, KEY, name, request_seconds=REQUEST_SECONDS, clock=clock)
                time.sleep(chance.uniform(0, 60))
                try:
                    lease.acquire(wait_while_alive=True)
                    for _ in range(chance.randrange(12)):
                        time.sleep(chance.choice([0.0, 1.0, 9.0, 9.0, 15.0, 29.0, 31.0]))
                        lease.check()
                        sent.append((time.now, time.now + REQUEST_SECONDS, name))
                        if rows.late and chance.random() < 0.2:
                            rows.late.pop(0)()
                except LeaseLostError:
                    continue
                if chance.random() < 0.5 and not shared:
                    time.sleep(REQUEST_SECONDS)  # until what was sent has ended
                    lease.release()

        return work

    time.run(*[attempt(number) for number in range(holders)], until=5_000)

    sent.sort()
    for (_, ends, one), (begins, _, other) in pairwise(sent):
        assert one == other or ends <= begins
