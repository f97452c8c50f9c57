"""Waits before the next try."""

from __future__ import annotations

import pytest

from dynamodb_copy.aws.backoff import Patience, patiently
from dynamodb_copy.errors import RequestRefusedError, ServiceUnavailableError
from fakes import StoppedClock

ERROR = ServiceUnavailableError("try later")


def longest_waits(count: int) -> list[float]:
    """The upper bounds of the first waits."""
    return [min(Patience.cap_seconds, Patience.base_seconds * 2**n) for n in range(count)]


def test_each_wait_may_be_twice_as_long_up_to_a_cap() -> None:
    clock = StoppedClock()
    patience = Patience(clock)

    for _ in range(12):
        patience.wait(ERROR)

    assert all(0 <= slept <= longest for slept, longest in zip(clock.slept, longest_waits(12), strict=True))


def test_waits_are_spread_over_the_whole_time_so_that_tasks_do_not_return_at_once() -> None:
    firsts = []
    for seed in range(200):
        clock = StoppedClock(seed=seed)
        Patience(clock).wait(ERROR)
        firsts.append(clock.slept[0] / Patience.base_seconds)

    assert min(firsts) < 0.1
    assert max(firsts) > 0.9
    assert 0.4 < sum(firsts) / len(firsts) < 0.6


def test_patience_ends_with_the_error_that_it_bore() -> None:
    clock = StoppedClock()
    patience = Patience(clock)

    def bear() -> None:
        for _ in range(10_000):
            patience.wait(ERROR)

    with pytest.raises(ServiceUnavailableError) as caught:
        bear()

    assert caught.value is ERROR
    assert Patience.total_seconds < clock.now() <= Patience.total_seconds + Patience.cap_seconds


def test_time_without_failures_uses_up_no_patience() -> None:
    clock = StoppedClock()
    patience = Patience(clock)

    clock.pass_by(10 * Patience.total_seconds)
    patience.wait(ERROR)

    assert len(clock.slept) == 1


def test_progress_begins_patience_anew() -> None:
    clock = StoppedClock()
    patience = Patience(clock)

    for _ in range(100):
        patience.wait(ERROR)
        clock.pass_by(0.9 * Patience.total_seconds)
        patience.renew()

    assert len(clock.slept) == 100


def test_progress_shortens_waits_step_by_step() -> None:
    clock = StoppedClock()
    patience = Patience(clock)
    for _ in range(4):
        patience.wait(ERROR)
    patience.renew()
    patience.renew()

    for _ in range(20):
        patience.wait(ERROR)
        patience.renew()

    assert max(clock.slept[4:]) <= longest_waits(3)[-1]


def test_a_request_is_tried_until_it_succeeds() -> None:
    failures = [ERROR, ERROR]

    def request() -> str:
        if failures:
            raise failures.pop()
        return "done"

    clock = StoppedClock()

    assert patiently(request, clock) == "done"
    assert len(clock.slept) == 2


def test_a_permanent_error_is_not_tried_again() -> None:
    clock = StoppedClock()

    def request() -> str:
        raise RequestRefusedError("never")

    with pytest.raises(RequestRefusedError):
        patiently(request, clock)
    assert clock.slept == []
