from __future__ import annotations

from dataclasses import replace

import pytest

from dynamodb_copy.errors import RunIncompleteError
from dynamodb_copy.model import KeySchema, Segment
from dynamodb_copy.state.plans import Plan, find_plan, load_plan, store_plan
from unit.state.memory_rows import MemoryRows

RUN = "run#orders/manual__1"
PLAN = Plan(
    job_name="orders",
    job_text="copy: full\ndescription: Grüße, 東京 🦀\n",
    source_arn="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    source_id="source-1",
    target_arn="arn:aws:dynamodb:us-west-2:123456789012:table/orders",
    target_id="target-1",
    key_names=("customer", "order"),
    ttl_attribute="expires_at",
    expires_before=1_800_000_000,
    segment_count=256,
    read_units=500.0,
    verify_read_units=None,
    write_units={"": 250.0, "by_status": 125.5},
    reason="segments: 256, as the job says",
    notes=("stream: source True, target False (left as it is)",),
    planned_at=1_790_000_000.25,
)


def test_a_stored_plan_is_read_back_as_it_was() -> None:
    rows = MemoryRows()

    assert store_plan(rows, RUN, PLAN) == PLAN
    assert load_plan(rows, RUN) == PLAN


def test_a_second_plan_returns_the_first() -> None:
    rows = MemoryRows()
    store_plan(rows, RUN, PLAN)

    assert store_plan(rows, RUN, replace(PLAN, segment_count=4, job_text="copy: full\n")) == PLAN


def test_runs_have_plans_of_their_own() -> None:
    rows = MemoryRows()
    store_plan(rows, RUN, PLAN)

    assert find_plan(rows, "run#other") is None


def test_a_run_without_a_plan_says_which_task_has_to_succeed() -> None:
    with pytest.raises(RunIncompleteError, match="nothing is planned; let the run's plan task succeed first"):
        load_plan(MemoryRows(), RUN)


def test_a_plan_names_each_of_its_segments_once() -> None:
    assert PLAN.segments == [Segment(index, 256) for index in range(256)]


@pytest.mark.parametrize(
    ("names", "keys"), [(("id",), KeySchema("id")), (("customer", "order"), KeySchema("customer", "order"))]
)
def test_a_plan_knows_the_key_attributes(names: tuple[str, ...], keys: KeySchema) -> None:
    assert replace(PLAN, key_names=names).keys == keys
