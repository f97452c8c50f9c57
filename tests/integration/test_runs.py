from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.errors import ContentDiffersError, RunIncompleteError, TableError
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import KeySchema, Segment, Tally
from dynamodb_copy.phases.context import DEFAULT_STATE_TABLE
from dynamodb_copy.phases.prepare import TTL_TAG
from dynamodb_copy.state.creation import ensure_state_table
from integration.pair import Hurried, Pair, copied, item_of, key_of, unseen, whole

pytestmark = pytest.mark.integration

MIRROR: dict[str, Any] = {"mirror": {"max_deletes": "20%"}}


def hash_of(number: int) -> str:
    return key_hash(key_of(number), KeySchema("id")).hex()


def test_a_missing_target_is_created_like_the_source_and_filled(pair: Pair) -> None:
    names = ("customer", "order", "status", "total")
    keys = [{"AttributeName": "customer", "KeyType": "HASH"}]
    throughput = {"ReadCapacityUnits": 12, "WriteCapacityUnits": 34}
    pair.source.create(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[*keys, {"AttributeName": "order", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by_total",
                "KeySchema": [*keys, {"AttributeName": "total", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_status",
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
            }
        ],
        BillingMode="PROVISIONED",
        ProvisionedThroughput=throughput,
        Tags=[{"Key": "team", "Value": "commerce"}],
    )
    pair.source.put(*[{name: {"S": f"{name}-{number}"} for name in names} for number in range(40)])

    run = pair.run("1")
    prepared = run.prepare()

    made, model = pair.target.description(), pair.source.description()
    assert prepared.created
    assert prepared.target_arn == made["TableArn"]
    for part in ("KeySchema", "AttributeDefinitions"):
        assert made[part] == model[part]
    assert {name: made["ProvisionedThroughput"][name] for name in throughput} == throughput
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        assert [(i["IndexName"], i["KeySchema"], i["Projection"]) for i in made[kind]] == [
            (i["IndexName"], i["KeySchema"], i["Projection"]) for i in model[kind]
        ]
    assert made["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
    assert pair.target.tags() == {"team": "commerce"}

    assert whole(run).verdict.outcome == "equal"
    assert pair.target.items() == pair.source.items()


def test_an_on_demand_source_makes_an_on_demand_target(filled: Pair) -> None:
    filled.run("1").prepare()

    assert filled.target.description()["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_ttl_is_switched_on_by_seal_once_and_its_tag_goes(filled: Pair) -> None:
    filled.source.enable_ttl("expires_at")
    run = copied(filled.run("1"))
    run.verify()
    assert filled.target.ttl() is None
    assert filled.target.tags() == {TTL_TAG: "expires_at"}

    run.seal()
    assert filled.target.ttl() == "expires_at"
    assert TTL_TAG not in filled.target.tags()

    off = {"Enabled": False, "AttributeName": "expires_at"}
    filled.target.client.update_time_to_live(TableName=filled.table, TimeToLiveSpecification=off)
    whole(filled.run("2"))
    assert filled.target.ttl() is None  # the owner's choice by now


def test_the_state_table_is_kept_safe(ministack_endpoint: str, filled: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", f"state-of-{filled.table}")
    filled.run("1").prepare()

    state = Pair(ministack_endpoint, f"state-of-{filled.table}").target
    shown = state.client.describe_continuous_backups(TableName=state.table)["ContinuousBackupsDescription"]
    assert state.ttl() == "expires_at"
    assert state.description()["DeletionProtectionEnabled"]
    assert shown["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_an_empty_source_makes_an_equal_empty_target(pair: Pair) -> None:
    pair.source.create()

    report = whole(pair.run("1"))

    assert (report.verdict.outcome, report.items, report.verdict.source_items) == ("equal", 0, 0)


@pytest.mark.parametrize(("mode", "outcome"), [("none", "not verified"), ("count", "equal"), ("content", "equal")])
def test_each_mode_of_verify_has_its_verdict(filled: Pair, mode: str, outcome: str) -> None:
    verdict = whole(filled.run("1", verify=mode)).verdict

    assert (verdict.outcome, verdict.mode) == (outcome, mode)
    assert (verdict.source_digest == verdict.target_digest != "") == (mode == "content")


def test_the_report_is_stored_on_the_targets_side_and_can_be_read_by_people(filled: Pair) -> None:
    report = whole(filled.run("1"))

    assert (report.items, sum(segment.items for segment in report.segments), len(report.segments)) == (300, 300, 2)
    assert report.write_units > 0
    assert "300 in the source, 300 in the target" in report.render()
    key = {"pk": {"S": "job#orders"}, "sk": {"S": f"report#{filled.table}/1"}}
    row = filled.target.client.get_item(TableName=DEFAULT_STATE_TABLE, Key=key)["Item"]
    assert orjson.loads(row["report"]["S"]) == report.as_dict()


def test_the_next_run_writes_into_the_jobs_own_target_again(filled: Pair) -> None:
    whole(filled.run("1"))
    filled.source.put(item_of(7, note={"S": "changed"}), item_of(300))

    report = whole(filled.run("2"))

    assert report.verdict.outcome == "equal"
    assert filled.target.items() == filled.source.items()


def test_a_run_that_comes_again_after_its_end_changes_nothing(filled: Pair) -> None:
    run = filled.run("1")
    first = whole(run)

    again = whole(filled.run("1"))

    assert (again.segments, again.verdict, again.started) == (first.segments, first.verdict, first.started)


def test_what_the_job_file_says_after_the_plan_counts_from_the_next_run(filled: Pair) -> None:
    run = filled.run("1")
    run.prepare()
    plan = run.plan()

    edited = filled.run("1", segments=200, verify="none", write={"units": 1})
    assert edited.plan() == plan
    report = whole(edited)

    assert len(report.segments) == 2
    assert report.verdict.mode == "content"


def test_two_deployments_may_use_one_run_id_for_different_tables(filled: Pair) -> None:
    whole(filled.run("1"))
    other = {"table": f"{filled.table}-2"}

    report = whole(filled.run("1", to_=other))

    assert report.target.endswith(f"{filled.table}-2")
    assert report.verdict.outcome == "equal"


def test_many_segments_of_a_small_table_are_copied_and_verified(filled: Pair) -> None:
    report = whole(filled.run("1", segments=40))

    assert (len(report.segments), report.items, report.verdict.outcome) == (40, 300, "equal")


def test_a_target_with_items_of_its_own_is_a_superset(filled: Pair) -> None:
    filled.target.create()
    filled.target.fill(range(10_000, 10_007))

    report = whole(filled.run("1", to_={"existing": "allow"}))

    assert (report.verdict.outcome, report.verdict.extra) == ("superset", 7)
    assert len(filled.target.items()) == 307


def test_a_count_says_how_many_more_or_fewer_there_are(filled: Pair) -> None:
    run = copied(filled.run("1", verify="count"))
    filled.target.fill(range(10_000, 10_003))
    assert (run.verify().outcome, run.verify().extra) == ("superset", 3)

    filled.target.delete(1, 2, 3, 4, 5)
    with pytest.raises(ContentDiffersError, match=r"differs \(2 missing\)"):
        run.verify()


def test_a_tampered_target_differs_by_exactly_the_tampered_keys(filled: Pair) -> None:
    run = copied(filled.run("1"))
    filled.target.put(item_of(5, note={"S": "tampered"}))
    filled.target.delete(6)
    filled.target.fill([10_000])

    with pytest.raises(ContentDiffersError) as caught:
        run.verify()

    for part in ("1 missing", "1 changed", hash_of(5), hash_of(6), "`repair`"):
        assert part in str(caught.value)
    assert "item-00005" not in str(caught.value)
    with pytest.raises(RunIncompleteError, match="the run's verdict is differs"):
        run.seal()


def test_a_tampered_item_in_a_target_full_of_other_items_is_found(filled: Pair) -> None:
    filled.target.create()
    filled.target.fill(range(10_000, 11_500))  # some in every bucket
    run = copied(filled.run("1", to_={"existing": "allow"}))
    filled.target.put(item_of(5, note={"S": "tampered"}))

    with pytest.raises(ContentDiffersError, match=hash_of(5)):
        run.verify()


def test_compare_names_keys_only_to_who_asks_for_them(filled: Pair) -> None:
    whole(filled.run("1"))
    filled.target.put(item_of(5, note={"S": "tampered"}))
    filled.target.fill([10_000])

    hashed = filled.run("2").compare()
    shown = filled.run("3").compare(show_keys=True)

    assert (hashed.outcome, hashed.changed, hashed.extra) == ("differs", 1, 1)
    assert set(hashed.differing) == {hash_of(5), hash_of(10_000)}
    assert set(shown.differing) == {'{"id":{"S":"item-00005"}}', '{"id":{"S":"item-10000"}}'}


def test_compare_needs_no_state_table_and_writes_nothing(filled: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", f"state-of-{filled.table}")
    filled.target.create()
    filled.target.fill(range(299))

    with filled.observed("aws_virginia", "aws_oregon") as proxy:
        verdict = filled.run("1", read={"share": 0.5}).compare()
        asked = {exchange.operation for exchange in proxy.exchanges}

    assert (verdict.outcome, verdict.missing) == ("differs", 1)
    assert asked == {"DescribeTable", "DescribeTimeToLive", "Scan"}


def test_repair_writes_only_what_differs(filled: Pair) -> None:
    whole(filled.run("1"))
    filled.target.put(item_of(5, note={"S": "tampered"}))
    filled.target.delete(6, 7)
    filled.target.fill([10_000])

    with filled.observed("aws_oregon") as proxy:
        verdict = filled.run("2").repair()
        written = sum(e.items for e in proxy.exchanges if (e.operation, e.table) == ("BatchWriteItem", filled.table))

    assert (verdict.outcome, verdict.extra, written) == ("superset", 1, 3)
    assert filled.run("3").compare().missing == filled.run("4").compare().changed == 0


def test_the_next_run_need_not_wait_for_a_repair_that_has_ended(filled: Pair) -> None:
    whole(filled.run("1"))
    filled.run("2").repair()

    clock = Hurried()
    filled.run("3", clock=clock).prepare()

    assert clock.slept == []


@pytest.mark.usefixtures("small_pages")
def test_writers_on_the_source_during_the_copy_do_not_make_it_differ(filled: Pair) -> None:
    filled.target.create()
    filled.target.fill(range(10_000, 10_300))
    run = filled.run("1", to_={"existing": "allow"}, segments=1)
    run.prepare()
    (segment,) = run.plan().segments
    written: list[int] = []

    def write(_: Segment, tally: Tally) -> None:
        number = len(written)
        written.append(tally.items)
        filled.source.put(item_of(number, note={"S": "changed"}), item_of(299 - number, note={"S": "changed"}))
        filled.source.put(item_of(20_000 + number))
        filled.source.delete(30 + number, 260 - number)

    run.copy(segment, write)
    verdict = run.verify()

    assert len(written) > 4
    assert verdict.outcome == "superset"
    assert verdict.extra >= 300


@pytest.mark.usefixtures("small_pages")
def test_a_lost_write_is_found_while_writers_change_other_items(filled: Pair) -> None:
    run = copied(filled.run("1", segments=1))
    filled.source.put(*[item_of(number, note={"S": "changed"}) for number in range(0, 300, 2)])
    filled.target.delete(5)

    with pytest.raises(ContentDiffersError, match=hash_of(5)):
        run.verify()


def test_items_whose_ttl_ends_soon_are_counted_and_not_compared(filled: Pair) -> None:
    filled.source.enable_ttl("expires_at")
    now = int(time.time())
    filled.source.put(*[item_of(number, expires_at={"N": str(now + 600)}) for number in range(5)])
    filled.source.put(item_of(5, expires_at={"N": str(now + 30 * 86_400)}))
    run = copied(filled.run("1"))
    filled.target.delete(0, 1)  # the target's TTL, and the source's
    filled.source.delete(0, 2)

    verdict = run.verify()

    assert (verdict.outcome, verdict.expiring) == ("equal", 5)
    assert (verdict.source_items, verdict.target_items) == (295, 295)


def test_a_copy_task_that_was_marked_as_success_is_found_by_all_that_follows(filled: Pair) -> None:
    run = filled.run("1", to_=MIRROR)
    run.prepare()
    run.copy(run.plan().segments[0], unseen)

    for verb in (run.mirror, run.verify, run.seal):
        with pytest.raises(RunIncompleteError, match=r"1 of 2 planned segments.*segment 2/2.*let their copy tasks run"):
            verb()


def test_a_verify_task_that_was_marked_as_success_does_not_let_seal_pass(filled: Pair) -> None:
    filled.source.enable_ttl("expires_at")
    run = copied(filled.run("1"))

    with pytest.raises(RunIncompleteError, match="was not verified; let its verify task run"):
        run.seal()

    assert filled.target.ttl() is None


def test_a_plan_task_that_was_marked_as_success_leaves_nothing_to_copy(filled: Pair) -> None:
    run = filled.run("1")
    run.prepare()

    for verb in (lambda: run.copy(Segment(0, 1), unseen), run.verify, run.seal):
        with pytest.raises(RunIncompleteError, match="nothing is planned; let the run's plan task succeed first"):
            verb()


def test_a_prepare_task_that_was_marked_as_success_does_not_let_plan_pass(filled: Pair) -> None:
    ensure_state_table(filled.target.client, DEFAULT_STATE_TABLE, Clock())
    filled.target.create()
    filled.target.fill([10_000])

    with pytest.raises(RunIncompleteError, match="let the run's prepare task succeed first"):
        filled.run("1").plan()


def test_a_target_that_was_replaced_during_the_run_is_not_written(filled: Pair) -> None:
    run = filled.run("1")
    run.prepare()
    segments = run.plan().segments
    filled.target.client.delete_table(TableName=filled.table)
    filled.target.create()

    with pytest.raises(TableError, match="dropped and created again"):
        run.copy(segments[0], unseen)

    assert filled.target.items() == []
