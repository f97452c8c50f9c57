"""From a base to its changes, and from one run to the next: a kill at any point leaves something to go on from."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from dynamodb_copy.errors import RunIncompleteError, TargetBusyError
from dynamodb_copy.job import IncrementalJob
from dynamodb_copy.model import Checkpoint, Tally
from dynamodb_copy.phases.catching_up import hand_over
from dynamodb_copy.state.plans import Plan, find_plan, store_plan
from dynamodb_copy.state.positions import Position, move, position_of
from job_texts import kind_of
from unit.phases.memory_changes import TARGET_ARN, ChangesContext, World

JOB = kind_of(IncrementalJob, segments=2)
COPIED = Checkpoint(tally=Tally(items=5), done=True)


class KilledError(BaseException):
    """The process is no more."""


def stands(world: World, **changes: Any) -> Position:
    position = move(world.rows, TARGET_ARN, world.position(**changes), in_place_of=None)
    assert position is not None
    return position


def standing(world: World) -> Position:
    position = position_of(world.rows, TARGET_ARN)
    assert position is not None
    return position


def newly_based() -> World:
    """A target whose base was copied to its end by run 1, and not handed over yet."""
    world = World()
    stands(world, based=None)
    world.reach(world.context(JOB).run, COPIED, COPIED)
    return world


def cut_short() -> World:
    """A target whose run `earlier` has applied some of its changes, and died."""
    world = World()
    first, second, third, fourth = sorted(shard.id for shard in world.stream.shards)
    starts = ({first: "", third: ""}, {second: "", fourth: ""})
    earlier = replace(world.context(JOB, "earlier"), stage="changes").run
    stands(world, starts=starts, under_way=earlier)
    store_plan(world.rows, earlier, world.plan(2))
    moment = world.stream.now
    world.reach(
        earlier,
        Checkpoint({"frontier": {first: "5", third: "7"}, "drained": moment + 9.0}, done=True),
        Checkpoint({"frontier": {second: "3", fourth: ""}, "drained": moment + 4.0}),
    )
    world.stream.pass_by(60.0)
    return world


def handed_over(world: World, run_id: str = "1", *, segments: int = 0) -> Plan:
    return hand_over(world.context(JOB, run_id), world.plan(segments))


def changes_of(context: ChangesContext) -> str:
    return replace(context, stage="changes").run


def test_after_a_base_the_target_says_when_it_had_ended_and_what_it_holds() -> None:
    world = newly_based()

    plan = handed_over(world, segments=2)

    position = standing(world)
    assert (position.based, position.base_items, position.is_fresh) == (world.stream.now + 1.0, 10, True)
    assert position.under_way == changes_of(world.context(JOB))
    assert (plan.segment_count, plan.reason) == (2, "changes by stream, segments: 2")
    assert find_plan(world.rows, position.under_way) == plan


def test_a_base_of_which_a_segment_is_missing_is_not_handed_over() -> None:
    world = World()
    before = stands(world, based=None)
    world.reach(world.context(JOB).run, COPIED, Checkpoint())

    with pytest.raises(RunIncompleteError, match="1 of 2 planned segments are not copied to their end"):
        handed_over(world, segments=2)

    assert standing(world) == before


def test_a_target_without_a_position_is_not_handed_over() -> None:
    with pytest.raises(RunIncompleteError, match="has no position; let the run's prepare task succeed first"):
        handed_over(World())


def test_what_an_earlier_run_left_over_is_read_on_where_its_segments_had_come() -> None:
    world = cut_short()
    before = standing(world)

    handed_over(world)

    position = standing(world)
    assert sorted(position.frontier.values()) == ["", "3", "5", "7"]
    assert position.up_to == before.up_to + 4.0
    assert position.until == world.stream.now


def test_a_second_hand_over_returns_the_first_ones_plan_and_moves_nothing() -> None:
    world = cut_short()
    plan, position = handed_over(world), standing(world)
    world.stream.pass_by(60.0)

    assert handed_over(world) == plan
    assert standing(world) == position


def test_a_run_that_had_begun_to_follow_goes_on_with_what_it_said_it_would_read() -> None:
    world = cut_short()
    mine = changes_of(world.context(JOB))

    def kill(verb: str) -> None:
        if verb == "insert":
            raise KilledError

    world.rows.step = kill
    with pytest.raises(KilledError):
        handed_over(world)
    world.rows.step = lambda _: None
    begun = standing(world)
    world.stream.pass_by(60.0)

    handed_over(world)

    assert (begun.under_way, begun.until) == (mine, world.stream.now - 60.0)
    assert standing(world) == begun


def test_when_another_run_moves_the_position_in_between_this_one_gives_way() -> None:
    world = cut_short()
    theirs = []

    def meanwhile(verb: str) -> None:
        if verb == "update":
            world.rows.step = lambda _: None
            seen = standing(world)
            theirs.append(move(world.rows, TARGET_ARN, replace(seen, up_to=seen.up_to + 1.0), in_place_of=seen))
            world.rows.step = meanwhile

    world.rows.step = meanwhile
    with pytest.raises(TargetBusyError, match="another run moved the position in this moment; try again"):
        handed_over(world)
    world.rows.step = lambda _: None

    assert standing(world) == theirs[-1]
    assert find_plan(world.rows, changes_of(world.context(JOB))) is None


@pytest.mark.parametrize("continued_by", ["1", "2"], ids=["the same run", "another run"])
@pytest.mark.parametrize(("made", "segments"), [(newly_based, 2), (cut_short, 0)])
def test_a_hand_over_that_is_killed_at_any_request_is_continued(made: Any, segments: int, continued_by: str) -> None:
    undisturbed = made()
    handed_over(undisturbed, segments=segments)
    expected = standing(undisturbed)

    for dies_at in count(1):
        world = made()
        requests = count(1)

        def kill(_verb: str, requests: Any = requests, dies_at: int = dies_at) -> None:
            if next(requests) == dies_at:
                raise KilledError

        world.rows.step = kill
        try:
            handed_over(world, segments=segments)
        except KilledError:
            pass
        else:
            break
        world.rows.step = lambda _: None
        if continued_by != "1" and segments and standing(world).based is None:
            world.reach(world.context(JOB, continued_by).run, COPIED, COPIED)  # it makes the base anew
        plan = handed_over(world, continued_by, segments=segments)

        position = standing(world)
        assert position.frontier == expected.frontier
        assert (position.up_to, position.base_items, position.bases) == (expected.up_to, expected.base_items, 1)
        assert position.is_consistent == expected.is_consistent
        assert position.under_way == changes_of(world.context(JOB, continued_by))
        assert plan == find_plan(world.rows, position.under_way)
        assert plan.segment_count == len(position.starts) == 2
    assert dies_at > 8
