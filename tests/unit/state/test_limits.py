from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_copy.state.limits import LocalSchedule, Schedule, SharedLimiter, StateSchedule, Unlimited
from dynamodb_copy.state.rows import RowKey
from fakes import StoppedClock
from stack.proxy_log import max_units_in_window
from unit.state.memory_rows import MemoryRows
from unit.state.simulated_time import SimulatedTime

WINDOW_SECONDS = 10.0
RATE = 500.0
REQUEST_UNITS = 25.0

Spent = list[tuple[float, float]]


def shared_schedule() -> Schedule:
    return StateSchedule(MemoryRows(), RowKey("run#1", "limit#write/"))


class Tasks:
    """Tasks that keep to one limit over one simulated clock, each spending as fast as it may."""

    def __init__(self, *, rate: float = RATE, seed: int = 0) -> None:
        self.time = SimulatedTime()
        self.rate = rate
        self.schedule = shared_schedule()
        self.spent: Spent = []
        self.by_task: dict[int, float] = {}
        self.chance = Random(seed)  # noqa: S311 - repeatable, no secrets

    def limiter(self, *, clock_ahead: float = 0.0) -> SharedLimiter:
        """The limiter of a task on a machine whose clock may be ahead."""
        clock = self.time.clock(offset=clock_ahead)
        return SharedLimiter(self.schedule, self.rate, clock, wall=clock.now)

    def task(
        self, number: int, *, until: float = 60.0, units: float = REQUEST_UNITS, clock_ahead: float = 0.0
    ) -> Callable[[], None]:
        """Send requests of that many units, a few milliseconds each, until the time is over."""
        limiter = self.limiter(clock_ahead=clock_ahead)
        end = self.time.now + until

        def work() -> None:
            while self.time.now < end:
                limiter.take(units)
                self.spend(number, units)
                self.time.sleep(self.chance.uniform(0.0, 0.01))

        return work

    def spend(self, number: int, units: float) -> None:
        """A request was sent."""
        self.spent.append((self.time.now, units))
        self.by_task[number] = self.by_task.get(number, 0.0) + units

    def between(self, begin: float, end: float) -> float:
        """Units spent between two moments, seconds after the start."""
        start = self.spent[0][0]
        return sum(units for at, units in self.spent if begin <= at - start < end)


def most_allowed(rate: float, request_units: float) -> float:
    allowed = rate * WINDOW_SECONDS
    return allowed + max(0.05 * allowed, request_units)


@pytest.mark.parametrize("tasks", [1, 4, 16])
@pytest.mark.parametrize(
    ("rate", "units"), [(500.0, 25.0), (2_000.0, 25.0), (500.0, 85.0), (500.0, 130.0), (40.0, 25.0)]
)
def test_no_ten_seconds_hold_more_than_the_limit_and_with_work_waiting_hardly_less(
    tasks: int, rate: float, units: float
) -> None:
    crowd = Tasks(rate=rate)

    crowd.time.run(*[crowd.task(number, units=units) for number in range(tasks)])

    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(rate, units)
    assert crowd.between(10.0, 60.0) >= 0.95 * rate * 50


@pytest.mark.parametrize("tasks", [1, 16])
def test_a_state_table_that_is_far_away_costs_no_throughput(tasks: int) -> None:
    crowd = Tasks()
    crowd.schedule = StateSchedule(MemoryRows(lambda _: crowd.time.sleep(0.08)), RowKey("run#1", "limit#write/"))

    crowd.time.run(*[crowd.task(number) for number in range(tasks)])

    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(RATE, REQUEST_UNITS)
    assert crowd.between(10.0, 60.0) >= 0.95 * RATE * 50


def test_tasks_with_equal_work_get_equal_shares() -> None:
    crowd = Tasks()

    crowd.time.run(*[crowd.task(number) for number in range(4)])

    assert min(crowd.by_task.values()) >= 0.9 * max(crowd.by_task.values())


def test_what_finished_tasks_no_longer_use_the_stragglers_get() -> None:
    crowd = Tasks()

    crowd.time.run(crowd.task(0, until=60.0), *[crowd.task(number, until=20.0) for number in range(1, 16)])

    assert crowd.between(24.0, 60.0) >= 0.95 * RATE * 36


def test_a_task_that_joins_late_gets_its_share_within_seconds() -> None:
    crowd = Tasks()
    newcomer = crowd.task(1)

    def joins() -> None:
        crowd.time.sleep(20.0)
        newcomer()

    crowd.time.run(crowd.task(0), joins)

    assert crowd.by_task[1] >= 0.4 * RATE * 40
    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(RATE, REQUEST_UNITS)


def test_a_task_on_a_machine_whose_clock_is_ahead_takes_nothing_above_the_limit_from_the_others() -> None:
    crowd = Tasks()

    crowd.time.run(crowd.task(0, clock_ahead=5.0), *[crowd.task(number) for number in range(1, 4)])

    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(RATE, REQUEST_UNITS)
    assert crowd.between(10.0, 60.0) >= 0.95 * RATE * 50


