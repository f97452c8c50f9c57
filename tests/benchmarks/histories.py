"""Tables whose items come, change and go at random while copies of them are made."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from random import Random
from threading import Event, Thread
from typing import Any

from benchmarks.material import REGIONS, SOURCE
from integration.pair import item_of, key_of
from stack.emulators import boto_client

KEYS = 120
_PAUSE_SECONDS = 0.02
_DELETES = 0.3


class Writer:
    """Writes to a table with a client that no kill of a run disturbs."""

    def __init__(self, endpoint: str, table: str, random: Random, *, deletes: bool) -> None:
        self._client = boto_client(endpoint, "dynamodb", REGIONS[SOURCE])
        self._table = table
        self._random = random
        self.deletes = deletes  # may be switched while it writes
        self._ends = Event()
        self.writes = 0

    def write(self) -> None:
        """Put, change or delete one item."""
        number = self._random.randrange(KEYS)
        self.writes += 1
        if self.deletes and self._random.random() < _DELETES:
            self._client.delete_item(TableName=self._table, Key=key_of(number))
            return
        self._client.put_item(TableName=self._table, Item=self._item(number))

    def run(self) -> None:
        """Write until the end, in bursts and with pauses."""
        while not self._ends.wait(self._random.expovariate(1 / _PAUSE_SECONDS)):
            for _ in range(self._random.choice([1, 1, 1, 8])):
                self.write()

    def end(self) -> None:
        """Let `run` return."""
        self._ends.set()

    def _item(self, number: int) -> dict[str, Any]:
        """An item that is like no earlier one, of a size by chance, with the moment of its writing."""
        note = f"{self.writes} {'x' * self._random.randrange(300)}"
        return item_of(number, note={"S": note}, updated_at={"N": str(int(time.time()))})


@contextmanager
def writing(writer: Writer) -> Iterator[None]:
    """Let it write in a thread while the block lasts."""
    thread = Thread(target=writer.run, name="writer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        writer.end()
        thread.join()


class Past:
    """What a table held at the end of any second since its stream began with it, as the stream tells a stock client."""

    def __init__(self, endpoint: str, table: str) -> None:
        client = boto_client(endpoint, "dynamodbstreams", REGIONS[SOURCE])
        (stream,) = client.list_streams(TableName=table)["Streams"]
        self._records = list(_records(client, stream["StreamArn"]))

    def at(self, second: datetime) -> dict[str, Any]:
        """The items by their ids, as `by_id` has them."""
        held: dict[str, Any] = {}
        for record in self._records:
            if record["ApproximateCreationDateTime"] <= second:
                held[record["Keys"]["id"]["S"]] = record.get("NewImage")
        return by_id([item for item in held.values() if item is not None])


def by_id(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The items of a table by their ids, with their sets in order."""
    return {item["id"]["S"]: item | {"labels": {"SS": sorted(item["labels"]["SS"])}} for item in items}


def _records(client: Any, stream_arn: str) -> Iterator[dict[str, Any]]:
    for shard in client.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]:
        place = {"StreamArn": stream_arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**place)["ShardIterator"]
        while (page := client.get_records(ShardIterator=iterator))["Records"]:
            yield from (record["dynamodb"] for record in page["Records"])
            iterator = page["NextShardIterator"]
