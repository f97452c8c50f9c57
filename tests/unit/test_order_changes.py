from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from stack import seed
from stack.order_changes import FIRST, SECOND, ChangeSet, change, count_orders

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_800_000_000
FEW = ChangeSet(updated=range(8), deleted=range(55, 60), added=range(60, 63))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    monkeypatch.setattr(seed, "ORDERS_COUNT", 60)
    monkeypatch.setattr(seed, "SESSIONS_COUNT", 0)
    with mock_aws():
        client = boto3.client("dynamodb", region_name=seed.REGION)
        seed.seed(client, now_seconds=NOW)
        yield client


def held_by(client: DynamoDBClient) -> dict[int, dict[str, Any]]:
    """The orders by their place."""
    items = client.scan(TableName="orders")["Items"]
    return {int(item["order_id"]["N"]) - 100_000: dict(item) for item in items}


def test_a_set_updates_deletes_and_adds_what_it_says_and_leaves_all_others(client: DynamoDBClient) -> None:
    before = held_by(client)

    change(client, FEW, now_seconds=NOW)

    after = held_by(client)
    assert set(after) == {*range(55), *range(60, 63)}
    assert [place for place in range(55) if after[place] != before[place]] == list(FEW.updated)
    assert list(islice(seed.endless_orders(NOW), 60, 63)) == [after[place] for place in FEW.added]


def test_an_update_changes_an_order_however_often_it_is_made(client: DynamoDBClient) -> None:
    change(client, FEW, now_seconds=NOW)
    once = held_by(client)

    change(client, ChangeSet(updated=range(8), deleted=range(0), added=range(0)), now_seconds=NOW)

    assert all(held_by(client)[place] != once[place] for place in FEW.updated)


def test_the_orders_are_counted_as_they_are_now(client: DynamoDBClient) -> None:
    change(client, FEW, now_seconds=NOW)

    assert count_orders(client) == 60 - 5 + 3
    assert FEW.count == 8 + 5 + 3


def test_the_second_set_changes_what_the_first_did_so_that_no_two_states_have_the_same_count() -> None:
    begin = set(range(seed.ORDERS_COUNT))
    between = begin - {*FIRST.deleted} | {*FIRST.added}
    end = between - {*SECOND.deleted} | {*SECOND.added}

    assert len({len(begin), len(between), len(end)}) == 3
    assert {*FIRST.updated} & {*SECOND.updated}
    assert {*FIRST.added} & {*SECOND.deleted}
    assert {*FIRST.deleted} & {*SECOND.added}


@pytest.mark.parametrize(
    ("changes", "before"), [(FIRST, range(12_000)), (SECOND, [*range(11_850), *range(12_000, 12_100)])]
)
def test_each_change_of_a_set_is_of_an_order_of_its_own_that_can_be_changed_so(
    changes: ChangeSet, before: list[int]
) -> None:
    there = set(before)

    assert len({*changes.updated, *changes.deleted, *changes.added}) == changes.count
    assert there >= {*changes.updated, *changes.deleted}
    assert there.isdisjoint(changes.added)
