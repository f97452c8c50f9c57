"""How long phases took, over attempts and tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamodb_copy.errors import TableError
from dynamodb_copy.job import DrillJob
from dynamodb_copy.phases.timing import Span, spans, timed
from job_texts import kind_of
from unit.phases.memory_context import MemoryContext
from unit.phases.memory_tables import context_of


class WallClock:
    """Time that passes by a call."""

    def __init__(self) -> None:
        self.now = 1_795_572_000.25

    def __call__(self) -> float:
        """Epoch seconds."""
        return self.now


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


@pytest.fixture
def context(wall: WallClock) -> MemoryContext:
    """A run whose time the test owns."""
    return replace(context_of(kind_of(DrillJob)), wall=wall)


def test_a_phase_is_timed_from_its_begin_to_its_end(context: MemoryContext, wall: WallClock) -> None:
    with timed(context, "choose"):
        wall.now += 12.5

    assert spans(context) == {"choose": Span(1_795_572_000.25, 1_795_572_012.75)}


def test_a_phase_that_fails_has_begun_and_not_ended(context: MemoryContext) -> None:
    with pytest.raises(TableError), timed(context, "create"):
        raise TableError("it is of another shape")

    assert spans(context) == {"create": Span(1_795_572_000.25, None)}


def test_a_phase_that_is_tried_again_has_lasted_since_its_first_attempt(
    context: MemoryContext, wall: WallClock
) -> None:
    with pytest.raises(TableError), timed(context, "restore"):
        raise TableError("no")
    wall.now += 60

    with timed(context, "restore"):
        wall.now += 5

    assert spans(context)["restore"] == Span(1_795_572_000.25, 1_795_572_065.25)


def test_a_phase_of_several_tasks_lasts_until_the_last_one_ends(context: MemoryContext, wall: WallClock) -> None:
    with timed(context, "restore"):
        wall.now += 1
        with timed(context, "restore"):
            wall.now += 1
        wall.now += 1

    assert spans(context)["restore"] == Span(1_795_572_000.25, 1_795_572_003.25)


def test_an_attempt_that_fails_after_another_has_ended_takes_nothing_back(
    context: MemoryContext, wall: WallClock
) -> None:
    with timed(context, "restore"):
        wall.now += 1
    with pytest.raises(TableError), timed(context, "restore"):
        raise TableError("no")

    assert spans(context)["restore"].ended == 1_795_572_001.25


def test_phases_come_in_the_order_of_their_beginning(context: MemoryContext, wall: WallClock) -> None:
    for name in ("restore", "check rows", "choose"):
        with timed(context, name):
            wall.now += 1

    assert list(spans(context)) == ["restore", "check rows", "choose"]


def test_runs_are_timed_on_their_own(context: MemoryContext) -> None:
    with timed(context, "choose"):
        pass

    assert spans(replace(context, run_id="manual__2")) == {}


def test_what_was_timed_goes_with_the_run(context: MemoryContext) -> None:
    with timed(context, "choose"):
        pass

    (row,) = context.remembered.rows.values()
    assert "expires_at" in row
