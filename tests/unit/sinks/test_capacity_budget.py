"""What writes cost, before and after they are done."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.sinks.capacity_budget import CapacityBudget, consumed_units
from fakes import CountingLimiter

BATCH = [b"x" * 1_024, b"x" * 1_025, b"x"]
"""Four units of wire JSON."""


@pytest.fixture
def limiters() -> dict[str, CountingLimiter]:
    return {"": CountingLimiter(), "by_status": CountingLimiter()}


def test_a_first_request_is_charged_by_its_wire_json_each_write_rounded_up(
    limiters: dict[str, CountingLimiter],
) -> None:
    CapacityBudget(limiters).charge(BATCH)

    assert {name: limiter.taken for name, limiter in limiters.items()} == {"": [4.0], "by_status": [4.0]}


def test_the_first_reply_sets_the_estimate_for_the_next_request(limiters: dict[str, CountingLimiter]) -> None:
    budget = CapacityBudget(limiters)

    budget.correct(budget.charge(BATCH), {"": 8.0, "by_status": 1.0}, whole=True)
    budget.charge(BATCH)

    assert limiters[""].taken == [4.0, 8.0]
    assert limiters["by_status"].taken == [4.0, 1.0]


def test_later_replies_move_the_estimate_a_little(limiters: dict[str, CountingLimiter]) -> None:
    budget = CapacityBudget(limiters)
    budget.correct(budget.charge(BATCH), {"": 4.0}, whole=True)

    budget.correct(budget.charge(BATCH), {"": 9.0}, whole=True)
    budget.charge(BATCH)

    assert limiters[""].taken[-1] == pytest.approx(5.0)


def test_the_estimate_comes_to_be_right(limiters: dict[str, CountingLimiter]) -> None:
    budget = CapacityBudget(limiters)
    budget.correct(budget.charge(BATCH), {"": 400.0}, whole=True)

    for _ in range(30):
        budget.correct(budget.charge(BATCH), {"": 3.0}, whole=True)

    assert limiters[""].taken[-1] == pytest.approx(3.0, abs=1.0)


def test_what_was_charged_is_corrected_to_what_it_cost(limiters: dict[str, CountingLimiter]) -> None:
    budget = CapacityBudget(limiters)

    budget.correct(budget.charge(BATCH), {"": 7.0}, whole=True)

    assert (limiters[""].spent, limiters["by_status"].spent) == (7.0, 0.0)


def test_a_request_that_was_written_in_part_is_settled_but_teaches_nothing(
    limiters: dict[str, CountingLimiter],
) -> None:
    budget = CapacityBudget(limiters)

    budget.correct(budget.charge(BATCH), {"": 1.0, "by_status": 1.0}, whole=False)
    budget.charge(BATCH)

    assert limiters[""].settled == [-3.0]
    assert limiters[""].taken == [4.0, 4.0]
    assert not budget.knows_its_costs


def test_a_refund_gives_back_all_of_it(limiters: dict[str, CountingLimiter]) -> None:
    budget = CapacityBudget(limiters)

    budget.refund(budget.charge(BATCH))

    assert [limiter.spent for limiter in limiters.values()] == [0.0, 0.0]


def test_without_limits_there_is_nothing_to_know() -> None:
    budget = CapacityBudget({})

    budget.correct(budget.charge(BATCH), {"": 7.0}, whole=True)

    assert budget.knows_its_costs


@pytest.mark.parametrize(
    ("consumed", "expected"),
    [
        ([], {"": 0.0}),
        ([{"TableName": "t", "CapacityUnits": 5.0}], {"": 5.0}),
        (
            [
                {
                    "TableName": "t",
                    "CapacityUnits": 9.0,
                    "Table": {"CapacityUnits": 4.0},
                    "LocalSecondaryIndexes": {"by_total": {"CapacityUnits": 2.0}},
                    "GlobalSecondaryIndexes": {"by_status": {"CapacityUnits": 3.0}},
                }
            ],
            {"": 6.0, "by_status": 3.0},
        ),
    ],
    ids=["none", "a table alone", "a local index costs the table, a global one itself"],
)
def test_units_are_told_apart_by_the_limit_that_they_count_towards(
    consumed: list[dict[str, Any]], expected: dict[str, float]
) -> None:
    assert consumed_units({"ConsumedCapacity": consumed}) == expected


def test_a_reply_without_costs_is_free() -> None:
    assert consumed_units({}) == {"": 0.0}
