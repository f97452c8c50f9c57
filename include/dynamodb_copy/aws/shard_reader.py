"""One shard as a chain of requests, one of them on its way at the most."""

from __future__ import annotations

from typing import Any

import orjson

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.faults import IteratorExpiredError
from dynamodb_copy.aws.raw_json import Pending, Wire
from dynamodb_copy.errors import ServiceUnavailableError

_MOST_RECORDS = 1_000
"""Of one GetRecords.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

Record = dict[str, Any]
"""One record as the service sends it; what happened is below `dynamodb`."""


class ShardReader:
    """Reads the records after a sequence number, or from the shard's beginning if that is empty."""

    def __init__(self, wire: Wire, stream_arn: str, shard: str, after: str) -> None:
        self.shard = shard
        self.after = after  # the sequence number of the last record that was passed on
        self.has_ended = False
        self.is_at_horizon = not after  # whether it reads from the oldest record that there still is
        self.throttles = self.retries = 0
        self._wire = wire
        self._stream_arn = stream_arn
        self._iterator: str | None = None
        self._pending: Pending | None = None
        self._patience = Patience(wire.clock)

    def ask(self) -> None:
        """Send the next request."""
        if self._iterator is None:
            self._pending = self._wire.post("GetShardIterator", orjson.dumps(self._start()))
        else:
            request = {"ShardIterator": self._iterator, "Limit": _MOST_RECORDS}
            self._pending = self._wire.post("GetRecords", orjson.dumps(request))

    def read(self) -> list[Record] | None:
        """Wait for the reply; None if it brought no records nor word of their absence, and has to be asked anew.

        Raises TrimmedError and ResourceMissingError.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        try:
            reply = pending.reply()
        except ServiceUnavailableError as error:
            self.throttles += error.throttled
            self.retries += 1
            self._patience.wait(error)
            return None
        except IteratorExpiredError:
            self.retries += 1
            self._iterator = None
            return None
        self._patience.renew()
        return self._taken(reply)

    def passed_on(self, after: str) -> None:
        """Everything up to this sequence number is behind."""
        self.after = after
        self.is_at_horizon = False

    def start_from_horizon(self) -> None:
        """Go on from the oldest record that there still is."""
        self._iterator = None
        self.is_at_horizon = True

    def abandon(self) -> None:
        """Give up waiting."""
        if self._pending is not None:
            self._pending.abandon()
            self._pending = None

    def _start(self) -> dict[str, str]:
        request = {"StreamArn": self._stream_arn, "ShardId": self.shard}
        if self.is_at_horizon:
            return request | {"ShardIteratorType": "TRIM_HORIZON"}
        return request | {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.after}

    def _taken(self, reply: dict[str, Any]) -> list[Record] | None:
        if "ShardIterator" in reply:
            self._iterator = reply["ShardIterator"]
            return None
        self._iterator = reply.get("NextShardIterator")
        self.has_ended = self._iterator is None
        records: list[Record] = reply.get("Records", [])
        return records
