"""A look at a job: how far its target is, what of it is wrong, and whether people know that already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.errors import BucketRefusedError, ServiceUnavailableError
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job
from dynamodb_copy.model import Checkpoint, Put, Segment
from dynamodb_copy.phases.lateness import Rhythm
from dynamodb_copy.phases.registering import last_run, target_of
from dynamodb_copy.phases.watching import JobFiles, Watched, check_chains, told, vanished, watch
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.plans import Plan, store_plan
from dynamodb_copy.state.positions import Position, move
from dynamodb_copy.state.registry import register_run, sight
from job_texts import kind_of, texts_apart
from stored_backups import item_of
from stored_chains import PREFIX, Stretch, id_at, mark_at, micros_of, second_of, write_full, write_increment
from unit.memory_bucket import MemoryBucket
from unit.phases.memory_context import MemoryContext, OneTable
from unit.state.memory_rows import MemoryRows

HOUR = 3600.0
NOW = second_of(60)
ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/orders"
CHAIN = "s3://dr-backups/orders"
RUN = "run#1#changes"
HOURLY = Rhythm(lambda moment: moment + HOUR, lambda moment: moment - HOUR)
KEPT = kind_of(IncrementalJob, schedule="every 1h", late_after="90m")
CHAINED = kind_of(IncrementalBackupJob, schedule="every 1h", late_after="30m", to_={"s3": f"s3://backups/{PREFIX}"})


def looking(job: Job, *, table: Mapping[str, Any] | None = None, bucket: MemoryBucket | None = None) -> MemoryContext:
    """A look that may ask nothing but the target's side."""

    def connect(service: str, region: str, connection: str) -> OneTable:
        assert (service, region, connection) == ("dynamodb", "us-west-2", "aws_oregon")
        return OneTable(table or {"TableName": "orders", "TableArn": ARN})

    return MemoryContext(job, "watcher", connect, wall=lambda: NOW, stored=bucket or MemoryBucket())


def placed(context: MemoryContext, target: str = ARN, *, behind: float = HOUR, **changes: Any) -> Position:
    """A position of the target, so many seconds ago."""
    up_to = NOW - behind
    made = Position("arn", "id", "id", "stream", up_to, up_to, based=up_to)
    moved = move(context.rows, target, replace(made, **changes), in_place_of=None)
    assert moved is not None
    return moved


def drained(context: MemoryContext, *moments: float | None) -> None:
    """A run under way, whose segments have come so far."""
    plan = Plan("orders", "", "", "", ARN, "", ("id",), None, 0, len(moments), None, None, {}, "", (), NOW)
    store_plan(context.rows, RUN, plan)
    for index, moment in enumerate(moments):
        segment = Segment(index, len(moments))
        context.rows.put(segment_key(RUN, segment), {"holder": {"S": "me"}})
        if moment is not None:
            StateCheckpoints(context.rows, RUN, "me").save(segment, Checkpoint({"drained": moment}))


def kinds(watched: Watched) -> list[str]:
    return [problem.kind for problem in watched.problems]


def test_the_lag_of_a_copy_is_a_figure_and_a_problem_once_it_is_too_long() -> None:
    context = looking(KEPT)
    placed(context, behind=HOUR)
    register_run(context.rows, "orders", last_run(context))

    in_time, late = [watch(context, now, HOURLY) for now in (NOW + 0.5 * HOUR, NOW + 0.5 * HOUR + 1)]

    assert (in_time.up_to, in_time.lag_seconds, in_time.problems) == (NOW - HOUR, 1.5 * HOUR, ())
    assert (
        "us-west-2/orders holds everything up to 2025-11-25T02:00:00+00:00, which is 1:30:00 ago" in in_time.described
    )
    assert "last sealed at 2025-11-25T03:00:00+00:00 (watcher)" in in_time.described
    assert kinds(late) == ["lag"]
    assert "up to 2025-11-25T02:00:00+00:00, which is 1:30:01 ago" in late.problems[0].text


@pytest.mark.parametrize(
    ("moments", "behind"),
    [((NOW - 20, NOW - 10), 20), ((NOW - 20, None), HOUR), ((NOW - 2 * HOUR,), HOUR), ((), HOUR)],
)
def test_a_run_under_way_counts_up_to_where_all_its_segments_are(
    moments: tuple[float | None, ...], behind: float
) -> None:
    context = looking(KEPT)
    placed(context, under_way=RUN)
    drained(context, *moments)

    assert watch(context, NOW, HOURLY).lag_seconds == behind


def test_a_run_that_has_no_plan_yet_counts_nothing() -> None:
    context = looking(KEPT)
    placed(context, under_way=RUN)

    assert watch(context, NOW, HOURLY).lag_seconds == HOUR


