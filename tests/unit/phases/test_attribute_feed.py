"""Changes by an attribute: one window up to now, which moves on once all of it was read."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.errors import TableError
from dynamodb_copy.job import IncrementalJob
from dynamodb_copy.model import Checkpoint
from dynamodb_copy.phases.advancing import advanced
from dynamodb_copy.phases.attribute_feed import AttributeFeed
from dynamodb_copy.sources.attribute_window import Attribute, AttributeWindow, Index
from job_texts import kind_of
from unit.phases.memory_changes import TARGET_ARN, World

BY_TIME = {
    "IndexName": "by_time",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "updated_at", "KeyType": "RANGE"}],
}
ATTRIBUTES = [
    {"AttributeName": "id", "AttributeType": "S"},
    {"AttributeName": "kind", "AttributeType": "S"},
    {"AttributeName": "updated_at", "AttributeType": "N"},
]
CHANGES = {"by": "attribute", "attribute": "updated_at", "format": "epoch_seconds"}
INDEXED = CHANGES | {"index": {"name": "by_time", "partitions": ["a", "b", "c"]}}


@pytest.fixture
def world() -> World:
    made = World()
    made.source.describe(GlobalSecondaryIndexes=[BY_TIME], AttributeDefinitions=ATTRIBUTES, TableSizeBytes=0)
    return made


def feed_of(world: World, changes: dict[str, Any], **job: Any) -> AttributeFeed:
    return AttributeFeed(world.context(kind_of(IncrementalJob, changes=changes, **job)), world.source_table)


def test_an_index_whose_sort_key_is_the_attribute_is_queried(world: World) -> None:
    feed_of(world, INDEXED).check(TARGET_ARN)
    feed_of(world, CHANGES).check(TARGET_ARN)


def test_an_index_that_the_table_does_not_have_is_refused_with_those_that_it_has(world: World) -> None:
    changes = CHANGES | {"index": {"name": "by_tmie", "partitions": ["a"]}}

    with pytest.raises(TableError, match=r"changes\.index: .* has no global index 'by_tmie'; it has by_time: correct"):
        feed_of(world, changes).check(TARGET_ARN)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"attribute": "written_at"}, "is sorted by updated_at (N); allowed: written_at (N)"),
        ({"format": "iso8601"}, "is sorted by updated_at (N); allowed: updated_at (S)"),
    ],
)
def test_an_index_that_is_sorted_by_something_else_is_refused(
    world: World, changes: dict[str, Any], found: str
) -> None:
    with pytest.raises(TableError) as caught:
        feed_of(world, INDEXED | changes).check(TARGET_ARN)

    assert f"changes.index: by_time of {world.source_table.arn} {found}" in str(caught.value)


def test_an_index_that_is_not_sorted_at_all_is_refused(world: World) -> None:
    world.source.describe(
        GlobalSecondaryIndexes=[BY_TIME | {"KeySchema": BY_TIME["KeySchema"][:1]}], AttributeDefinitions=ATTRIBUTES
    )

    with pytest.raises(TableError, match=r"is sorted by nothing; allowed: updated_at \(N\)"):
        feed_of(world, INDEXED).check(TARGET_ARN)


def test_changes_begin_now_and_nothing_is_ever_lost(world: World) -> None:
    feed, now = feed_of(world, CHANGES), world.stream.now

    position = feed.begin(world.position(by="attribute", began=0.0, up_to=0.0))

    assert (position.began, position.up_to) == (now, now)
    world.stream.pass_by(1e9)
    assert (feed.lost(position), feed.warning(position)) == ("", "")


def test_however_many_runs_were_missed_one_window_leads_up_to_now(world: World) -> None:
    feed, position = feed_of(world, CHANGES), world.position(by="attribute")
    world.stream.pass_by(500_000.0)

    followed = feed.follow(position)

    assert (followed.up_to, followed.until) == (position.up_to, world.stream.now)


@pytest.mark.parametrize(
    ("changes", "job", "expected"),
    [
        (CHANGES, {"segments": 7}, 7),
        (CHANGES, {}, 1),
        (INDEXED, {"parallel": 2}, 2),
        (INDEXED, {"parallel": 8}, 3),
    ],
)
def test_a_scan_has_the_segments_of_a_copy_and_an_index_no_more_than_partitions(
    world: World, changes: dict[str, Any], job: dict[str, Any], expected: int
) -> None:
    assert feed_of(world, changes, **job).segments(world.position(by="attribute")) == expected


@pytest.mark.parametrize(
    ("changes", "overlap", "index"),
    [
        (CHANGES, 300.0, None),
        (CHANGES | {"overlap": "1h"}, 3600.0, None),
        (INDEXED, 300.0, Index("by_time", ("kind", "S"), ("a", "b", "c"))),
    ],
)
def test_the_window_overlaps_the_one_before_it(
    world: World, changes: dict[str, Any], overlap: float, index: Index | None
) -> None:
    position = world.position(by="attribute", up_to=5000.0, until=9000.0)

    source = feed_of(world, changes).source(position, world.plan(3))

    assert isinstance(source, AttributeWindow)
    assert source.window == (5000.0 - overlap, 9000.0)
    assert (source.table, source.attribute, source.index) == ("orders", Attribute("updated_at", "epoch_seconds"), index)
    assert len(source.segments()) == 3


@pytest.mark.parametrize(
    ("done", "moves"), [([True, True], True), ([True, False], False), ([False], False), ([], False)]
)
def test_only_a_window_that_was_read_whole_moves_the_position(
    world: World,
    done: list[bool],
    moves: bool,  # noqa: FBT001 - a parameter's value
) -> None:
    position = world.position(by="attribute", up_to=5000.0, until=9000.0)

    after = advanced(position, [Checkpoint(done=each) for each in done])

    assert after.up_to == (9000.0 if moves else 5000.0)