def test_when_a_task_whose_clock_is_ahead_ends_the_others_go_on_at_the_limit() -> None:
    crowd = Tasks()

    crowd.time.run(crowd.task(0, clock_ahead=5.0, until=20.0), *[crowd.task(number) for number in range(1, 4)])

    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(RATE, REQUEST_UNITS)
    assert crowd.between(26.0, 60.0) >= 0.95 * RATE * 34


def test_reads_whose_cost_only_the_reply_tells_keep_to_the_limit_too() -> None:
    crowd = Tasks(rate=500.0)

    def reads() -> Callable[[], None]:
        limiter = crowd.limiter()

        def work() -> None:
            estimate = 1.0
            while crowd.time.now < 1_000_060.0:
                limiter.take(estimate)
                sent = crowd.time.now
                crowd.time.sleep(0.08)
                cost = crowd.chance.choice([0.5, 64.0, 128.5])
                crowd.spent.append((sent, cost))
                limiter.settle(cost - estimate)
                estimate = cost

        return work

    crowd.time.run(*[reads() for _ in range(4)])

    crowd.spent.sort()
    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(500.0, 4 * 128.5)
    assert crowd.between(10.0, 60.0) >= 0.95 * 500.0 * 50


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), tasks=st.integers(1, 8))
def test_however_tasks_pause_the_limit_holds(seed: int, tasks: int) -> None:
    crowd = Tasks(seed=seed)

    def moody() -> Callable[[], None]:
        limiter = crowd.limiter()

        def work() -> None:
            while crowd.time.now < 1_000_040.0:
                limiter.take(REQUEST_UNITS)
                crowd.spend(0, REQUEST_UNITS)
                crowd.time.sleep(crowd.chance.choice([0.0, 0.0, 0.0, 0.01, 0.3, 1.5, 9.0]))

        return work

    crowd.time.run(*[moody() for _ in range(tasks)])

    assert max_units_in_window(crowd.spent, WINDOW_SECONDS) <= most_allowed(RATE, REQUEST_UNITS)


def lone_limiter(clock: StoppedClock, rate: float = 100.0) -> SharedLimiter:
    return SharedLimiter(LocalSchedule(), rate, clock, wall=lambda: 1_000.0 + clock.now())


def waited(clock: StoppedClock, limiter: SharedLimiter, units: float) -> float:
    before = clock.now()
    limiter.take(units)
    return clock.now() - before


def test_the_first_units_are_had_at_once() -> None:
    clock = StoppedClock()

    assert waited(clock, lone_limiter(clock), 10.0) == 0.0


def test_a_debt_is_waited_for_by_the_next_take() -> None:
    clock = StoppedClock()
    limiter = lone_limiter(clock)
    limiter.take(20.0)

    limiter.settle(300.0)
    limiter.take(20.0)

    assert waited(clock, limiter, 20.0) == pytest.approx(3.4, abs=0.3)


def test_units_that_were_not_needed_are_used_before_new_ones_are_asked_for() -> None:
    clock = StoppedClock()
    limiter = lone_limiter(clock)
    limiter.take(20.0)

    limiter.settle(-15.0)

    assert waited(clock, limiter, 15.0) == 0.0


def test_unused_units_soon_expire() -> None:
    clock, schedule = StoppedClock(), LocalSchedule()
    limiter = SharedLimiter(schedule, 100.0, clock, wall=lambda: 1_000.0 + clock.now())
    limiter.take(5.0)
    booked = schedule.book(0.0, floor=0.0)
    clock.pass_by(1.1)

    limiter.take(5.0)

    assert schedule.book(0.0, floor=0.0) > booked


def test_a_debt_does_not_expire() -> None:
    clock = StoppedClock()
    limiter = lone_limiter(clock)
    limiter.take(20.0)
    limiter.settle(500.0)
    clock.pass_by(1.1)

    limiter.take(20.0)

    assert waited(clock, limiter, 20.0) > 3.0


def test_a_limit_that_nobody_used_for_an_hour_gives_no_burst() -> None:
    clock = StoppedClock()
    limiter = lone_limiter(clock)
    limiter.take(20.0)
    clock.pass_by(3_600.0)
    before = clock.now()

    for _ in range(10):
        limiter.take(20.0)

    assert clock.now() - before >= 1.5


def test_threads_of_one_process_share_a_local_schedule() -> None:
    schedule = LocalSchedule()
    ends: list[float] = []

    def book() -> None:
        ends.extend(schedule.book(1.0, floor=0.0) for _ in range(1_000))

    threads = [threading.Thread(target=book) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ends) == [float(end) for end in range(1, 4_001)]


def test_without_a_limit_nothing_waits() -> None:
    Unlimited().take(1e12)
    Unlimited().settle(1e12)
