from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.job import DrillJob
from dynamodb_copy.phases.timing import Span, spans
from dynamodb_copy.runs.drill_run import DrillRun
from job_texts import OBJECTIVES, kind_of
from stored_backups import item_of, write_backup
from unit.memory_bucket import MemoryBucket
from unit.phases.memory_context import MemoryContext, OneTable

PLACE = {"s3": "s3://backups/nightly"}


class Wall:
    """A clock on the wall that somebody sets."""

    def __init__(self) -> None:
        self.seconds = 1_764_036_000.0

    def __call__(self) -> float:
        """The time in epoch seconds."""
        return self.seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def context(wall: Wall) -> MemoryContext:
    """Of a drill of a backup of five items."""
    bucket = MemoryBucket()
    write_backup(bucket, [[item_of(number) for number in range(5)]])
    job = kind_of(DrillJob, from_=PLACE)
    return MemoryContext(job, "cli/1", lambda *_: OneTable(), wall=wall, stored=bucket)


def test_a_drill_that_is_continued_began_with_its_first_attempt(context: MemoryContext, wall: Wall) -> None:
    run, began = DrillRun(context), datetime.fromtimestamp(wall(), UTC)
    run.choose()
    wall.seconds += 600

    run.choose()

    assert run.began() == began


def test_what_a_continued_drill_goes_through_again_keeps_the_time_that_it_took(
    context: MemoryContext, wall: Wall
) -> None:
    context.stored.step = lambda _verb, _key: setattr(wall, "seconds", wall.seconds + 1)
    run = DrillRun(context)
    run.choose()
    first = spans(context)["choose"]
    wall.seconds += 600

    run.choose()

    assert first.ended is not None
    assert first.ended > first.began
    assert spans(context) == {"choose": first}


def test_a_phase_that_failed_goes_on_until_it_ends_well(context: MemoryContext, wall: Wall) -> None:
    narrow = kind_of(DrillJob, from_=PLACE, drill=OBJECTIVES | {"max_bytes": "1B"})
    refused, began = DrillRun(replace(context, job=narrow)), wall()
    with pytest.raises(BackupRefusedError):
        refused.choose()
    wall.seconds += 600

    DrillRun(context).choose()

    assert spans(context) == {"choose": Span(began, began + 600)}
