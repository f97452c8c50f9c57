"""A base that starts over deletes what the source does not have, and nothing else."""

from __future__ import annotations

import pytest

from dynamodb_copy.errors import MirrorRefusedError
from dynamodb_copy.job import IncrementalJob
from dynamodb_copy.model import Item
from dynamodb_copy.phases.purging import purge
from job_texts import kind_of
from unit.phases.memory_changes import World, item_of


def world_of(source: str, target: str) -> World:
    """Tables that hold items of these names, each with another note."""
    world = World()
    world.source.hold([item_of(name, note={"S": "of the source"}) for name in source])
    world.target.hold([item_of(name, note={"S": "of the target"}) for name in target])
    return world


def purged(world: World, segments: int = 2) -> int:
    return purge(world.context(kind_of(IncrementalJob)), world.plan(segments))


def names(items: list[Item]) -> str:
    return "".join(sorted(item["id"]["S"] for item in items))


@pytest.mark.parametrize("segments", [0, 2])
@pytest.mark.parametrize(
    ("source", "target", "deleted", "left"),
    [("abc", "abcde", 2, "abc"), ("ab", "xyz", 3, ""), ("abc", "ab", 0, "ab"), ("a", "", 0, "")],
)
def test_what_the_source_does_not_have_is_deleted_and_the_rest_stays_as_it_is(
    source: str, target: str, deleted: int, left: str, segments: int
) -> None:
    world = world_of(source, target)

    assert purged(world, segments) == deleted

    assert names(world.target.held.items) == left
    assert {item["note"]["S"] for item in world.target.held.items} <= {"of the target"}
    assert names(world.source.held.items) == "".join(sorted(source))


def test_each_key_is_looked_for_in_the_source_by_a_strongly_consistent_read() -> None:
    world = world_of("ab", "abc")

    purged(world)

    reads = [request for wire in world.source.wires for name, request in wire.requests if name == "BatchGetItem"]
    assert all(request["RequestItems"]["orders"]["ConsistentRead"] is True for request in reads)
    keys = [key for request in reads for key in request["RequestItems"]["orders"]["Keys"]]
    assert names(keys) == "abc"


def test_an_empty_source_is_refused_for_everything_would_go() -> None:
    world = world_of("", "abc")

    with pytest.raises(MirrorRefusedError, match="is empty: starting over would delete every item of"):
        purged(world)

    assert names(world.target.held.items) == "abc"
    assert "BatchWriteItem" not in world.target.operations


def test_the_source_is_only_read() -> None:
    world = world_of("ab", "abc")

    purged(world)

    assert world.source.operations == {"Scan", "BatchGetItem"}
