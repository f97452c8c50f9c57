"""Chains of backups by the stream, against an emulator: a full backup, then increments."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.chains import chain_for
from dynamodb_copy.errors import ChangesLostError, TargetRefusedError
from integration.backups import Store
from integration.changes import based, chain_run, extended, next_second, stored_changes
from integration.pair import Pair, item_of

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick_drains")]


@pytest.fixture(autouse=True)
def source(filled: Pair) -> None:
    """A simple table of 300 items."""


def chain_of(store: Store) -> tuple[str, tuple[str, ...]]:
    bucket = Bucket(store.client, store.bucket)
    chain = chain_for(bucket, store.prefix, until=None, known_root=lambda _: None)
    return chain.full.id, tuple(increment.id for increment in chain.increments)


def lines_of(store: Store, increment: str) -> list[dict[str, Any]]:
    parts = store.parts(f"{store.prefix}/AWSDynamoDB/{increment}")
    return [
        orjson.loads(line) for part in parts for line in gzip.decompress(store.read(part["dataFileS3Key"])).splitlines()
    ]


def test_the_first_run_makes_a_full_backup_and_an_increment_that_continues_it(store: Store) -> None:
    report = extended(chain_run(store, "1"))

    full, increments = chain_of(store)
    assert len(increments) == 1
    assert report.verdict.outcome == "sealed"
    assert report.up_to
    assert store.summary(f"{store.prefix}/AWSDynamoDB/{full}")["itemCount"] == 300


def test_an_increment_holds_every_version_and_every_delete(store: Store) -> None:
    extended(chain_run(store, "1"))
    for text in ("one", "two", "three"):
        store.pair.source.put(item_of(5, note={"S": text}))
    store.pair.source.delete(6)

    extended(chain_run(store, "2"))

    _, increments = chain_of(store)
    lines = lines_of(store, increments[-1])
    assert len(increments) == 2
    notes = [line["NewImage"]["note"]["S"] for line in lines if "NewImage" in line]
    assert notes == ["one", "two", "three"]
    (deleted,) = [line for line in lines if "NewImage" not in line]
    assert deleted["Keys"] == {"id": {"S": "item-00006"}}
    assert deleted["OldImage"]["id"] == {"S": "item-00006"}


def test_a_run_without_changes_moves_the_chain_on(store: Store) -> None:
    extended(chain_run(store, "1"))

    extended(chain_run(store, "2"))

    assert len(chain_of(store)[1]) == 2


def test_what_a_dead_run_stored_in_part_is_deleted_and_read_again(store: Store) -> None:
    extended(chain_run(store, "1"))
    store.pair.source.fill(range(2000, 2050))
    dead = chain_run(store, "2")
    based(dead)
    dead.hand_over()
    store.pair.source.fill(range(3000, 3010))

    report = extended(chain_run(store, "3"))

    assert report.items == 60
    assert len(chain_of(store)[1]) == 2


def test_what_a_dead_run_had_stored_to_its_end_is_sealed_by_the_next(store: Store) -> None:
    extended(chain_run(store, "1"))
    store.pair.source.fill(range(2000, 2050))
    stored_changes(chain_run(store, "2"))
    store.pair.source.fill(range(3000, 3010))

    report = extended(chain_run(store, "3"))

    assert report.items == 10
    assert len(chain_of(store)[1]) == 3


def test_sealing_twice_writes_the_same_and_the_chain_goes_on(store: Store) -> None:
    first = chain_run(store, "1")
    extended(first)
    before = {key: store.read(key) for key in store.all_keys()}

    first.seal()

    assert {key: store.read(key) for key in store.all_keys()} == before
    extended(chain_run(store, "2"))
    assert len(chain_of(store)[1]) == 2


def test_a_new_full_backup_does_not_interrupt_the_increments(store: Store) -> None:
    extended(chain_run(store, "1", full_every="1s"))
    first_full, before = chain_of(store)
    store.pair.source.fill(range(2000, 2010))
    next_second()
    next_second()

    extended(chain_run(store, "2", full_every="1s"))

    full, increments = chain_of(store)
    assert full != first_full
    assert len(increments) == 1
    assert increments[0] not in before
    details = orjson.loads(store.read(f"{store.prefix}/AWSDynamoDB/{increments[0]}/backup.json"))
    assert details["previous"] == before[-1]


def test_a_chain_that_is_no_longer_kept_goes_with_its_increments_and_their_parts(store: Store) -> None:
    job: dict[str, Any] = {"full_every": "1s", "keep": {"full": 1}}
    extended(chain_run(store, "1", **job))
    store.pair.source.fill(range(2000, 2010))
    extended(chain_run(store, "2"))
    old_full, old = chain_of(store)
    next_second()
    next_second()
    store.pair.source.fill(range(3000, 3010))
    last = chain_run(store, "3", **job)
    extended(last)

    gone = last.expire()

    full, increments = chain_of(store)
    assert {address.rpartition("/")[2] for address in gone} == {old_full, *old}
    assert len(increments) == 1
    assert {key.split("/")[3][:23] for key in store.all_keys()} <= {"data", full, *increments}
    parts = store.all_keys(f"{store.prefix}/AWSDynamoDB/data/")
    assert parts
    assert all(key.rpartition("/")[2].startswith(increments[0]) for key in parts)


def test_what_was_stored_before_the_source_went_dark_is_sealed_and_can_be_restored(store: Store) -> None:
    extended(chain_run(store, "1"))
    store.pair.source.put(item_of(5, note={"S": "the last word"}))
    stored_changes(chain_run(store, "2"))

    with store.pair.observed("aws_virginia") as proxy, proxy.refusing_connections():
        chain_run(store, "2").seal()

    _, increments = chain_of(store)
    (line,) = lines_of(store, increments[-1])
    assert line["NewImage"]["note"] == {"S": "the last word"}


def test_a_prefix_of_another_tables_backups_is_refused(store: Store) -> None:
    extended(chain_run(store, "1"))
    store.pair.source.client.create_table(
        TableName="another",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with pytest.raises(TargetRefusedError, match="holds backups of"):
        chain_run(store, "2", from_={"table": "another"}).prepare()

    store.pair.source.client.delete_table(TableName="another")


def test_a_gap_stops_the_job_and_on_gap_full_begins_a_new_chain(store: Store) -> None:
    extended(chain_run(store, "1"))
    update = store.pair.source.client.update_table
    update(TableName=store.pair.table, StreamSpecification={"StreamEnabled": False})
    images = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    update(TableName=store.pair.table, StreamSpecification=images)

    with pytest.raises(ChangesLostError, match="stays restorable"):
        chain_run(store, "2").prepare()
    extended(chain_run(store, "3", changes={"by": "stream", "enable": True, "on_gap": "full"}))

    assert len(chain_of(store)[1]) == 1
