"""A table in memory with a global secondary index whose sort key is a moment, and scans that leave out by it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from dynamodb_copy.formats.dynamodb_json import key_hash, key_of
from dynamodb_copy.model import Item
from fakes import MemoryTable


class IndexedTable(MemoryTable):
    """Answers a Query of the index as the service does, and a Scan with the filter of a window; moments are numbers."""

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        if operation == "Query":
            return self._query(request)
        reply = super().answer(operation, request)
        if "FilterExpression" in request:
            kept = [item for item in reply["Items"] if _moment(item, request) is not None]
            reply |= {"Items": kept, "Count": len(kept)}
        return reply

    def _query(self, request: dict[str, Any]) -> dict[str, Any]:
        partition = request["ExpressionAttributeNames"]["#p"]
        wanted = request["ExpressionAttributeValues"][":p"]
        found = [item for item in self.items if item.get(partition) == wanted and _moment(item, request) is not None]
        found.sort(key=lambda item: (_moment(item, request), key_hash(item, self._keys)))
        start = request.get("ExclusiveStartKey")
        hashes = [key_hash(item, self._keys) for item in found]
        begin = 0 if start is None else hashes.index(key_hash(start, self._keys)) + 1
        page = found[begin : begin + request["Limit"]]
        reply: dict[str, Any] = {"Items": [key_of(item, self._keys) for item in page]}
        reply["ConsumedCapacity"] = {"CapacityUnits": 0.5}
        is_last = len(page) < request["Limit"]  # else the service sends an empty page more
        return reply if is_last else reply | {"LastEvaluatedKey": key_of(page[-1], self._keys)}


def _moment(item: Item, request: dict[str, Any]) -> Decimal | None:
    """The item's moment if the window that is asked for holds it."""
    value = item.get(request["ExpressionAttributeNames"]["#a"], {}).get("N")
    start, end = [Decimal(request["ExpressionAttributeValues"][name]["N"]) for name in (":start", ":end")]
    return Decimal(value) if value is not None and start <= Decimal(value) < end else None
