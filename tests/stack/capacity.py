"""A table's capacity, enforced: what each request costs, said in its reply, and throttling beyond the limit.

Covers Scan, Query, GetItem, BatchGetItem, PutItem, DeleteItem and BatchWriteItem; other operations pass free of charge.
What only the table knows is left out: the size of an item that is replaced or deleted, and its old index entries.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from stack.proxy_batches import forward_part, grouped
from stack.proxy_buckets import TABLE, Account, Clock, Cost, Index, TableCapacity, read_units
from stack.proxy_faults import Forward, throughput_exceeded
from stack.proxy_item_size import item_bytes
from stack.proxy_wire import Reply, Request

__all__ = ["EnforcedCapacity", "Index", "TableCapacity"]

# members after which a page shows less than was read for it
_ABRIDGING = {
    "Select",
    "ProjectionExpression",
    "FilterExpression",
    "AttributesToGet",
    "ScanFilter",
    "QueryFilter",
    "ConditionalOperator",
}


class EnforcedCapacity:
    """A fault that throttles as DynamoDB does; belongs into the last rule, nearest to the tables.

    Tables that are not named have no limit and cost nothing.
    """

    def __init__(self, *tables: TableCapacity, clock: Clock = time.monotonic) -> None:
        self._accounts = {capacity.table: Account(capacity, clock) for capacity in tables}
        self._charges: dict[str, Callable[[Request, Forward], Awaitable[Reply]]] = {
            "Scan": self._page,
            "Query": self._page,
            "GetItem": self._get,
            "BatchGetItem": self._batch_get,
            "PutItem": self._write,
            "DeleteItem": self._write,
            "BatchWriteItem": self._batch_write,
        }

    async def __call__(self, request: Request, forward: Forward) -> Reply:
        """Charge the request, or throttle it."""
        tables = request.json.get("RequestItems") or {request.json.get("TableName", "")}
        charge = self._charges.get(request.operation)
        if charge is None or self._accounts.keys().isdisjoint(tables):
            return await forward(request)
        return await charge(request, forward)

    async def _page(self, request: Request, forward: Forward) -> Reply:
        index = request.json.get("IndexName", TABLE)
        account = self._accounts[request.json["TableName"]]
        if not account.reads(index).is_open():
            return throughput_exceeded()
        reply = await forward(request)
        if reply.status != HTTPStatus.OK:
            return reply
        whole = reply if _ABRIDGING.isdisjoint(request.json) else await forward(_unabridged(request))
        size_bytes = sum(map(item_bytes, whole.json["Items"]))
        cost = {index: read_units(size_bytes, consistent=_is_consistent(request.json))}
        account.reads(index).spend(cost[index])
        return _charged(request, reply, {account: cost})

    async def _get(self, request: Request, forward: Forward) -> Reply:
        account = self._accounts[request.json["TableName"]]
        if not account.reads().is_open():
            return throughput_exceeded()
        reply = await forward(request)
        if reply.status != HTTPStatus.OK:
            return reply
        size_bytes = item_bytes(reply.json.get("Item", {}))
        cost = {TABLE: read_units(size_bytes, consistent=_is_consistent(request.json))}
        account.reads().spend(cost[TABLE])
        return _charged(request, reply, {account: cost})

    async def _batch_get(self, request: Request, forward: Forward) -> Reply:
        asked = request.json["RequestItems"]
        closed = {table for table in asked if table in self._accounts and not self._accounts[table].reads().is_open()}
        if closed == asked.keys():
            return throughput_exceeded()
        granted = {table: keys for table, keys in asked.items() if table not in closed}
        reply = await forward(request.with_json({**request.json, "RequestItems": granted}))
        if reply.status != HTTPStatus.OK:
            return reply
        costs = {}
        for table in granted.keys() & self._accounts.keys():
            account = self._accounts[table]
            costs[account] = {TABLE: _keyed_read_units(granted[table], reply.json["Responses"].get(table, []))}
            account.reads().spend(costs[account][TABLE])
        left = {**reply.json.get("UnprocessedKeys", {}), **{table: asked[table] for table in closed}}
        return _charged(request, reply.with_json({**reply.json, "UnprocessedKeys": left}), costs)

    async def _write(self, request: Request, forward: Forward) -> Reply:
        account = self._accounts[request.json["TableName"]]
        cost = account.capacity.put_cost(request.json["Item"]) if "Item" in request.json else {TABLE: 1.0}
        if not account.take_write(cost):
            return throughput_exceeded()
        return _charged(request, await forward(request), {account: cost})

    async def _batch_write(self, request: Request, forward: Forward) -> Reply:
        costs: dict[Account, Cost] = {}
        done: list[tuple[str, Any]] = []
        held: list[tuple[str, Any]] = []
        for table, writes in request.json["RequestItems"].items():
            for write in writes:
                granted = self._grant(table, write, costs)
                (done if granted else held).append((table, write))
        if not done:
            return throughput_exceeded()
        reply = await forward_part(request, forward, done=grouped(done), held=grouped(held))
        return _charged(request, reply, costs)

    def _grant(self, table: str, write: dict[str, Any], costs: dict[Account, Cost]) -> bool:
        account = self._accounts.get(table)
        if account is None:
            return True
        put = write.get("PutRequest")
        cost = account.capacity.put_cost(put["Item"]) if put else {TABLE: 1.0}
        if not account.take_write(cost):
            return False
        sums = costs.setdefault(account, {})
        for name, units in cost.items():
            sums[name] = sums.get(name, 0.0) + units
        return True


def _charged(request: Request, reply: Reply, costs: dict[Account, Cost]) -> Reply:
    """Note the cost in the log and, as far as the request asks for it, in the reply."""
    request.exchange.units = sum(sum(cost.values()) for cost in costs.values())
    mode = request.json.get("ReturnConsumedCapacity", "NONE")
    if mode == "NONE" or reply.status != HTTPStatus.OK:
        return reply
    members = [account.consumed_capacity(cost, mode) for account, cost in costs.items()]
    return reply.with_json(
        {**reply.json, "ConsumedCapacity": members if "RequestItems" in request.json else members[0]}
    )


def _keyed_read_units(asked: dict[str, Any], items: list[dict[str, Any]]) -> float:
    """Each item is rounded up by itself; a key without an item costs one step."""
    sizes = [*map(item_bytes, items), *[0] * (len(asked["Keys"]) - len(items))]
    return sum(read_units(size, consistent=_is_consistent(asked)) for size in sizes)


def _is_consistent(content: dict[str, Any]) -> bool:
    return bool(content.get("ConsistentRead", False))


def _unabridged(request: Request) -> Request:
    """The same page with all that was read for it: filters, projections and counts cost the whole items."""
    content = {name: value for name, value in request.json.items() if name not in _ABRIDGING}
    used = set(re.findall(r"[#:]\w+", content.get("KeyConditionExpression", "")))
    for member in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        kept = {name: value for name, value in content.pop(member, {}).items() if name in used}
        content.update({member: kept} if kept else {})
    return request.with_json(content)
