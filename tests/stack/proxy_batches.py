"""A BatchWriteItem of which only a part is done."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson

from stack.proxy_faults import Fault, Forward
from stack.proxy_wire import Reply, Request, answer

Writes = dict[str, list[Any]]
"""The writes of a batch, by table, as `RequestItems` and `UnprocessedItems` hold them."""


def held_back(share: float = 1.0) -> Fault:
    """Hold back a random share of a batch's writes, at least one: they come back as UnprocessedItems."""

    async def fault(request: Request, forward: Forward) -> Reply:
        writes = [(table, write) for table, entries in request.json["RequestItems"].items() for write in entries]
        order = request.random.sample(range(len(writes)), max(1, round(share * len(writes))))
        held = set(order)
        done = grouped([write for n, write in enumerate(writes) if n not in held])
        return await forward_part(request, forward, done=done, held=grouped([writes[n] for n in order]))

    return fault


def grouped(writes: list[tuple[str, Any]]) -> Writes:
    """The writes by table, in their order."""
    tables: Writes = {}
    for table, write in writes:
        tables.setdefault(table, []).append(write)
    return tables


async def forward_part(request: Request, forward: Forward, *, done: Writes, held: Writes) -> Reply:
    """Forward `done` alone and answer with `held` among the UnprocessedItems."""
    if not held:
        return await forward(request)
    if not done:
        return answer(orjson.dumps({"UnprocessedItems": held}))
    reply = await forward(request.with_json({**request.json, "RequestItems": done}))
    if reply.status != HTTPStatus.OK:
        return reply
    left = reply.json.get("UnprocessedItems", {})
    unprocessed = {table: left.get(table, []) + held.get(table, []) for table in {**left, **held}}
    return reply.with_json({**reply.json, "UnprocessedItems": unprocessed})
