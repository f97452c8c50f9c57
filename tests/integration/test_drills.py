"""Drills: a rehearsed restore is proven or it is not, and nothing but its own scratch table is ever dropped."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import orjson
import pytest

from dynamodb_copy.assembly import DrillRun, require_recovered
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.errors import (
    BackupRefusedError,
    ContentDiffersError,
    DrillFailedError,
    TableError,
    TargetRefusedError,
)
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import KeySchema
from dynamodb_copy.phases.context import DEFAULT_STATE_TABLE
from dynamodb_copy.phases.scratch import SCRATCH_TAG
from integration.backups import Store, at, contents, loaded, rehearsed, whole_backup, whole_drill
from integration.killing import KilledError, Process, living
from integration.pair import Hurried, Pair, Side, item_of, key_of, unseen
from integration.table_names import table_names

pytestmark = pytest.mark.integration

T = TypeVar("T")
DAY_SECONDS = 24 * 3600


def objectives(**changes: str) -> dict[str, str]:
    return {"rto": "30m", "rpo": "24h", "max_bytes": "1GB", **changes}


def scratches(store: Store) -> list[Side]:
    """The scratch tables of the test's own table."""
    names = table_names(store.pair.target.client)
    start = f"{store.pair.table}-drill-"
    return [Side(store.pair.endpoint, "us-west-2", name) for name in names if name.startswith(start)]


def scratch_of(store: Store) -> Side:
    (found,) = scratches(store)
    return found


def at_report(run: DrillRun, triggered: datetime | None = None) -> DrillReport:
    return run.report(triggered or datetime.now(UTC))


def test_a_drill_restores_proves_measures_and_leaves_nothing(backed_up: Store) -> None:
    triggered = datetime.now(UTC)

    report = whole_drill(backed_up.drill(), triggered)

    (folder,) = backed_up.folders()
    assert (report.recovered, report.problems) == (True, ())
    assert (report.manifest_items, report.read_items, report.scratch_items) == (300, 300, 300)
    assert report.backup_digest == report.scratch_digest != ""
    assert report.backup == f"s3://{backed_up.bucket}/{folder}"
    assert report.table == backed_up.pair.source.description()["TableArn"]
    assert 0 < (report.rto_seconds or 0) < 60
    assert report.rpo_seconds == (triggered - datetime.fromisoformat(report.consistent)).total_seconds()
    assert list(report.phases) == ["choose", "create", "wait", "plan", "restore", "check rows", "check content"]
    assert report.source_now.startswith("about 300 items now")
    assert scratches(backed_up) == []
    require_recovered(report)


def test_the_report_is_kept_in_the_state_table_and_beside_the_backup_and_can_be_read(backed_up: Store) -> None:
    report = whole_drill(backed_up.drill())

    (folder,) = backed_up.folders()
    (beside,) = backed_up.all_keys(f"{folder}/drills/")
    key = {"pk": {"S": "job#orders"}, "sk": {"S": f"report#{backed_up.pair.table}/drill"}}
    row = backed_up.pair.target.client.get_item(TableName=DEFAULT_STATE_TABLE, Key=key)["Item"]
    assert orjson.loads(backed_up.read(beside)) == orjson.loads(row["report"]["S"]) == report.as_dict()
    for line in ("orders: drill recovered", "RTO", "objective 0:30:00", "300 in the manifest", "300 read from S3"):
        assert line in report.render()
    assert whole_drill(backed_up.drill("next")).recovered  # what lies beside it does not disturb the backup


def test_a_scratch_table_is_marked_from_its_creation_and_has_neither_ttl_nor_the_tables_tags(
    filled: Pair, store: Store
) -> None:
    filled.source.enable_ttl("expires_at")
    arn = filled.source.description()["TableArn"]
    filled.source.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "commerce"}])
    whole_backup(store.backup())
    run = rehearsed(store.drill())

    scratch = scratch_of(store)
    run.check_content()
    at_report(run)
    assert scratch.tags() == {SCRATCH_TAG: f"{filled.table}/drill"}
    assert scratch.ttl() is None
    assert contents(scratch) == contents(filled.source)


