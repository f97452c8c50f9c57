"""Tables that were created like others, as two implementations of the service show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dynamodb_copy.aws.table_creation import create_like
from dynamodb_copy.aws.tables import described, tags
from stack.emulators import boto_client

pytestmark = pytest.mark.integration

KEYS: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "customer", "AttributeType": "S"},
        {"AttributeName": "order", "AttributeType": "N"},
        {"AttributeName": "status", "AttributeType": "S"},
        {"AttributeName": "total", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "customer", "KeyType": "HASH"},
        {"AttributeName": "order", "KeyType": "RANGE"},
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_total",
            "KeySchema": [
                {"AttributeName": "customer", "KeyType": "HASH"},
                {"AttributeName": "total", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["currency"]},
        }
    ],
}
BY_STATUS: dict[str, Any] = {
    "IndexName": "by_status",
    "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
DEFINITIONS: dict[str, dict[str, Any]] = {
    "provisioned": {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 120, "WriteCapacityUnits": 60},
        "GlobalSecondaryIndexes": [
            BY_STATUS | {"ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 30}}
        ],
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
    },
    "on demand": {"BillingMode": "PAY_PER_REQUEST", "GlobalSecondaryIndexes": [BY_STATUS]},
    "on demand, limited": {
        "BillingMode": "PAY_PER_REQUEST",
        "OnDemandThroughput": {"MaxReadRequestUnits": 900, "MaxWriteRequestUnits": 300},
        "GlobalSecondaryIndexes": [
            BY_STATUS | {"OnDemandThroughput": {"MaxReadRequestUnits": 90, "MaxWriteRequestUnits": 300}}
        ],
    },
}
TAGS = [{"Key": "team", "Value": "commerce"}, {"Key": "cost-center", "Value": "1200"}]
ITS_OWN = {
    "CreationDateTime",
    "IndexArn",
    "LastDecreaseDateTime",
    "LastIncreaseDateTime",
    "LastUpdateDateTime",
    "LastUpdateToPayPerRequestDateTime",
    "TableArn",
    "TableId",
    "TableName",
    "WarmThroughput",  # an emulator's own figures
}


@pytest.fixture(params=["ministack_endpoint", "moto_endpoint"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A stock client of each implementation."""
    made = boto_client(request.getfixturevalue(request.param), "dynamodb", "eu-west-1")
    yield made
    made.close()


def shared(shown: Any) -> Any:
    """A description without what no two tables have in common; lists of names in order."""
    if isinstance(shown, dict):
        return {name: shared(value) for name, value in shown.items() if name not in ITS_OWN}
    if isinstance(shown, list):
        return sorted([shared(value) for value in shown], key=str)
    return shown


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS.keys())
def test_a_table_that_is_created_like_another_is_described_alike(
    client: Any, table_name: str, definition: dict[str, Any]
) -> None:
    client.create_table(TableName=table_name, **KEYS, **definition)
    source = described(client, table_name)

    made = create_like(client, source, f"{table_name}-copy", tags=TAGS, kms_key=None)

    target = described(client, f"{table_name}-copy")
    assert made is not None
    assert made.arn == target.arn
    assert shared(target.description) == shared(source.description)
    assert sorted(tags(client, target.arn), key=str) == sorted(TAGS, key=str)


def test_a_table_that_exists_is_not_created_again(client: Any, table_name: str) -> None:
    client.create_table(TableName=table_name, **KEYS, **DEFINITIONS["on demand"])
    source = described(client, table_name)

    assert create_like(client, source, table_name, tags=TAGS, kms_key=None) is None
    assert tags(client, source.arn) == []
