"""The state table in memory: the same promises as StateRows, checked by the same tests."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from dynamodb_copy.state.rows import PostedUpdate, Row, RowKey, StateRows

Step = Callable[[str], None]
"""Told what is about to be done; it may take its time, or kill by raising."""


def at_once(_verb: str) -> None:
    """A state table that answers in no time."""


class _Arrived(PostedUpdate):
    def __init__(self, *, happened: bool) -> None:
        self._happened = happened

    def has_happened(self) -> bool:
        """As it was."""
        return self._happened

    def see_out(self) -> None:
        """It has ended."""


class MemoryRows(StateRows):
    """Rows that several holders share; `step` comes before each request."""

    def __init__(self, step: Step = at_once) -> None:
        self.rows: dict[RowKey, Row] = {}
        self.step = step
        self.requests: list[str] = []

    def get(self, key: RowKey) -> Row | None:
        """As the table."""
        self._begin("get")
        return copy.deepcopy(self.rows.get(key))

    def insert(self, key: RowKey, row: Row) -> bool:
        """As the table."""
        self._begin("insert")
        if key in self.rows:
            return False
        self.rows[key] = {**key.wire, **row}
        return True

    def put(self, key: RowKey, row: Row) -> None:
        """As the table."""
        self._begin("put")
        self.rows[key] = {**key.wire, **row}

    def update(
        self, key: RowKey, changes: Row, *, only_if: str = "", values: Row | None = None, counting: str = ""
    ) -> bool:
        """As the table."""
        self._begin("update")
        row = self.rows.get(key, {})
        if only_if and not all(_holds(row, part, values or {}) for part in only_if.split(" AND ")):
            return False
        counted = {counting: {"N": str(int(row.get(counting, {"N": "0"})["N"]) + 1)}} if counting else {}
        self.rows[key] = {**key.wire, **row, **changes, **counted}
        return True

    def post_update(self, key: RowKey, changes: Row, *, only_if: str, values: Row) -> PostedUpdate:
        """As the table; it arrives at once."""
        return _Arrived(happened=self.update(key, changes, only_if=only_if, values=values))

    def advance(self, key: RowKey, name: str, by: float, *, floor: float) -> float:
        """As the table."""
        self._begin("advance")
        row = self.rows.setdefault(key, {**key.wire})
        moved = max(float(row.get(name, {"N": "-inf"})["N"]), floor) + by
        row[name] = {"N": f"{moved:.6f}"}
        return moved

    def query(self, partition: str, prefix: str) -> Iterator[Row]:
        """As the table."""
        self._begin("query")
        found = [key for key in self.rows if key.partition == partition and key.sort.startswith(prefix)]
        yield from (copy.deepcopy(self.rows[key]) for key in sorted(found))

    def _begin(self, verb: str) -> None:
        self.step(verb)
        self.requests.append(verb)


def _holds(row: Row, condition: str, values: Row) -> bool:
    if condition.startswith("attribute_not_exists("):
        return condition.removeprefix("attribute_not_exists(").removesuffix(")") not in row
    name, value = condition.split(" = ")
    return name in row and row[name] == values[value]
