"""Changes by the table's stream: who may read it, from where on, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.errors import ServiceUnavailableError, TableError, TargetRefusedError
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.model import Checkpoint
from dynamodb_copy.phases.advancing import advanced
from dynamodb_copy.phases.stream_feed import StreamFeed
from dynamodb_copy.sources.stream_lanes import SAFE_SECONDS
from dynamodb_copy.state.readers import other_readers, remember_reader
from fake_stream import STREAM, FakeStream
from job_texts import kind_of
from unit.phases.memory_changes import SOURCE_ARN, TARGET_ARN, World

DAY = 86_400.0
ENABLED = {"by": "stream", "enable": True}
Kind = type[IncrementalJob] | type[IncrementalBackupJob]
KINDS = (IncrementalJob, IncrementalBackupJob)


@pytest.fixture
def world() -> World:
    return World()


def feed_of(world: World, kind: Kind = IncrementalJob, **job: Any) -> StreamFeed:
    made: IncrementalJob | IncrementalBackupJob = kind_of(kind, **job)
    return StreamFeed(world.context(made), world.source_table)


@pytest.mark.parametrize(
    ("kind", "view"),
    [
        (IncrementalJob, "NEW_AND_OLD_IMAGES"),
        (IncrementalJob, "NEW_IMAGE"),
        (IncrementalBackupJob, "NEW_AND_OLD_IMAGES"),
    ],
)
def test_a_stream_that_tells_enough_is_read(world: World, kind: Kind, view: str) -> None:
    world.streamed(view)

    feed_of(world, kind).check(TARGET_ARN)


@pytest.mark.parametrize(
    ("kind", "view", "allowed"),
    [
        (IncrementalJob, "KEYS_ONLY", "NEW_AND_OLD_IMAGES or NEW_IMAGE;"),
        (IncrementalJob, "OLD_IMAGE", "NEW_AND_OLD_IMAGES or NEW_IMAGE;"),
        (IncrementalBackupJob, "KEYS_ONLY", "NEW_AND_OLD_IMAGES;"),
        (IncrementalBackupJob, "OLD_IMAGE", "NEW_AND_OLD_IMAGES;"),
        (IncrementalBackupJob, "NEW_IMAGE", "NEW_AND_OLD_IMAGES;"),
    ],
)
@pytest.mark.parametrize("enable", [True, False])
def test_a_stream_that_tells_too_little_is_refused_with_what_is_allowed(
    world: World,
    kind: Kind,
    view: str,
    allowed: str,
    enable: bool,  # noqa: FBT001 - a parameter's value
) -> None:
    world.streamed(view)

    with pytest.raises(TableError) as caught:
        feed_of(world, kind, changes={"by": "stream", "enable": enable}).check(TARGET_ARN)

    assert str(caught.value).startswith(f"from.table: the stream of {SOURCE_ARN} shows {view}; allowed: {allowed} ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_is_off_is_refused_unless_the_job_lets_it_be_switched_on(world: World, kind: Kind) -> None:
    world.streamed(None)

    feed_of(world, kind, changes=ENABLED).check(TARGET_ARN)
    with pytest.raises(
        TableError, match=r"is off; say changes: \{enable: true\}, or .* --table-name orders --region us"
    ):
        feed_of(world, kind).check(TARGET_ARN)


def test_a_second_reader_is_let_in_and_a_third_refused_with_the_names_of_the_others(world: World) -> None:
    remember_reader(world.rows, STREAM, "s3://dr-backups/orders", "orders_chain")
    feed_of(world).check(TARGET_ARN)
    remember_reader(world.rows, STREAM, f"{TARGET_ARN}-2", "orders_replica")

    with pytest.raises(TargetRefusedError, match=r"2 jobs read .* already: orders_chain, orders_replica; allowed: 2,"):
        feed_of(world).check(TARGET_ARN)


def test_who_reads_already_may_go_on_however_many_others_there_are(world: World) -> None:
    for target in (TARGET_ARN, f"{TARGET_ARN}-2"):
        remember_reader(world.rows, STREAM, target, "orders")

    feed_of(world).check(TARGET_ARN)


def test_a_stream_that_is_off_is_switched_on_with_both_images_and_its_reader_remembered(world: World) -> None:
    world.streamed(None)

    feed_of(world, changes=ENABLED).ready(TARGET_ARN)

    assert world.source.switched_on == [{"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}]
    assert other_readers(world.rows, STREAM, "another") == ["orders"]


def test_a_stream_that_is_on_stays_as_it_is(world: World) -> None:
    feed_of(world, changes=ENABLED).ready(TARGET_ARN)

    assert world.source.switched_on == []
    assert other_readers(world.rows, STREAM, "another") == ["orders"]


def test_a_stream_without_shards_is_waited_for_but_not_for_ever(world: World) -> None:
    world.stream = FakeStream([], shards=0)

    with pytest.raises(ServiceUnavailableError, match="its stream has no shard yet"):
        feed_of(world).ready(TARGET_ARN)

    assert world.stream.clock.slept


def test_changes_begin_now_with_every_shard_that_may_hold_one(world: World) -> None:
    world.stream.split("a")
    world.stream.pass_by(7.0)
    parents = {shard.parent for shard in world.stream.shards}

    position = feed_of(world).begin(world.position(began=0.0, up_to=0.0, stream_arn="", starts=()))

    assert (position.began, position.up_to, position.stream_arn) == (world.stream.now, world.stream.now, STREAM)
    assert position.frontier == {shard.id: "" for shard in world.stream.shards if shard.id not in parents}


@pytest.mark.parametrize(
    ("age", "left"), [(0.0, None), (DAY / 2 - 1, None), (DAY / 2, "12:00:00"), (DAY - 60, "0:01:00")]
)
def test_half_of_the_streams_memory_is_a_warning_with_the_time_that_is_left(
    world: World, age: float, left: str | None
) -> None:
    position = world.position()
    world.stream.pass_by(age)

    warning = feed_of(world).warning(position)

    assert warning.endswith(f"are unread; the stream forgets the first of them in {left}" if left else "")
    assert bool(warning) == bool(left)


def test_a_run_reads_up_to_now(world: World) -> None:
    position = world.position()
    world.stream.pass_by(60.0)

    assert feed_of(world).follow(position).until == world.stream.now


def test_a_continuous_run_reads_for_as_long_as_the_job_says(world: World) -> None:
    followed = feed_of(world, schedule="continuous", run_for="30m").follow(world.position())

    assert followed.until == world.stream.now + 1800.0


def test_after_a_base_a_run_reads_on_until_the_target_is_consistent(world: World) -> None:
    now = world.stream.now

    followed = feed_of(world).follow(world.position(up_to=now - 600.0, based=now + 1.0))

    assert followed.until == now + 1.0 + SAFE_SECONDS
    assert feed_of(world).follow(world.position(up_to=now, based=now)).until == now


def test_a_continuous_run_after_a_base_still_lasts_as_long_as_the_job_says(world: World) -> None:
    now = world.stream.now
    feed = feed_of(world, schedule="continuous", run_for="30m")

    assert feed.follow(world.position(up_to=now - 600.0, based=now + 1.0)).until == now + 1800.0


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({"segments": 1}, 1),
        ({"segments": 3}, 3),
        ({"segments": 16}, 4),
        ({"parallel": 2}, 2),
        ({"segments": "auto", "parallel": 3}, 3),
        ({"segments": 1, "parallel": 8}, 1),
    ],
)
def test_the_shards_are_dealt_out_to_as_many_segments_as_the_job_says_and_none_is_left_out(
    world: World, job: dict[str, Any], expected: int
) -> None:
    feed, position = feed_of(world, **job), world.position()

    followed = feed.follow(position)

    assert feed.segments(followed) == len(followed.starts) == expected
    assert followed.frontier == position.frontier
    assert sum(map(len, followed.starts)) == 4


def test_a_shard_that_has_ended_is_followed_by_its_children(world: World) -> None:
    ended = world.stream.shards[0].id
    position = world.position(starts=({**world.position().frontier, ended: "end"},))
    world.stream.split("a")
    (child,) = [shard.id for shard in world.stream.shards if shard.parent == ended]

    followed = feed_of(world).follow(position)

    assert ended not in followed.frontier
    assert followed.frontier[child] == ""
    assert len(followed.frontier) == 4


def test_a_position_moves_to_where_all_segments_have_come(world: World) -> None:
    now = world.stream.now
    position = world.position(starts=({"a": ""}, {"b": "3"}, {"c": "5"}))
    reached = [
        Checkpoint({"frontier": {"a": "7"}, "drained": now + 9.0}),
        Checkpoint({"frontier": {"b 1": "", "b 2": "4"}, "drained": now + 5.0}, done=True),
        Checkpoint({"frontier": {"c": "end"}, "drained": now + 8.0}, done=True),
    ]

    after = advanced(position, reached)

    assert after.starts == ({"a": "7"}, {"b 1": "", "b 2": "4"}, {"c": "end"})
    assert after.up_to == now + 5.0


def test_a_segment_that_has_not_begun_stays_and_holds_the_moment_back(world: World) -> None:
    position = world.position(starts=({"a": ""}, {"b": "3"}))
    begun = Checkpoint({"frontier": {"a": "7"}, "drained": world.stream.now + 9.0}, done=True)

    after = advanced(position, [begun, Checkpoint()])

    assert after.starts == ({"a": "7"}, {"b": "3"})
    assert after.up_to == position.up_to


def test_the_moment_never_goes_back(world: World) -> None:
    position = world.position(starts=({"a": ""},))

    after = advanced(position, [Checkpoint({"frontier": {"a": "7"}, "drained": position.up_to - 60.0})])

    assert after.up_to == position.up_to
