"""Which of some keys a table holds, by strongly consistent reads."""

from __future__ import annotations

from functools import partial
from typing import Any

from dynamodb_copy.aws.backoff import Patience, patiently
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.errors import ServiceUnavailableError
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import Key, KeySchema
from dynamodb_copy.ports import Limiter

_BATCH_KEYS = 100  # BatchGetItem's most


def absent(wire: Wire, table: str, schema: KeySchema, keys: list[Key], limiter: Limiter) -> list[Key]:
    """Return the keys that the table does not hold; asks until the service has answered for every one of them."""
    held: set[bytes] = set()
    for at in range(0, len(keys), _BATCH_KEYS):
        held |= _held(wire, table, schema, keys[at : at + _BATCH_KEYS], limiter)
    return [key for key in keys if key_hash(key, schema) not in held]


def _held(wire: Wire, table: str, schema: KeySchema, keys: list[Key], limiter: Limiter) -> set[bytes]:
    names = {f"#{n}": name for n, name in enumerate(schema) if name is not None}
    held: set[bytes] = set()
    patience = Patience(wire.clock)
    while keys:
        asked: dict[str, Any] = {
            "Keys": keys,
            "ConsistentRead": True,
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        request = {"RequestItems": {table: asked}, "ReturnConsumedCapacity": "TOTAL"}
        limiter.take(len(keys))
        reply = patiently(partial(wire.call, "BatchGetItem", request), wire.clock)
        limiter.settle(sum(used["CapacityUnits"] for used in reply.get("ConsumedCapacity", [])) - len(keys))
        held |= {key_hash(item, schema) for item in reply["Responses"].get(table, [])}
        left: list[Key] = reply.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if len(left) < len(keys):
            patience.renew()
        keys = left
        if keys:
            patience.wait(ServiceUnavailableError(f"{table}: {len(keys)} keys of a BatchGetItem were not read"))
    return held
