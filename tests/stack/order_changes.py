"""Changes the seeded orders, through stock boto3: updates, deletes and new ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from stack.seed import endless_orders

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WRITERS = 4
_TABLE = "orders"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Which orders change, by their place in `endless_orders`."""

    updated: range
    deleted: range
    added: range

    @property
    def count(self) -> int:
        """How many changes that makes."""
        return len(self.updated) + len(self.deleted) + len(self.added)

    @property
    def described(self) -> str:
        """What it does, for people."""
        return f"{len(self.updated):,} orders updated, {len(self.deleted):,} deleted, {len(self.added):,} put"


FIRST = ChangeSet(updated=range(300), deleted=range(11_850, 12_000), added=range(12_000, 12_100))
SECOND = ChangeSet(updated=range(200, 500), deleted=range(12_020, 12_100), added=range(11_900, 12_000))
"""Updates and deletes some of what the first has updated and put, and puts some of what it has deleted."""


def change(client: DynamoDBClient, changes: ChangeSet, *, now_seconds: float | None = None) -> None:
    """Make each change of a set; none of them leaves an item as it was.

    Args:
        client: a stock client of the source region.
        changes: of orders that are there, but for those that are added.
        now_seconds: epoch seconds that the expiry times of added orders are reckoned from; the clock's by default.
    """
    now = int(time.time() if now_seconds is None else now_seconds)
    most = max(changes.updated.stop, changes.deleted.stop, changes.added.stop)
    placed = list(islice(endless_orders(now), most))
    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(lambda place: _return(client, _key(placed[place])), changes.updated))
        list(writers.map(lambda place: client.delete_item(TableName=_TABLE, Key=_key(placed[place])), changes.deleted))
        list(writers.map(lambda place: client.put_item(TableName=_TABLE, Item=placed[place]), changes.added))


def count_orders(client: DynamoDBClient) -> int:
    """Count the orders, strongly consistent."""
    pages = client.get_paginator("scan").paginate(TableName=_TABLE, Select="COUNT", ConsistentRead=True)
    return sum(page["Count"] for page in pages)


def _return(client: DynamoDBClient, key: Mapping[str, Any]) -> None:
    """Moves the order within both of its table's indexes."""
    client.update_item(
        TableName=_TABLE,
        Key=key,
        UpdateExpression="SET #status = :returned, total_cents = total_cents + :fee",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":returned": {"S": "returned"}, ":fee": {"N": "495"}},
    )


def _key(order: Mapping[str, Any]) -> dict[str, Any]:
    return {name: order[name] for name in ("customer_id", "order_id")}
