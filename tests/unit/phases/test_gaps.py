"""What keeps a target from being brought up to date from where it stands, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dynamodb_copy.errors import ChangesLostError
from dynamodb_copy.job import IncrementalJob
from dynamodb_copy.phases.catching_up import prepare
from dynamodb_copy.phases.feeds import feed_of
from dynamodb_copy.phases.forecasting_changes import forecast_changes
from dynamodb_copy.phases.gaps import gap, standing
from dynamodb_copy.state.claims import Claim, claim
from dynamodb_copy.state.positions import move, position_of
from job_texts import kind_of
from unit.phases.memory_changes import SOURCE_ARN, TARGET_ARN, World, item_of

DAY = 86_400.0
BY_ATTRIBUTE = {"by": "attribute", "attribute": "updated_at", "format": "epoch_seconds"}


@pytest.fixture
def world() -> World:
    made = World()
    made.target.hold([item_of("a")])
    return made


def gap_of(world: World, **job: Any) -> str:
    context = world.context(kind_of(IncrementalJob, **job))
    target = world.target_table if world.target.tables else None
    return gap(context, feed_of(context, world.source_table), world.source_table, target)


def stands(world: World, **changes: Any) -> None:
    assert move(world.rows, TARGET_ARN, world.position(**changes), in_place_of=None) is not None


def claimed(world: World) -> None:
    made = Claim(SOURCE_ARN, world.source_table.table_id, world.target_table.table_id, "orders_full")
    assert claim(world.rows, TARGET_ARN, made, in_place_of=None)


def test_a_target_that_was_just_brought_up_to_date_has_no_gap(world: World) -> None:
    stands(world)

    assert gap_of(world) == ""


def test_a_target_that_does_not_exist_yet_has_no_gap(world: World) -> None:
    world.target.tables.clear()

    assert gap_of(world) == ""


def test_a_target_that_another_kind_of_job_filled_has_a_gap_for_nothing_says_up_to_when(world: World) -> None:
    claimed(world)

    assert gap_of(world) == f"{TARGET_ARN} holds items, filled by job 'orders_full', and nothing says up to when"


@pytest.mark.parametrize(
    ("is_claimed", "status", "items", "job"),
    [
        pytest.param(False, "ACTIVE", ["a"], {}, id="it is nobody's, which is checked elsewhere"),
        pytest.param(True, "ACTIVE", [], {}, id="it is empty"),
        pytest.param(True, "CREATING", ["a"], {}, id="it is being created"),
        pytest.param(True, "ACTIVE", ["a"], {"to_": {"existing": "allow"}}, id="the job allows what is there"),
    ],
)
def test_a_target_without_a_position_has_no_gap_when(
    world: World,
    is_claimed: bool,  # noqa: FBT001 - a parameter's value
    status: str,
    items: list[str],
    job: dict[str, Any],
) -> None:
    world.target.describe(TableStatus=status)
    world.target.hold([item_of(name) for name in items])
    if is_claimed:
        claimed(world)

    assert gap_of(world, **job) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source_id": "another"}, f"{SOURCE_ARN} was dropped and created again"),
        ({"target_id": "another"}, "the target was dropped and created again"),
        ({"by": "export"}, "the target was kept up to date by export, which leaves no position by stream"),
        ({"stream_arn": "arn:earlier"}, "the stream arn:earlier was replaced by "),
        ({"starts": ({"forgotten": "17"},)}, "shards were trimmed, or appeared, without having been read: forgotten"),
    ],
)
def test_each_reason_for_a_gap_is_named(world: World, changes: dict[str, Any], reason: str) -> None:
    stands(world, **changes)

    assert gap_of(world).startswith(reason)


def test_a_stream_that_was_switched_off_is_a_gap(world: World) -> None:
    stands(world)
    world.streamed(None)

    assert gap_of(world).endswith(" was switched off, and nothing keeps what changed since then")


@pytest.mark.parametrize(("age", "is_gap"), [(DAY - 1, False), (DAY, True)])
def test_changes_that_were_not_read_for_a_day_are_a_gap(
    world: World,
    age: float,
    is_gap: bool,  # noqa: FBT001 - a parameter's value
) -> None:
    stands(world)
    world.stream.pass_by(age)

    assert gap_of(world).endswith("and a stream keeps them for a day") is is_gap


def test_a_shard_that_nobody_has_read_is_a_gap(world: World) -> None:
    first, *others = [shard.id for shard in world.stream.shards]
    stands(world, starts=({first: ""},))

    assert gap_of(world) == f"shards were trimmed, or appeared, without having been read: {', '.join(others)}"


@pytest.mark.parametrize("age", [DAY, 1000 * DAY])
def test_an_attribute_forgets_nothing_however_long_nobody_looks(world: World, age: float) -> None:
    stands(world, by="attribute")
    world.stream.pass_by(age)

    assert gap_of(world, changes=BY_ATTRIBUTE) == ""


def test_a_gap_stops_the_job_before_anything_is_written_and_says_how_to_start_over(world: World) -> None:
    stands(world, stream_arn="arn:earlier")
    before = dict(world.rows.rows)
    context = world.context(kind_of(IncrementalJob))

    with pytest.raises(ChangesLostError, match=r"us-west-2/orders: the stream .*: say changes: \{on_gap: full\}"):
        prepare(context)
    with pytest.raises(ChangesLostError, match=r"us-west-2/orders: the stream .*; say changes: \{on_gap: full\}"):
        forecast_changes(context)

    assert world.rows.rows == before
    assert world.target.operations <= {"Scan"}


def test_with_on_gap_full_a_new_base_begins_that_also_deletes(world: World) -> None:
    stands(world, stream_arn="arn:earlier")
    claimed(world)
    job = kind_of(IncrementalJob, changes={"by": "stream", "on_gap": "full"})

    prepared = prepare(world.context(job))

    position = position_of(world.rows, TARGET_ARN)
    assert position is not None
    assert (position.based, position.bases, position.is_fresh) == (None, 2, False)
    assert position.frontier == {shard.id: "" for shard in world.stream.shards}
    assert [note.partition(":")[0] for note in prepared.notes] == ["starting over with a full copy"]


def test_a_target_that_was_dropped_and_is_empty_again_gets_a_base_like_any_new_one(world: World) -> None:
    stands(world, target_id="that of the dropped one", under_way="an earlier run")
    world.target.hold([])

    assert gap_of(world) == ""
    prepare(world.context(kind_of(IncrementalJob)))

    position = position_of(world.rows, TARGET_ARN)
    assert position is not None
    assert (position.target_id, position.based, position.bases) == (world.target_table.table_id, None, 2)
    assert (position.is_fresh, position.under_way) == (True, "")


def test_the_forecast_of_a_target_that_was_dropped_has_a_base(world: World) -> None:
    stands(world, target_id="that of the dropped one")
    world.target.hold([])

    forecast = forecast_changes(world.context(kind_of(IncrementalJob)))

    assert forecast.base is not None
    assert (forecast.up_to, forecast.lag_seconds) == ("", None)


def test_a_target_stands_where_its_position_says_unless_that_is_of_a_dropped_one(world: World) -> None:
    context = world.context(kind_of(IncrementalJob))
    assert standing(context, None) is standing(context, world.target_table) is None

    stands(world)
    position = position_of(world.rows, TARGET_ARN)
    assert standing(context, world.target_table) == position
    world.target.describe(TableId="a new one")
    assert standing(context, world.target_table) is None


def test_a_prepared_target_stays_where_it_stands(world: World) -> None:
    stands(world, up_to=world.stream.now - 60.0)
    claimed(world)
    before = position_of(world.rows, TARGET_ARN)

    prepare(world.context(kind_of(IncrementalJob)))

    assert position_of(world.rows, TARGET_ARN) == before
    assert before == replace(world.position(up_to=world.stream.now - 60.0), version=1)