def test_a_base_that_is_not_whole_is_told_as_such() -> None:
    context = looking(KEPT)
    placed(context, behind=2 * HOUR, based=None)

    (problem,) = [each for each in watch(context, NOW, HOURLY).problems if each.kind == "lag"]

    assert "is no whole copy yet: its base began at 2025-11-25T01:00:00+00:00" in problem.text


def test_a_chain_ends_where_it_was_sealed_and_may_be_one_run_behind() -> None:
    context = looking(kind_of(IncrementalBackupJob, schedule="every 1h", late_after="30m"))
    placed(context, CHAIN, behind=2 * HOUR, under_way=RUN)
    drained(context, NOW)
    register_run(context.rows, "orders", last_run(context))

    in_time, late = [watch(context, now, HOURLY) for now in (NOW + 0.5 * HOUR, NOW + 0.5 * HOUR + 1)]

    assert (in_time.up_to, kinds(in_time), kinds(late)) == (NOW - 2 * HOUR, [], ["lag"])


@pytest.mark.parametrize("job", [kind_of(CopyJob, schedule="every 1h"), KEPT])
def test_a_job_that_keeps_nothing_up_to_a_moment_has_no_lag(job: Job) -> None:
    watched = watch(looking(job), NOW, HOURLY)

    assert (watched.up_to, watched.lag_seconds, watched.problems) == (None, None, ())
    assert watched.described == "orders: no run was ever sealed"


def test_a_job_whose_table_is_not_there_has_no_lag() -> None:
    context = replace(looking(KEPT), connect=lambda *_: OneTable(None))

    assert watch(context, NOW, HOURLY).lag_seconds is None


def test_a_job_that_never_ran_is_found_from_the_first_sight_on() -> None:
    context = looking(kind_of(CopyJob, schedule="every 1h", late_after="1h"))

    looks = [watch(context, NOW + hours * HOUR, HOURLY) for hours in (0, 1.9, 2.1)]

    assert [kinds(each) for each in looks] == [[], [], ["never ran"]]


def test_the_state_table_is_made_where_no_job_ever_ran() -> None:
    made: list[str] = []

    def missing(_: str) -> None:
        if not made:
            raise ResourceMissingError("GetItem: ResourceNotFoundException")

    class Empty(MemoryContext):
        def ensure_state(self) -> None:
            made.append("state table")

    context = Empty(kind_of(CopyJob), "watcher", lambda *_: OneTable(), remembered=MemoryRows(missing))

    assert watch(context, NOW, None).problems == ()
    assert made == ["state table"]


def test_a_dark_side_is_no_finding_but_an_error() -> None:
    def dark(_: str) -> None:
        raise ServiceUnavailableError("no answer")

    context = replace(looking(KEPT), remembered=MemoryRows(dark))

    with pytest.raises(ServiceUnavailableError):
        watch(context, NOW, HOURLY)


def test_only_other_problems_are_news_and_the_end_of_them_is() -> None:
    context = looking(KEPT)
    placed(context, behind=2 * HOUR)

    first = watch(context, NOW, HOURLY)
    told(context, first)
    longer = watch(context, NOW + 60, HOURLY)
    both = watch(context, NOW + 3 * HOUR, HOURLY)
    told(context, both)
    well = replace(watch(context, NOW, HOURLY), problems=())
    told(context, well)

    assert [first.is_news, longer.is_news, both.is_news, well.is_news] == [True, False, True, True]
    assert both.findings == "lag\nnever ran"
    assert watch(context, NOW + 3 * HOUR, HOURLY).told == ""


def filled_chain(*minutes: int) -> MemoryBucket:
    bucket = MemoryBucket()
    write_full(bucket, [item_of(1), item_of(2)], 0, mark=mark_at(0, 0), took=10)
    for start, end in pairwise(minutes):
        changes = [Put(item_of(minute % 7), micros_of(minute)) for minute in range(start, end)]
        write_increment(bucket, [changes], Stretch(mark_at(start, start), mark_at(end, end), end + 1))
    return bucket


def test_a_whole_chain_has_no_problem_until_it_is_too_old() -> None:
    context = looking(CHAINED, bucket=filled_chain(0, 30, 60))

    in_time, late = [check_chains(context, NOW + hours * HOUR, HOURLY) for hours in (2.5, 2.6)]

    assert kinds(in_time) == []
    assert f"s3://backups/{PREFIX}: whole" in in_time.described
    assert kinds(late) == [f"late {id_at(61, 'a')}"]