def test_an_item_that_was_lost_from_the_scratch_table_fails_the_count(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    scratch_of(backed_up).delete(7)

    with pytest.raises(ContentDiffersError, match="299 items are there, 300 were read from S3; the restore lost"):
        run.check_rows()

    report = at_report(run)
    assert (report.recovered, report.read_items, report.scratch_items) == (False, 300, 299)
    assert report.problems == (
        "the counts of rows differ",
        "the content was not compared: the restore did not come that far",
    )


def test_an_item_that_was_changed_in_the_scratch_table_fails_the_content_by_its_key_hash(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    scratch_of(backed_up).put(item_of(7, note={"S": "changed"}))
    run.check_rows()

    with pytest.raises(ContentDiffersError) as caught:
        run.check_content()

    report = at_report(run)
    assert key_hash(key_of(7), KeySchema("id")).hex() in str(caught.value)
    assert "item-00007" not in str(caught.value)
    assert report.problems == ("the content is not the backup's: differs (1 changed)",)
    assert (report.rto_seconds, report.scratch_digest != report.backup_digest) == (None, True)
    with pytest.raises(DrillFailedError, match=r"orders: the content is not the backup's"):
        require_recovered(report)


def test_an_item_that_was_added_to_the_scratch_table_fails_both_checks(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    scratch_of(backed_up).fill([300])

    with pytest.raises(ContentDiffersError, match="301 items are there, 300 were read"):
        run.check_rows()
    with pytest.raises(ContentDiffersError, match=r"is not what the backup holds: superset \(1 extra\)"):
        run.check_content()

    assert len(at_report(run).problems) == 2


def test_a_drill_that_did_not_come_far_says_so(backed_up: Store) -> None:
    run = backed_up.drill()
    run.choose()

    report = at_report(run)

    assert report.problems == (
        "the rows were not counted: the restore did not come that far",
        "the content was not compared: the restore did not come that far",
    )
    assert (report.rto_seconds, report.read_items, list(report.phases)) == (None, None, ["choose"])
    assert "not reached" in report.render()


def test_a_damaged_part_fails_the_drill_and_its_report_is_made(backed_up: Store) -> None:
    run = backed_up.drill(segments=1)
    run.choose()
    run.create()
    (segment,) = run.plan().segments
    (folder,) = backed_up.folders()
    part = backed_up.parts(folder)[0]["dataFileS3Key"]
    backed_up.write(part, backed_up.read(part)[::-1])

    with pytest.raises(BackupRefusedError, match=part):
        run.copy(segment, unseen)

    assert not at_report(run).recovered
    assert run.drop()


def test_missed_objectives_are_problems_of_a_drill_that_is_right_otherwise(backed_up: Store) -> None:
    triggered = datetime.now(UTC) + timedelta(hours=2)
    run = rehearsed(at(triggered.timestamp() + 90, backed_up.drill(drill=objectives(rto="1m", rpo="1h"))))
    run.check_rows()
    run.check_content()

    report = at_report(run, triggered)

    rto, rpo = report.problems
    assert rto == "RTO missed: 90 s, objective 60 s"
    assert report.rto_seconds == pytest.approx(90, abs=1)
    assert rpo.startswith("RPO missed: 7,")
    assert rpo.endswith(" s, objective 3,600 s")
    assert report.scratch_digest == report.backup_digest


def test_a_moment_in_the_past_is_what_the_age_is_measured_to(backed_up: Store) -> None:
    run = backed_up.drill(drill=objectives(rpo="1m"))
    consistent = datetime.fromisoformat(run.choose(datetime.now(UTC)).consistent)

    report = whole_drill(run, consistent + timedelta(hours=5))

    assert report.rpo_seconds < 60
    assert report.recovered


def test_a_scratch_table_whose_tag_names_another_run_is_not_dropped(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    scratch = scratch_of(backed_up)
    arn = scratch.description()["TableArn"]
    scratch.client.tag_resource(ResourceArn=arn, Tags=[{"Key": SCRATCH_TAG, "Value": "another/run"}])

    with pytest.raises(TargetRefusedError, match=r"is not dropped: its tag .* does not name this run.*drop it by hand"):
        run.drop()

    assert scratch.exists()


def test_another_table_under_the_scratch_tables_name_is_not_dropped(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    scratch = scratch_of(backed_up)
    tags = [{"Key": key, "Value": value} for key, value in scratch.tags().items()]
    scratch.client.delete_table(TableName=scratch.table)
    scratch.create(Tags=tags)

    with pytest.raises(TargetRefusedError, match="it is another table than the one that was created"):
        run.drop()

    assert scratch.exists()


def test_a_scratch_table_under_deletion_protection_is_not_dropped(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    scratch = scratch_of(backed_up)
    scratch.client.update_table(TableName=scratch.table, DeletionProtectionEnabled=True)

    with pytest.raises(TargetRefusedError, match="deletion protection is on"):
        run.drop()

    assert scratch.exists()


def test_a_table_that_is_no_scratch_table_is_never_made_one(backed_up: Store) -> None:
    """It has the name already."""
    run = backed_up.drill()
    run.choose()
    run.create()
    name = scratch_of(backed_up).table
    run.drop()
    other = Side(backed_up.pair.endpoint, "us-west-2", name)
    other.create()
    other.fill([10_000])

    again = backed_up.drill()
    with pytest.raises(TargetRefusedError, match="holds items"):
        again.create()
    with pytest.raises(TargetRefusedError, match="is not dropped"):
        again.drop()

    assert len(other.items()) == 1


def test_a_kept_scratch_table_is_a_table_like_any_other(backed_up: Store) -> None:
    run = rehearsed(backed_up.drill())
    at_report(run)

    name = run.keep()

    scratch = scratch_of(backed_up)
    assert (scratch.table, scratch.tags()) == (name, {})
    with pytest.raises(TargetRefusedError, match="does not name this run"):
        run.drop()
    told = at(time.time() + 30 * DAY_SECONDS, backed_up.drill("later")).drop_leftovers()
    assert left_by(backed_up, told) == []
    assert len(scratch.items()) == 300


def left_by(store: Store, told: list[str]) -> list[str]:
    """What was told of the test's own tables."""
    return [line for line in told if store.pair.table in line]


def test_what_a_dead_run_left_behind_is_dropped_after_a_day_and_not_before(backed_up: Store) -> None:
    rehearsed(backed_up.drill("dead"))
    arn = scratch_of(backed_up).description()["TableArn"]

    early = at(time.time() + DAY_SECONDS - 60, backed_up.drill("next day")).drop_leftovers()
    assert left_by(backed_up, early) == []
    assert len(scratches(backed_up)) == 1

    late = at(time.time() + DAY_SECONDS + 60, backed_up.drill("next day")).drop_leftovers()
    assert left_by(backed_up, late) == [f"{arn}, left behind by {backed_up.pair.table}/dead, was dropped"]
    assert scratches(backed_up) == []


def test_leftovers_under_a_guard_stay_and_are_told_of(backed_up: Store) -> None:
    rehearsed(backed_up.drill("protected"))
    protected = scratch_of(backed_up)
    protected.client.update_table(TableName=protected.table, DeletionProtectionEnabled=True)
    tags = [{"Key": SCRATCH_TAG, "Value": "somebody's"}]
    Side(backed_up.pair.endpoint, "us-west-2", f"{backed_up.pair.table}-drill-0123456789ab").create(Tags=tags)

    told = at(time.time() + 2 * DAY_SECONDS, backed_up.drill()).drop_leftovers()

    unclaimed, guarded = sorted(left_by(backed_up, told))
    assert "looks like a drill's leftover and stays: no run claims it" in unclaimed
    assert "looks like a drill's leftover and stays: deletion protection is on" in guarded
    assert len(scratches(backed_up)) == 2


def test_verbs_that_are_called_again_give_the_same_report(backed_up: Store) -> None:
    triggered = datetime.now(UTC)
    run = rehearsed(backed_up.drill())
    first_rows, first_verdict, first = run.check_rows(), run.check_content(), run.report(triggered)

    again = rehearsed(at(time.time() + 3600, backed_up.drill()))
    rows, verdict, report = again.check_rows(), again.check_content(), again.report(triggered)

    assert (rows, verdict) == (first_rows, first_verdict)
    assert report.rto_seconds == first.rto_seconds
    assert report.problems == first.problems == ()
    (folder,) = backed_up.folders()
    assert len(backed_up.all_keys(f"{folder}/drills/")) == 1
    assert [again.drop(), again.drop()] == [True, False]
    assert run.report(triggered).rto_seconds == first.rto_seconds


def test_a_drill_that_comes_again_after_its_table_was_dropped_makes_none(backed_up: Store) -> None:
    triggered = datetime.now(UTC)
    first = whole_drill(backed_up.drill(), triggered)

    run = backed_up.drill()
    run.choose()
    with pytest.raises(TableError, match="was dropped since this run was planned; start a new run"):
        run.create()

    assert scratches(backed_up) == []
    assert run.report(triggered) == first
    assert not run.drop()


def test_a_drill_and_a_restore_at_once_do_not_disturb_each_other(backed_up: Store) -> None:
    pair = backed_up.pair
    drill = rehearsed(backed_up.drill())
    restore = loaded(backed_up.restore())
    other = rehearsed(backed_up.drill("other"))

    verdicts = [restore.verify(), drill.check_content(), other.check_content()]
    assert [drill.check_rows().scratch, other.check_rows().scratch] == [300, 300]
    assert [verdict.outcome for verdict in verdicts] == ["equal"] * 3
    assert at_report(drill).recovered
    assert drill.drop()
    assert restore.seal().verdict.outcome == "equal"
    assert len(scratches(backed_up)) == 1
    assert contents(pair.target) == contents(pair.source)
    assert other.drop()


def test_two_attempts_at_once_of_a_drills_first_tasks_make_one_table(backed_up: Store) -> None:
    backed_up.drill().choose()

    with ThreadPoolExecutor(3) as tasks:
        made = list(tasks.map(lambda _: backed_up.drill().create(), range(3)))

    assert len({each.target_arn for each in made}) == 1
    assert whole_drill(backed_up.drill()).recovered


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # of the thread that was killed, too
def test_a_drill_that_is_killed_at_each_of_its_requests_proves_the_same_and_leaves_nothing(
    backed_up: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = partial(backed_up.drill, clock=Hurried(), segments=1)
    kills = []

    def to_its_end(verb: Callable[[DrillRun], T]) -> T:
        for dies_at in range(1, 200):
            try:
                with living(Process(dies_at, after_sending=True), backed_up.pair.endpoint, monkeypatch):
                    return verb(opened())
            except KilledError:
                kills.append(dies_at)
        raise AssertionError("killed 200 times")

    opened().choose()
    to_its_end(DrillRun.create)
    opened().copy(opened().plan().segments[0], unseen)
    opened().check_rows()
    opened().check_content()
    report = to_its_end(lambda run: run.report(datetime.now(UTC)))
    to_its_end(DrillRun.drop)

    assert len(kills) > 30
    assert report.recovered
    assert scratches(backed_up) == []
