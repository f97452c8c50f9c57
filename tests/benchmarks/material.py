"""Tables of 400-byte items, and the jobs that copy them, back them up and restore them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

import yaml

from dynamodb_copy.model import Item, KeySchema
from stack.emulators import boto_client
from stack.proxy_item_size import item_bytes

ITEM_BYTES = 400
SOURCE, TARGET = "source", "target"
"""Connections of the benchmarks' jobs."""
REGIONS = {SOURCE: "us-east-1", TARGET: "us-west-2"}
ITEMS_TABLE = "items"
BUCKET = "benchmark-backups"
KEYS = KeySchema("owner", "number")

_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")
_BATCH_ITEMS = 25
_WRITERS = 4


def item(number: int) -> Item:
    """Item `number` as wire JSON: ten attributes, among them a list and a map, 400 bytes as DynamoDB counts."""
    chance = blake2b(str(number).encode(), digest_size=16).hexdigest()
    word = _WORDS[number % len(_WORDS)]
    made: Item = {
        "owner": {"S": f"user#{chance[:16]}"},
        "number": {"N": str(number)},
        "name": {"S": f"{word}{chance[:10]}"},
        "email": {"S": f"{chance[:12]}@example.com"},
        "age": {"N": str(number % 90)},
        "score": {"N": f"{number % 1000}.{number % 97}1"},
        "active": {"BOOL": number % 2 == 0},
        "tags": {"L": [{"S": word}, {"S": chance[16:22]}]},
        "address": {"M": {"city": {"S": word}, "zip": {"S": chance[:5]}}},
    }
    padding = ITEM_BYTES - item_bytes(made) - len("notes")
    return made | {"notes": {"S": "x" * padding}}


def job_text(target_table: str = ITEMS_TABLE, **changes: Any) -> str:
    """A job that copies `items` with one segment and no limits; `changes` are keys of the job file."""
    keys: dict[str, Any] = {
        "copy": "full",
        "from": {"table": ITEMS_TABLE, "region": REGIONS[SOURCE], "connection": SOURCE},
        "to": {"table": target_table, "region": REGIONS[TARGET], "connection": TARGET},
        "read": "unlimited",
        "write": "unlimited",
        "segments": 1,
    }
    return yaml.safe_dump(keys | changes)


def backup_text(prefix: str = "items", *, store: str = TARGET, **changes: Any) -> str:
    """A job that backs `items` up with one segment and no limit; `store` is the connection of the bucket."""
    source = {"table": ITEMS_TABLE, "region": REGIONS[SOURCE], "connection": SOURCE}
    keys: dict[str, Any] = {"copy": "full", "from": source, "to": _place(prefix, store), "read": "unlimited"}
    return yaml.safe_dump(keys | {"segments": 1} | changes)


def restore_text(target_table: str, prefix: str = "items", *, store: str = TARGET, **changes: Any) -> str:
    """A job that restores the latest backup with one segment and no limit."""
    target = {"table": target_table, "region": REGIONS[TARGET], "connection": TARGET}
    keys: dict[str, Any] = {"restore": "latest", "from": _place(prefix, store), "to": target, "write": "unlimited"}
    return yaml.safe_dump(keys | {"segments": 1} | changes)


def create_bucket(endpoint: str) -> None:
    """Create the bucket of the backups."""
    client = boto_client(endpoint, "s3", REGIONS[TARGET])
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGIONS[TARGET]})


def _place(prefix: str, store: str) -> dict[str, str]:
    return {"s3": f"s3://{BUCKET}/{prefix}", "region": REGIONS[TARGET], "connection": store}


def create_items_table(endpoint: str) -> None:
    """Create the empty source."""
    client = boto_client(endpoint, "dynamodb", REGIONS[SOURCE])
    client.create_table(
        TableName=ITEMS_TABLE,
        KeySchema=[
            {"AttributeName": KEYS.hash_name, "KeyType": "HASH"},
            {"AttributeName": KEYS.range_name, "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": KEYS.hash_name, "AttributeType": "S"},
            {"AttributeName": KEYS.range_name, "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=ITEMS_TABLE, WaiterConfig={"Delay": 1})


def fill_items_table(endpoint: str, count: int) -> None:
    """Put items 0 to `count` - 1 into the source."""
    client = boto_client(endpoint, "dynamodb", REGIONS[SOURCE])

    def put(first: int) -> None:
        numbers = range(first, min(count, first + _BATCH_ITEMS))
        pending: Any = {ITEMS_TABLE: [{"PutRequest": {"Item": item(number)}} for number in numbers]}
        while pending:
            pending = client.batch_write_item(RequestItems=pending)["UnprocessedItems"]

    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(put, range(0, count, _BATCH_ITEMS)))
