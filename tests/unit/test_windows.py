"""How the past is cut into windows that the service exports."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.windows import Window, windows

START = 1_768_385_930
HOUR, DAY = 3_600, 86_400

LENGTHS = st.one_of(st.integers(-DAY, 5 * DAY), st.sampled_from([899, 900, 901, DAY, DAY + 899, DAY + 900]))
"""Mostly any; now and then one at which something changes."""


@given(length=LENGTHS)
def test_the_service_takes_each_window(length: int) -> None:
    cut = windows(START, START + length)

    assert all(900 <= window.end - window.start <= DAY for window in cut)


@given(length=LENGTHS)
def test_windows_follow_each_other_from_the_start_on_and_never_beyond_the_end(length: int) -> None:
    cut = windows(START, START + length)

    assert all(earlier.end == later.start for earlier, later in pairwise(cut))
    assert [window.start for window in cut[:1]] == [START] * bool(cut)
    assert all(window.end <= START + length for window in cut)


@given(length=LENGTHS)
def test_what_stays_open_is_shorter_than_a_window_may_be(length: int) -> None:
    cut = windows(START, START + length)

    reached = cut[-1].end if cut else START
    assert START + length - reached < 900


@given(first=LENGTHS, second=st.integers(0, 3 * DAY))
def test_the_next_run_goes_on_where_this_one_ended(first: int, second: int) -> None:
    done = windows(START, START + first)
    reached = done[-1].end if done else START

    later = windows(reached, START + first + second)

    assert [window.start for window in later[:1]] == [reached] * bool(later)
    assert set(done).isdisjoint(later)


@given(length=st.integers(0, 500), least=st.integers(1, 20), longer=st.integers(0, 50))
def test_the_limits_are_those_that_are_asked_for(length: int, least: int, longer: int) -> None:
    most = least + longer

    cut = windows(0, length, least_seconds=least, most_seconds=most)

    assert all(least <= window.end - window.start <= most for window in cut)
    assert sum(window.end - window.start for window in cut) > length - least


@pytest.mark.parametrize(
    ("length", "ends"),
    [
        (0, []),
        (899, []),
        (900, [900]),
        (6 * HOUR, [6 * HOUR]),
        (DAY, [DAY]),
        (DAY + 899, [DAY]),
        (DAY + 900, [DAY, DAY + 900]),
        (2 * DAY + HOUR, [DAY, 2 * DAY, 2 * DAY + HOUR]),
    ],
)
def test_only_the_last_window_is_shorter_than_a_day(length: int, ends: list[int]) -> None:
    cut = windows(START, START + length)

    assert [window.end - START for window in cut] == ends


def test_a_window_is_its_start_and_its_end() -> None:
    assert windows(START, START + HOUR) == [Window(START, START + HOUR)] == [(START, START + HOUR)]
