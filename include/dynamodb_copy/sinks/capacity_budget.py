"""Write capacity: charged before a request by what such requests have cost, corrected by its reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dynamodb_copy.ports import Limiter

_UNIT_BYTES = 1024
_MEMORY = 0.8  # weight of what was learned before against the newest reply


class Charge(NamedTuple):
    """What a request was charged, by limit."""

    raw: float
    units: dict[str, float]


class CapacityBudget:
    """The limits of a table, under the name "", and of its indexes, under theirs."""

    def __init__(self, limiters: Mapping[str, Limiter]) -> None:
        self._limiters = limiters
        self._units_per_raw = dict.fromkeys(limiters, 1.0)
        self.knows_its_costs = not limiters  # else a first reply has to tell, before many requests are sent

    def charge(self, batch: list[bytes]) -> Charge:
        """Wait until these write requests, as wire JSON, may be sent."""
        if not self._limiters:
            return Charge(0.0, {})
        raw = float(sum(-(-size // _UNIT_BYTES) for size in map(len, batch)))
        units = {name: raw * self._units_per_raw[name] for name in self._limiters}
        for name, limiter in self._limiters.items():
            limiter.take(units[name])
        return Charge(raw, units)

    def correct(self, charge: Charge, consumed: dict[str, float], *, whole: bool) -> None:
        """Settle the difference to what the reply says; learn from it if the whole request was written."""
        for name, units in charge.units.items():
            actual = consumed.get(name, 0.0)
            self._limiters[name].settle(actual - units)
            if whole:
                self._learn(name, actual / charge.raw)
        self.knows_its_costs = self.knows_its_costs or whole

    def refund(self, charge: Charge) -> None:
        """Give back what was charged for a request that the service turned down whole: it cost nothing."""
        self.correct(charge, {}, whole=False)

    def _learn(self, name: str, units_per_raw: float) -> None:
        memory = _MEMORY if self.knows_its_costs else 0.0
        self._units_per_raw[name] = memory * self._units_per_raw[name] + (1 - memory) * units_per_raw


def consumed_units(reply: Mapping[str, Any]) -> dict[str, float]:
    """Units by limit in a reply to ReturnConsumedCapacity INDEXES; local indexes use the table's capacity."""
    units = {"": 0.0}
    for consumed in reply.get("ConsumedCapacity", []):
        units[""] += consumed.get("CapacityUnits", 0.0)
        for name, index in consumed.get("GlobalSecondaryIndexes", {}).items():
            units[name] = units.get(name, 0.0) + index["CapacityUnits"]
            units[""] -= index["CapacityUnits"]
    return units
