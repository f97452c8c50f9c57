"""The state table as rows of wire JSON under a partition and a sort key."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from dynamodb_copy.aws.backoff import patiently
from dynamodb_copy.aws.faults import ConditionFailedError
from dynamodb_copy.aws.raw_json import Pending, Wire

RUN_DAYS = 30
"""How long the rows of a run outlive it."""

Row = dict[str, Any]


class RowKey(NamedTuple):
    """Where a row is."""

    partition: str
    sort: str

    @property
    def wire(self) -> dict[str, Any]:
        """The key as wire JSON."""
        return {"pk": {"S": self.partition}, "sk": {"S": self.sort}}


def expiry(days: int) -> dict[str, str]:
    """The TTL attribute's value for a row that may go after that many days."""
    return {"N": str(int(time.time()) + days * 86_400)}


def _setting(key: RowKey, changes: Row, *, only_if: str = "", values: Row | None = None, counting: str = "") -> Row:
    names = {f"#{n}": name for n, name in enumerate(changes)}
    settings = [f"#{n} = :{n}" for n in range(len(changes))]
    given = {f":{n}": value for n, value in enumerate(changes.values())} | (values or {})
    if counting:
        names["#count"] = counting
        settings.append("#count = if_not_exists(#count, :nought) + :one")
        given |= {":nought": {"N": "0"}, ":one": {"N": "1"}}
    request: dict[str, Any] = {
        "Key": key.wire,
        "UpdateExpression": "SET " + ", ".join(settings),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": given,
    }
    if only_if:
        request["ConditionExpression"] = only_if
    return request


class PostedUpdate:
    """An update on its way."""

    def __init__(self, wire: Wire, request: Row) -> None:
        self._wire = wire
        self._request = request
        self._pending: Pending | None = wire.post("UpdateItem", orjson.dumps(request))

    def has_happened(self) -> bool:
        """Wait for it, sending it again where needed; False if its condition does not hold."""
        try:
            patiently(self._reply, self._wire.clock)
        except ConditionFailedError:
            return False
        return True

    def see_out(self) -> None:
        """Wait until it has ended, however it ended; it is not sent again."""
        if self._pending is not None:
            self._pending.see_out(self._wire.pool.timeouts.read_seconds)

    def _reply(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            self._wire.call("UpdateItem", self._request)
        else:
            pending.reply()


class StateRows:
    """Strongly consistent reads and conditional writes of rows, retried until they are known to have happened."""

    def __init__(self, wire: Wire, table: str) -> None:
        self._wire = wire
        self._table = table
        self._one_at_a_time = threading.Lock()

    def get(self, key: RowKey) -> Row | None:
        """Return the row, or None."""
        return self._call("GetItem", {"Key": key.wire, "ConsistentRead": True}).get("Item")

    def insert(self, key: RowKey, row: Row) -> bool:
        """Write a row that is not there yet; False if one is (perhaps this very one, from a reply that was lost)."""
        request = {"Item": {**key.wire, **row}, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._call("PutItem", request)
        except ConditionFailedError:
            return False
        return True

    def put(self, key: RowKey, row: Row) -> None:
        """Write a row, whatever was there."""
        self._call("PutItem", {"Item": {**key.wire, **row}})

    def update(
        self, key: RowKey, changes: Row, *, only_if: str = "", values: Row | None = None, counting: str = ""
    ) -> bool:
        """Set attributes of a row; False if the condition does not hold. `values` are the condition's `:names`.

        `counting` names a number that goes up by one with each write that arrives, the repeated ones too.
        """
        request = _setting(key, changes, only_if=only_if, values=values, counting=counting)
        try:
            self._call("UpdateItem", request)
        except ConditionFailedError:
            return False
        return True

    def post_update(self, key: RowKey, changes: Row, *, only_if: str, values: Row) -> PostedUpdate:
        """Begin an `update` without waiting for it."""
        request = {"TableName": self._table, **_setting(key, changes, only_if=only_if, values=values)}
        with self._one_at_a_time:
            return PostedUpdate(self._wire, request)

    def advance(self, key: RowKey, name: str, by: float, *, floor: float) -> float:
        """Move a number on from its value or from `floor`, whichever is greater, and return where it then stands."""
        while True:
            for expression, condition in _ADVANCES:
                request = {
                    "Key": key.wire,
                    "UpdateExpression": f"SET #n = {expression}, expires_at = :expires",
                    "ConditionExpression": condition,
                    "ExpressionAttributeNames": {"#n": name},
                    "ExpressionAttributeValues": {
                        ":by": {"N": f"{by:.6f}"},
                        ":floor": {"N": f"{floor:.6f}"},
                        ":expires": expiry(RUN_DAYS),
                    },
                    "ReturnValues": "UPDATED_NEW",
                }
                try:
                    return float(self._call("UpdateItem", request)["Attributes"][name]["N"])
                except ConditionFailedError:
                    continue

    def query(self, partition: str, prefix: str) -> Iterator[Row]:
        """Yield the partition's rows whose sort key begins with the prefix, in order."""
        request: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":pk": {"S": partition}, ":prefix": {"S": prefix}},
            "ConsistentRead": True,
        }
        while True:
            reply = self._call("Query", request)
            yield from reply["Items"]
            if "LastEvaluatedKey" not in reply:
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        request = {"TableName": self._table, **request}
        with self._one_at_a_time:
            return patiently(lambda: self._wire.call(operation, request), self._wire.clock)


_ADVANCES = (
    ("#n + :by", "#n >= :floor"),
    (":floor + :by", "attribute_not_exists(#n) OR #n < :floor"),
)
