"""What a table and its indexes allow per second, what a request costs, and what is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stack.proxy_item_size import item_bytes

Clock = Callable[[], float]
Cost = dict[str, float]
"""Capacity units by index name; the table itself is the empty name."""

TABLE = ""


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; `projected` names every attribute that it holds, keys included (None: all)."""

    name: str
    hash_name: str
    range_name: str | None = None
    projected: frozenset[str] | None = None
    read_units: float = math.inf  # per second
    write_units: float = math.inf  # per second

    def entry(self, item: dict[str, Any]) -> dict[str, Any] | None:
        """What the index holds of the item; None when the item lacks one of the index's keys."""
        if self.hash_name not in item or (self.range_name is not None and self.range_name not in item):
            return None
        return item if self.projected is None else {name: item[name] for name in self.projected if name in item}


@dataclass(frozen=True, slots=True)
class TableCapacity:
    """The capacity of a table; unused capacity is saved up for `burst_seconds` beyond the running second."""

    table: str
    read_units: float = math.inf  # per second
    write_units: float = math.inf  # per second
    indexes: tuple[Index, ...] = ()
    burst_seconds: float = 0.0

    def put_cost(self, item: dict[str, Any]) -> Cost:
        """Write units of a new item, in the table and in each index that takes it."""
        entries = {index.name: index.entry(item) for index in self.indexes}
        return {name: write_units(entry) for name, entry in {TABLE: item, **entries}.items() if entry is not None}


def write_units(item: dict[str, Any]) -> float:
    """One unit for each started KB."""
    return float(max(1, math.ceil(item_bytes(item) / 1024)))


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """One unit for each started 4 KB of a strongly consistent read, else half; an empty read costs one step."""
    return max(1, math.ceil(size_bytes / 4096)) * (1.0 if consistent else 0.5)


class Bucket:
    """Tokens that come back at `rate` per second; it may go below zero and is then closed until refilled."""

    def __init__(self, rate: float, *, burst_seconds: float, clock: Clock) -> None:
        self._rate = rate
        self._size = rate * (1 + burst_seconds)
        self._level = self._size
        self._clock = clock
        self._at = clock()

    def is_open(self) -> bool:
        """Whether anything at all is left now."""
        now = self._clock()
        if now > self._at:
            self._level = min(self._size, self._level + self._rate * (now - self._at))
            self._at = now
        return self._level > 0

    def spend(self, units: float) -> None:
        """Take the units, whether they are there or not."""
        self._level -= units


class Account:
    """The buckets of one table."""

    def __init__(self, capacity: TableCapacity, clock: Clock) -> None:
        self.capacity = capacity
        parts: Iterable[TableCapacity | Index] = (capacity, *capacity.indexes)
        names = [TABLE, *(index.name for index in capacity.indexes)]

        def bucket(rate: float) -> Bucket:
            return Bucket(rate, burst_seconds=capacity.burst_seconds, clock=clock)

        self._reads = {name: bucket(part.read_units) for name, part in zip(names, parts, strict=True)}
        self._writes = {name: bucket(part.write_units) for name, part in zip(names, parts, strict=True)}

    def reads(self, index: str = TABLE) -> Bucket:
        """The bucket that reads of the table or of that index drain; local indexes drain the table's."""
        return self._reads.get(index, self._reads[TABLE])

    def take_write(self, cost: Cost) -> bool:
        """Spend the cost if the table and every index concerned are open; else nothing is spent."""
        if not all(self._writes[name].is_open() for name in cost):
            return False
        for name, units in cost.items():
            self._writes[name].spend(units)
        return True

    def consumed_capacity(self, cost: Cost, mode: str) -> dict[str, Any]:
        """A ConsumedCapacity member; `mode` is TOTAL or INDEXES."""
        total: dict[str, Any] = {"TableName": self.capacity.table, "CapacityUnits": sum(cost.values())}
        if mode == "TOTAL":
            return total
        indexes = {name: {"CapacityUnits": units} for name, units in cost.items() if name != TABLE}
        table = {"Table": {"CapacityUnits": cost.get(TABLE, 0.0)}}
        return {**total, **table, **({"GlobalSecondaryIndexes": indexes} if indexes else {})}
