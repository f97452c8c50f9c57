"""Creates and fills two realistic source tables, through stock boto3.

`orders` is provisioned, with two indexes, TTL and tags; `sessions` is on demand, with a binary key and every
attribute type.
The same call twice writes the same keys again: nothing is left over and nothing is doubled.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from stack.emulators import boto_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"

ORDERS_COUNT = 12_000
SESSIONS_COUNT = 8_000

BUCKET = "example-dr-backups"
BUCKET_REGION: Literal["us-west-2"] = "us-west-2"
"""Where the example jobs put their backups."""

_BATCH_ITEMS = 25  # what one BatchWriteItem takes
_WRITERS = 4
_DAY_SECONDS = 86_400

ORDERS: CreateTableInputTypeDef = {
    "TableName": "orders",
    "AttributeDefinitions": [
        {"AttributeName": "customer_id", "AttributeType": "S"},
        {"AttributeName": "order_id", "AttributeType": "N"},
        {"AttributeName": "status", "AttributeType": "S"},
        {"AttributeName": "placed_at", "AttributeType": "N"},
        {"AttributeName": "total_cents", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "customer_id", "KeyType": "HASH"},
        {"AttributeName": "order_id", "KeyType": "RANGE"},
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_total",
            "KeySchema": [
                {"AttributeName": "customer_id", "KeyType": "HASH"},
                {"AttributeName": "total_cents", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["currency", "status"]},
        },
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_status",
            "KeySchema": [
                {"AttributeName": "status", "KeyType": "HASH"},
                {"AttributeName": "placed_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
            "ProvisionedThroughput": {"ReadCapacityUnits": 500, "WriteCapacityUnits": 4_000},
        },
    ],
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": {"ReadCapacityUnits": 1_000, "WriteCapacityUnits": 4_000},
    "Tags": [{"Key": "team", "Value": "commerce"}, {"Key": "cost-center", "Value": "1200"}],
}

SESSIONS: CreateTableInputTypeDef = {
    "TableName": "sessions",
    "AttributeDefinitions": [{"AttributeName": "session_id", "AttributeType": "B"}],
    "KeySchema": [{"AttributeName": "session_id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
    "Tags": [{"Key": "team", "Value": "identity"}],
}


def seed(client: DynamoDBClient, *, now_seconds: float | None = None) -> dict[str, int]:
    """Create both tables where they are missing, put every item, and return how many items each table got.

    Args:
        client: a stock client of the source region.
        now_seconds: epoch seconds that the expiry times are reckoned from; the clock's by default.
    """
    now = int(time.time() if now_seconds is None else now_seconds)
    _ensure_table(client, ORDERS)
    _ensure_table(client, SESSIONS)
    _ensure_ttl(client, "orders", "expires_at")
    return {"orders": _put_all(client, "orders", orders(now)), "sessions": _put_all(client, "sessions", sessions())}


def make_bucket(client: S3Client) -> None:
    """Create the bucket for backups, private as buckets are; harmless when it is there."""
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": BUCKET_REGION})


def orders(now: int) -> Iterator[dict[str, Any]]:
    """Yield the orders: a third never expires, one in a hundred within the hour, the others in a year."""
    return islice(endless_orders(now), ORDERS_COUNT)


def endless_orders(now: int) -> Iterator[dict[str, Any]]:
    """Yield the orders, and go on with those that are placed later."""
    random = Random(1)  # noqa: S311 - the same items every time, no secrets
    for number in count():
        order: dict[str, Any] = {
            "customer_id": {"S": f"customer-{random.randrange(2_000):04}"},
            "order_id": {"N": str(100_000 + number)},
            "status": {"S": random.choice(("placed", "paid", "shipped", "delivered", "returned"))},
            "placed_at": {"N": str(1_760_000_000 + number * 61)},
            "total_cents": {"N": str(random.randrange(199, 250_000))},
            "currency": {"S": random.choice(("EUR", "USD", "JPY"))},
            "lines": {"L": [_order_line(random) for _ in range(random.randrange(1, 4))]},
        }
        if number % 100 == 0:
            # Not within the demo's minutes: the emulator's TTL deletes leave no record in the stream, unlike AWS's
            order["expires_at"] = {"N": str(now + random.randrange(1_200, 3_600))}
        elif number % 3:
            order["expires_at"] = {"N": str(now + 365 * _DAY_SECONDS + number)}
        yield order


def _order_line(random: Random) -> dict[str, Any]:
    return {
        "M": {
            "sku": {"S": f"SKU-{random.randrange(5_000):05}"},
            "quantity": {"N": str(random.randrange(1, 5))},
            "gift": {"BOOL": random.random() < 0.1},
        },
    }


def sessions() -> Iterator[dict[str, Any]]:
    """Yield the sessions: a binary key, and between them every attribute type and the awkward values of each."""
    random = Random(2)  # noqa: S311 - the same items every time, no secrets
    for number in range(SESSIONS_COUNT):
        yield {
            "session_id": {"B": number.to_bytes(4, "big") + random.randbytes(12)},
            "user": {"S": f"user-{random.randrange(3_000)}"},
            "started_at": {"N": str(1_790_000_000 + number)},
            **_AWKWARD[number % len(_AWKWARD)],
        }


_AWKWARD: Sequence[dict[str, Any]] = (
    {"greeting": {"S": "Grüße, 東京, שלום, 🦀"}, "nickname": {"S": ""}},
    {
        "balance": {"N": "12345678901234567890123456789012345678"},
        "drift": {"N": "-0.0000000000000000001"},
    },
    {"mass": {"N": "9.99E+125"}, "charge": {"N": "-1.602e-19"}, "zero": {"N": "0"}, "padded": {"N": "0012.500"}},
    {"device": {"B": bytes(range(256))}, "salt": {"B": b"\x00"}},
    {"roles": {"SS": ["reader", "Schreiber", "été"]}, "levels": {"NS": ["3", "-1.5", "2E+3"]}},
    {"keys": {"BS": [b"\x00\x01", b"\xff\xfe", b"plain"]}},
    {"trail": {"L": [{"S": "login"}, {"N": "1"}, {"NULL": True}, {"L": [{"B": b"\x80"}]}]}, "clicks": {"L": []}},
    {"agent": {"M": {"name": {"S": "Browser"}, "icon": {"B": b"\x89PNG"}, "beta": {"BOOL": False}}}},
    {"verified": {"BOOL": True}, "revoked_at": {"NULL": True}, "extras": {"M": {}}},
    {"notes": {"S": "x" * 3_000}},
)


def _ensure_table(client: DynamoDBClient, definition: CreateTableInputTypeDef) -> None:
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(**definition)
    client.get_waiter("table_exists").wait(
        TableName=definition["TableName"],
        WaiterConfig={"Delay": 1, "MaxAttempts": 60},
    )


def _ensure_ttl(client: DynamoDBClient, table: str, attribute: str) -> None:
    description = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if description.get("TimeToLiveStatus") != "ENABLED":
        client.update_time_to_live(
            TableName=table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
        )


def _put_all(client: DynamoDBClient, table: str, items: Iterator[dict[str, Any]]) -> int:
    batches = iter(lambda: list(islice(items, _BATCH_ITEMS)), [])
    with ThreadPoolExecutor(_WRITERS) as pool:
        return sum(pool.map(lambda batch: _put_batch(client, table, batch), batches))


def _put_batch(client: DynamoDBClient, table: str, items: list[dict[str, Any]]) -> int:
    pending: Any = {table: [{"PutRequest": {"Item": item}} for item in items]}
    while pending:
        pending = client.batch_write_item(RequestItems=pending)["UnprocessedItems"]
    return len(items)


def main() -> None:
    """Seed the emulator at `--endpoint`."""
    parser = argparse.ArgumentParser(prog="python -m stack.seed", description="Create and fill the example tables.")
    parser.add_argument("--endpoint", required=True, help="URL of a DynamoDB emulator; never a real account")
    arguments = parser.parse_args()
    for table, items in seed(boto_client(arguments.endpoint, "dynamodb", REGION)).items():
        print(f"{table}: {items:,} items in {REGION}")
    make_bucket(boto_client(arguments.endpoint, "s3", BUCKET_REGION))
    print(f"s3://{BUCKET}: for backups, in {BUCKET_REGION}")


if __name__ == "__main__":
    main()