def test_a_gap_is_found_and_remembered_apart_from_what_is_late() -> None:
    bucket = filled_chain(0, 20, 40, 60)
    bucket.contents = {key: body for key, body in bucket.contents.items() if id_at(41, "a") not in key}
    context = looking(CHAINED, bucket=bucket)

    watched = check_chains(context, NOW, HOURLY)
    told(context, watched)

    assert kinds(watched) == [f"gap {id_at(61, 'a')}"]
    assert not check_chains(context, NOW, HOURLY).is_news
    assert watch(context, NOW, HOURLY).told == ""


def test_what_is_being_written_is_no_problem_for_a_day() -> None:
    bucket = filled_chain(0, 30, 60)
    bucket.put(f"{PREFIX}/AWSDynamoDB/{id_at(60, 'b')}/_started", b"")
    context = looking(replace_schedule(CHAINED), bucket=bucket)

    assert kinds(check_chains(context, NOW + 23 * HOUR, None)) == []
    assert kinds(check_chains(context, NOW + 25 * HOUR, None)) == [f"unsealed {id_at(60, 'b')}"]


def replace_schedule(job: IncrementalBackupJob) -> Job:
    """The same, started by hand: it is never late."""
    return kind_of(IncrementalBackupJob, to_={"s3": job.target.s3})


def test_an_empty_place_is_a_problem_only_once_a_run_was_sealed() -> None:
    context = looking(kind_of(BackupJob))

    before = check_chains(context, NOW, None)
    register_run(context.rows, "orders", last_run(context))

    assert kinds(before) == []
    assert kinds(check_chains(context, NOW, None)) == ["no full"]


def test_a_bucket_that_is_gone_is_a_problem_of_the_chain() -> None:
    def gone(*_: str) -> None:
        raise BucketRefusedError("backups does not exist")

    watched = check_chains(looking(kind_of(BackupJob), bucket=MemoryBucket(step=gone)), NOW, None)

    assert kinds(watched) == ["not readable"]
    assert "s3://dr-backups/orders cannot be checked: backups does not exist" in watched.problems[0].text


def files(*valid: str, broken: tuple[str, ...] = (), targets: tuple[str, ...] = ()) -> JobFiles:
    return JobFiles(frozenset(valid), frozenset(broken), frozenset(targets))


@pytest.fixture
def side() -> MemoryContext:
    """A side on which `orders` ran, and was watched."""
    context = looking(kind_of(CopyJob))
    register_run(context.rows, "orders", last_run(context))
    sight(context.rows, "orders", NOW)
    return context


def test_a_job_whose_file_is_gone_is_named_with_the_command_that_retires_it(side: MemoryContext) -> None:
    (watched,) = vanished(side, files("customers"))

    assert (watched.job_name, kinds(watched), watched.is_news) == ("orders", ["vanished"], True)
    assert watched.problems[0].text == (
        "orders (copy to us-west-2/orders), last sealed at 2025-11-25T03:00:00+00:00, does not run any more: its job "
        "file is gone; put it back or, if it was removed on purpose, retire it: aws dynamodb delete-item --region "
        """us-west-2 --table-name dynamodb-copy-state --key '{"pk": {"S": "jobs"}, "sk": {"S": "job#orders"}}'"""
    )


def test_it_is_told_once_and_is_well_again_when_its_file_is_back(side: MemoryContext) -> None:
    told(side, vanished(side, files())[0])

    assert not vanished(side, files())[0].is_news
    back = watch(side, NOW, None)
    assert (back.problems, back.is_news) == ((), True)


def test_a_job_whose_file_has_errors_does_not_run_either(side: MemoryContext) -> None:
    (watched,) = vanished(side, files(broken=("orders",)))

    assert kinds(watched) == ["broken file"]
    assert "delete-item" not in watched.problems[0].text


def test_a_job_that_is_there_or_was_renamed_has_not_vanished(side: MemoryContext) -> None:
    assert vanished(side, files("orders")) == []
    assert vanished(side, files("renamed", targets=("us-west-2/orders",))) == []


def test_what_no_watcher_ever_saw_has_not_vanished() -> None:
    context = looking(kind_of(CopyJob))
    register_run(context.rows, "by_hand", last_run(context))
    sight(context.rows, "never_ran", NOW)

    assert vanished(context, files()) == []


def test_jobs_of_all_kinds_write_what_can_be_told_apart() -> None:
    jobs: list[Any] = [kind_of(kind) for kind in texts_apart()]

    assert {last_run(looking(job)).kind for job in jobs} == {
        *("copy", "backup", "incremental copy", "incremental backup", "restore", "drill")
    }
    assert target_of(kind_of(DrillJob)) == "proof of us-west-2/s3://dr-backups/orders"
    assert target_of(kind_of(BackupJob)) == "us-west-2/s3://dr-backups/orders"
