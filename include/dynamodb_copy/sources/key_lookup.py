"""Which of some keys a table holds, by strongly consistent reads."""

from __future__ import annotations

from dynamodb_copy.aws.batch_get import BatchGet
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import Key, KeySchema
from dynamodb_copy.ports import Limiter


def absent(wire: Wire, table: str, schema: KeySchema, keys: list[Key], limiter: Limiter) -> list[Key]:
    """Return the keys that the table does not hold; asks until the service has answered for every one of them."""
    reads = BatchGet(wire, table, limiter, only_keys=schema)
    held = {key_hash(item, schema) for item in reads.items(keys)}
    return [key for key in keys if key_hash(key, schema) not in held]
