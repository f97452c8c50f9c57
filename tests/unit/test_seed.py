from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from stack import seed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_800_000_000


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    monkeypatch.setattr(seed, "ORDERS_COUNT", 60)
    monkeypatch.setattr(seed, "SESSIONS_COUNT", 40)
    with mock_aws():
        yield boto3.client("dynamodb", region_name=seed.REGION)


def types_in(value: dict[str, Any]) -> Iterator[str]:
    ((kind, content),) = value.items()
    yield kind
    for inner in content if kind == "L" else content.values() if kind == "M" else ():
        yield from types_in(inner)


def test_seeding_twice_leaves_the_same_tables_as_seeding_once(client: DynamoDBClient) -> None:
    first = seed.seed(client, now_seconds=NOW)
    held = client.scan(TableName="orders")["Items"]

    second = seed.seed(client, now_seconds=NOW)

    assert first == second == {"orders": 60, "sessions": 40}
    assert client.scan(TableName="orders")["Items"] == held
    assert client.describe_table(TableName="sessions")["Table"]["ItemCount"] == 40


def test_orders_is_provisioned_with_both_kinds_of_index_and_ttl_and_tags(client: DynamoDBClient) -> None:
    seed.seed(client, now_seconds=NOW)

    table = client.describe_table(TableName="orders")["Table"]
    ttl = client.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    tags = client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]

    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] > 0
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by_status"]
    assert [index["IndexName"] for index in table["LocalSecondaryIndexes"]] == ["by_total"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert {"Key": "team", "Value": "commerce"} in tags


def test_sessions_is_on_demand_with_a_binary_key(client: DynamoDBClient) -> None:
    seed.seed(client, now_seconds=NOW)

    table = client.describe_table(TableName="sessions")["Table"]

    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["AttributeDefinitions"] == [{"AttributeName": "session_id", "AttributeType": "B"}]


def test_the_items_are_the_same_every_time_and_20000_in_all() -> None:
    orders, sessions = list(seed.orders(NOW)), list(seed.sessions())

    assert list(seed.orders(NOW)) == orders
    assert list(seed.sessions()) == sessions
    assert len({(order["customer_id"]["S"], order["order_id"]["N"]) for order in orders}) == 12_000
    assert len({session["session_id"]["B"] for session in sessions}) == 8_000


def test_the_sessions_hold_every_attribute_type_between_them() -> None:
    kinds = {kind for session in seed.sessions() for value in session.values() for kind in types_in(value)}

    assert kinds == {"S", "N", "B", "SS", "NS", "BS", "L", "M", "BOOL", "NULL"}


def test_some_orders_expire_within_the_hour_but_not_the_demo_and_most_others_late_or_never() -> None:
    def expiry(order: dict[str, Any]) -> str:
        if "expires_at" not in order:
            return "never"
        seconds = int(order["expires_at"]["N"]) - NOW
        return "at once" if seconds < 1_200 else "soon" if seconds <= 3_600 else "late"

    counts = Counter(expiry(order) for order in seed.orders(NOW))

    assert counts["at once"] == 0
    assert counts["soon"] == 120
    assert counts["never"] > 3_000
    assert counts["late"] > counts["never"] > counts["soon"]
