"""Backups and their restores: what comes back is what was there, item by item."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbitrary_items import items, meaning
from contract.example_items import EVERY_TYPE, key_of_number
from dynamodb_copy.errors import RunIncompleteError, TableError
from dynamodb_copy.model import Item, KeySchema
from dynamodb_copy.phases.context import DEFAULT_STATE_TABLE
from dynamodb_copy.phases.prepare import TTL_TAG
from dynamodb_copy.phases.restoring import TAGS_TAG
from integration.backups import Store, contents, loaded, on_wire, whole_backup, whole_restore
from integration.pair import Pair, item_of, unseen

pytestmark = pytest.mark.integration

ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
PROVISIONED = {
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": {"ReadCapacityUnits": 12, "WriteCapacityUnits": 34},
}
NAMES = ("customer", "order", "status", "total")
CUSTOMER = {"AttributeName": "customer", "KeyType": "HASH"}
BY_TOTAL = {
    "IndexName": "by_total",
    "KeySchema": [CUSTOMER, {"AttributeName": "total", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
}
BY_STATUS = {
    "IndexName": "by_status",
    "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}


def create_furnished(pair: Pair, billing: dict[str, Any]) -> None:
    """A source of 40 items with indexes, TTL and tags."""
    units = {name: value for name, value in billing.items() if name == "ProvisionedThroughput"}
    pair.source.create(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in NAMES],
        KeySchema=[CUSTOMER, {"AttributeName": "order", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[BY_TOTAL],
        GlobalSecondaryIndexes=[BY_STATUS | units],
        Tags=[{"Key": "team", "Value": "commerce"}],
        **billing,
    )
    pair.source.enable_ttl("expires_at")
    pair.source.put(*[{name: {"S": f"{name}-{number}"} for name in NAMES} for number in range(40)])


def shape_of(description: dict[str, Any]) -> dict[str, Any]:
    """What a table is made by, of its description."""
    indexes = [*description.get("LocalSecondaryIndexes", []), *description.get("GlobalSecondaryIndexes", [])]
    return {
        "keys": (description["KeySchema"], description["AttributeDefinitions"]),
        "billing": description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "units": units_of(description),
        "indexes": {i["IndexName"]: (i["KeySchema"], i["Projection"], units_of(i)) for i in indexes},
    }


def units_of(described: dict[str, Any]) -> tuple[int, ...]:
    units = described.get("ProvisionedThroughput", {})
    return tuple(units.get(f"{kind}CapacityUnits", 0) for kind in ("Read", "Write"))


def test_a_table_of_every_type_and_size_comes_back_item_by_item(pair: Pair, store: Store) -> None:
    pair.source.create()
    on_wire(pair.source).put(EVERY_TYPE)
    pair.source.put(item_of(1, note={"S": "x" * 390_000}), item_of(2))

    backup = whole_backup(store.backup())
    report = whole_restore(store.restore())

    assert (report.verdict.outcome, report.items) == ("equal", len(EVERY_TYPE) + 2)
    assert report.verdict.target_digest == backup.verdict.source_digest
    assert contents(pair.target) == contents(pair.source)
    assert len(pair.target.items()) == len(EVERY_TYPE) + 2


@pytest.mark.parametrize("billing", [ON_DEMAND, PROVISIONED], ids=["on demand", "provisioned"])
def test_a_lost_table_is_made_again_as_it_was(pair: Pair, store: Store, billing: dict[str, Any]) -> None:
    create_furnished(pair, billing)
    shape, held = shape_of(pair.source.description()), contents(pair.source)
    whole_backup(store.backup())
    pair.source.client.delete_table(TableName=pair.table)

    report = whole_restore(store.restore())

    assert report.verdict.outcome == "equal"
    assert shape_of(pair.target.description()) == shape
    assert contents(pair.target) == held


def test_a_restored_table_gets_its_ttl_and_tags_when_it_was_verified(pair: Pair, store: Store) -> None:
    create_furnished(pair, ON_DEMAND)
    whole_backup(store.backup())

    run = loaded(store.restore())
    run.verify()
    assert pair.target.ttl() is None
    assert pair.target.tags().keys() == {TTL_TAG, TAGS_TAG}

    run.seal()
    assert pair.target.ttl() == "expires_at"
    assert pair.target.tags() == {"team": "commerce"}


def test_a_restore_that_was_not_verified_is_not_sealed(pair: Pair, store: Store) -> None:
    create_furnished(pair, ON_DEMAND)
    whole_backup(store.backup())
    run = loaded(store.restore())

    with pytest.raises(RunIncompleteError, match="was not verified; let its verify task run"):
        run.seal()

    assert (pair.target.ttl(), "team" in pair.target.tags()) == (None, False)


def test_what_ttl_has_not_removed_yet_is_backed_up_and_comes_back(pair: Pair, store: Store) -> None:
    pair.source.create()
    pair.source.enable_ttl("expires_at")
    now = int(time.time())
    pair.source.put(*[item_of(n, expires_at={"N": str(now + 60 * n)}) for n in range(1, 10)])

    backup = whole_backup(store.backup())
    report = whole_restore(store.restore())

    assert (backup.items, report.verdict.outcome, report.verdict.expiring) == (9, "equal", 0)
    assert contents(pair.target) == contents(pair.source)


def test_an_empty_table_is_a_backup_without_parts_and_comes_back_empty(pair: Pair, store: Store) -> None:
    pair.source.create()

    whole_backup(store.backup())
    report = whole_restore(store.restore())

    (folder,) = store.folders()
    assert (store.summary(folder)["itemCount"], store.parts(folder)) == (0, [])
    assert store.all_keys(f"{folder}/data/") == []
    assert (report.verdict.outcome, report.items, pair.target.items()) == ("equal", 0, [])


@pytest.mark.parametrize("kinds", ["S", "N", "B", "SN", "NB", "BS"])
def test_keys_of_each_type_come_back(pair: Pair, store: Store, kinds: str) -> None:
    types = dict(zip(("id", "order"), kinds, strict=False))
    pair.source.create(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        KeySchema=[
            {"AttributeName": name, "KeyType": role} for name, role in zip(types, ("HASH", "RANGE"), strict=False)
        ],
    )
    on_wire(pair.source).put([key_of_number(number, KeySchema(*types), types) for number in range(12)])

    whole_backup(store.backup())
    report = whole_restore(store.restore())

    assert (report.verdict.outcome, report.items) == ("equal", 12)
    assert contents(pair.target) == contents(pair.source)


@pytest.mark.usefixtures("small_pages")
def test_more_segments_than_parts_and_fewer_come_to_the_same(filled: Pair, store: Store) -> None:
    whole_backup(store.backup(segments=5))

    for segments in (1, 7):
        into = {"table": f"{filled.table}-{segments}"}
        report = whole_restore(store.restore(f"into {segments}", to_=into, segments=segments))
        assert (len(report.segments), report.items, report.verdict.outcome) == (segments, 300, "equal")


def test_a_bucket_without_a_prefix_is_a_place_too(filled: Pair, store: Store) -> None:
    whole = Store(filled, store.bucket, prefix="")

    whole_backup(whole.backup())
    report = whole_restore(whole.restore())

    (folder,) = whole.folders()
    assert folder.startswith("AWSDynamoDB/")
    assert whole.summary(folder)["s3Prefix"] is None
    assert report.verdict.outcome == "equal"


def test_verbs_that_are_called_again_after_each_step_change_nothing(filled: Pair, store: Store) -> None:
    filled.source.enable_ttl("expires_at")
    run = store.backup()
    assert run.prepare() == run.prepare()
    plan = run.plan()
    assert store.backup(segments=200, read={"units": 1}).plan() == plan
    assert [run.copy(segment, unseen) for segment in plan.segments] == [
        store.backup().copy(segment, unseen) for segment in plan.segments
    ]
    run.seal()
    (folder,) = store.folders()
    sealed = store.contents(folder)
    assert run.seal().segments == store.backup().seal().segments
    assert store.contents(folder) == sealed

    restore = store.restore()
    assert restore.choose() == store.restore().choose()
    assert (restore.prepare().created, store.restore().prepare().created) == (True, False)
    segments = restore.plan().segments
    assert restore.plan() == store.restore(segments=200).plan()
    assert [restore.copy(s, unseen) for s in segments] == [store.restore().copy(s, unseen) for s in segments]
    assert restore.verify() == restore.verify()
    assert restore.seal().verdict == store.restore().seal().verdict
    assert contents(filled.target) == contents(filled.source)
    assert (filled.target.ttl(), filled.target.tags()) == ("expires_at", {})


def test_a_backup_whose_run_comes_again_after_its_end_stays_as_it_was_sealed(filled: Pair, store: Store) -> None:
    first = whole_backup(store.backup())
    (folder,) = store.folders()
    sealed = store.contents(folder)
    filled.source.enable_ttl("expires_at")
    filled.source.fill([300])

    run = store.backup()
    run.prepare()
    assert store.contents(folder) == sealed  # a run that gets no further leaves it whole

    again = whole_backup(run)
    assert store.contents(folder) == sealed
    assert (again.segments, again.verdict) == (first.segments, first.verdict)
    assert whole_restore(store.restore()).items == 300


def test_a_restore_whose_run_comes_again_after_its_end_changes_nothing(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())
    first = whole_restore(store.restore())
    filled.target.put(item_of(7, note={"S": "of its new life"}))
    filled.source.fill([300])
    whole_backup(store.backup("newer"))

    run = loaded(store.restore())

    assert run.choose().items == first.items == 300
    assert item_of(7, note={"S": "of its new life"})["note"] in [item["note"] for item in filled.target.items()]


def test_the_reports_are_stored_and_can_be_read_by_people(filled: Pair, store: Store) -> None:
    backup = whole_backup(store.backup())
    restore = whole_restore(store.restore())

    (folder,) = store.folders()
    assert (backup.verdict.outcome, backup.items, backup.target) == ("sealed", 300, store.place["s3"])
    assert f"backup s3://{store.bucket}/{folder}" in backup.render()
    assert restore.source == f"s3://{store.bucket}/{folder}"
    assert "300 in the source, 300 in the target" in restore.render()
    for run_id, report in (("backup", backup), ("restore", restore)):
        key = {"pk": {"S": "job#orders"}, "sk": {"S": f"report#{filled.table}/{run_id}"}}
        row = filled.target.client.get_item(TableName=DEFAULT_STATE_TABLE, Key=key)["Item"]
        assert orjson.loads(row["report"]["S"]) == report.as_dict()


@pytest.mark.usefixtures("filled")
def test_all_objects_of_a_backup_are_encrypted_with_the_jobs_key(store: Store) -> None:
    whole_backup(store.backup(to_={"kms_key": "alias/backups"}))

    (folder,) = store.folders()
    heads = [store.client.head_object(Bucket=store.bucket, Key=key) for key in store.all_keys()]
    assert len(heads) == 10
    assert {(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads} == {("aws:kms", "alias/backups")}
    summary = store.summary(folder)
    assert (summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == ("KMS", "alias/backups")


_numbers = count()


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(held=st.lists(items(), max_size=12, unique_by=lambda item: item["id"]["S"]))
def test_any_small_table_comes_back(ministack_endpoint: str, store: Store, held: list[Item]) -> None:
    pair = Pair(ministack_endpoint, f"{store.pair.table}-{next(_numbers)}")
    mine = Store(pair, store.bucket, prefix=pair.table)
    pair.source.create()
    on_wire(pair.source).put(held)

    whole_backup(mine.backup())
    report = whole_restore(mine.restore())

    assert (report.verdict.outcome, report.items) == ("equal", len(held))
    assert contents(pair.target) == {meaning(item) for item in held}


def test_a_prepare_task_that_was_marked_as_success_does_not_let_a_backup_be_planned(filled: Pair, store: Store) -> None:
    whole_backup(Store(filled, store.bucket, "elsewhere").backup())  # there is a state table

    with pytest.raises(RunIncompleteError, match="let the run's prepare task succeed first"):
        store.backup().plan()

    assert store.folders() == []


def test_a_prepare_task_that_was_marked_as_success_does_not_let_a_restore_be_planned(
    filled: Pair, store: Store
) -> None:
    whole_backup(store.backup())
    filled.target.create()
    filled.target.fill([10_000])
    run = store.restore()
    run.choose()

    with pytest.raises(RunIncompleteError, match="let the run's prepare task succeed first"):
        run.plan()


def test_a_restored_table_that_was_dropped_does_not_come_back_when_its_run_does(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())
    whole_restore(store.restore())
    filled.target.client.delete_table(TableName=filled.table)

    with pytest.raises(TableError, match="was dropped since this run was planned; start a new run"):
        store.restore().prepare()

    assert not filled.target.exists()
