"""A table in an emulator, filled and read through stock boto3: a second opinion on what our own wire says."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.model import Item, KeySchema
from stack.emulators import boto_client

KeyTypes = dict[str, str]
"""Names of the key attributes, the partition key first, and their types."""

STRING_KEY: KeyTypes = {"id": "S"}


def schema_of(key_types: KeyTypes) -> KeySchema:
    """The key schema that these types belong to."""
    return KeySchema(*key_types)


@dataclass(frozen=True, slots=True)
class EmulatedTable:
    """A table of its own."""

    client: Any
    name: str

    @property
    def items(self) -> list[Item]:
        """What it holds, as wire JSON."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return [_attributes(item, _to_wire) for page in pages for item in page["Items"]]

    def put(self, items: Sequence[Item]) -> None:
        """Store wire JSON."""
        requests = [{"PutRequest": {"Item": _attributes(item, _to_stock)}} for item in items]
        for at in range(0, len(requests), 25):
            reply = self.client.batch_write_item(RequestItems={self.name: requests[at : at + 25]})
            assert not reply["UnprocessedItems"]

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """Our own way to it."""
        wire = Wire(self.client, Timeouts(), Clock())
        try:
            yield wire
        finally:
            wire.close()


@contextmanager
def emulated_table(endpoint: str, key_types: KeyTypes) -> Iterator[EmulatedTable]:
    """A new table, gone at the end of the block."""
    client = boto_client(endpoint, "dynamodb", "us-east-1")
    table = EmulatedTable(client, f"table-{uuid4().hex[:12]}")
    client.create_table(
        TableName=table.name,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in key_types.items()],
        KeySchema=[
            {"AttributeName": name, "KeyType": role} for name, role in zip(key_types, ("HASH", "RANGE"), strict=False)
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        yield table
    finally:
        client.delete_table(TableName=table.name)
        client.close()


_Convert = Callable[[str, Any], Any]


def _attributes(item: dict[str, Any], convert: _Convert) -> dict[str, Any]:
    return {name: _attribute(attribute, convert) for name, attribute in item.items()}


def _attribute(attribute: dict[str, Any], convert: _Convert) -> dict[str, Any]:
    ((kind, value),) = attribute.items()
    match kind:
        case "L":
            return {kind: [_attribute(element, convert) for element in value]}
        case "M":
            return {kind: _attributes(value, convert)}
        case "B" | "BS":
            return {kind: convert(kind, value)}
    return attribute


def _binary(kind: str, value: Any, *, one: Callable[[Any], Any]) -> Any:
    return one(value) if kind == "B" else [one(element) for element in value]


_to_wire = partial(_binary, one=lambda packed: base64.b64encode(packed).decode())
_to_stock = partial(_binary, one=base64.b64decode)
