"""Scratch tables: their names, and the guards before one is dropped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynamodb_copy.errors import ServiceUnavailableError, TargetRefusedError
from dynamodb_copy.job import DrillJob, RestoreJob
from dynamodb_copy.phases.choosing import Choice
from dynamodb_copy.phases.scratch import (
    SCRATCH_TAG,
    drop,
    drop_leftovers,
    keep,
    rehearsal,
    scratch_name,
    scratch_tags,
)
from dynamodb_copy.state.claims import Claim, claim
from job_texts import kind_of
from unit.phases.memory_context import MemoryContext
from unit.phases.memory_tables import ACCOUNT_ARN, NOW, Tables, context_of, refused

JOB = kind_of(DrillJob)
NAME = scratch_name("orders", "run#1")
CHOICE = Choice(
    uri="s3://dr-backups/orders/AWSDynamoDB/1",
    folder="orders/AWSDynamoDB/1",
    root="ab",
    consistent="2026-11-25T02:00:04+00:00",
    items=1,
    table_arn="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    as_of=None,
    notes=(),
)


def run_with_scratch_table(name: str = NAME, **changes: Any) -> tuple[MemoryContext, Tables]:
    """A drill's run with the scratch table that it made."""
    tables = Tables()
    context = context_of(JOB, tables)
    made = tables.add(name, *scratch_tags(context.run_id), **changes)
    claimed = Claim("s3://dr-backups/orders", context.run, f"id of {name}", "orders")
    assert claim(context.rows, made["TableArn"], claimed, in_place_of=None)
    return context, tables


def refusal_of(context: MemoryContext, name: str = NAME) -> str:
    with pytest.raises(TargetRefusedError) as caught:
        drop(context, name)
    return str(caught.value)


def test_a_scratch_table_that_is_still_being_created_is_dropped_by_a_later_attempt() -> None:
    context, tables = run_with_scratch_table(TableStatus="CREATING")

    with pytest.raises(ServiceUnavailableError, match="is CREATING"):
        drop(context, NAME)
    tables.tables[NAME]["TableStatus"] = "ACTIVE"

    assert drop(context, NAME)
    assert tables.deleted == [NAME]


names = st.from_regex(r"[a-zA-Z0-9_.-]{3,255}", fullmatch=True)


@given(names, st.text(), st.text())
@example("o" * 255, "run#1", "run#2")
def test_a_scratch_table_has_a_name_that_the_service_takes_and_that_is_the_runs_own(
    table: str, run: str, other_run: str
) -> None:
    name = scratch_name(table, run)

    assert re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", name)
    assert name.startswith(table[:200])
    assert (scratch_name(table, other_run) == name) == (run == other_run)
    assert scratch_name(table, run) == name


@given(st.text())
def test_a_tag_has_a_value_that_the_service_takes(run_id: str) -> None:
    ((tag),) = scratch_tags(run_id)

    assert tag["Key"] == SCRATCH_TAG
    assert re.fullmatch(r"[\w +\-=.:/@]{0,256}", tag["Value"])


def test_the_ids_that_airflow_gives_stay_readable_in_the_tag() -> None:
    ((tag),) = scratch_tags("scheduled__2026-11-25T02:00:00+00:00")

    assert tag["Value"] == "scheduled__2026-11-25T02:00:00+00:00"


def test_a_drill_rehearses_the_restore_into_the_runs_scratch_table() -> None:
    job = rehearsal(JOB, CHOICE, "run#1")

    assert isinstance(job, RestoreJob)
    assert job.target.table == NAME


def test_a_runs_own_scratch_table_is_dropped_and_it_alone() -> None:
    context, tables = run_with_scratch_table()
    tables.add("orders")

    assert drop(context, NAME)

    assert tables.deleted == [NAME]


def test_a_scratch_table_that_is_gone_or_going_is_not_dropped_again() -> None:
    context, tables = run_with_scratch_table(TableStatus="DELETING")

    assert not drop(context, NAME)
    assert not drop(context, scratch_name("orders", "run#2"))
    assert tables.deleted == []


@pytest.mark.parametrize("name", ["orders", "orders-drill", "orders-drill-0123456789AB", "orders-drill-0123456789abc"])
def test_a_table_whose_name_is_no_scratch_tables_stays(name: str) -> None:
    context, tables = run_with_scratch_table(name)

    assert refusal_of(context, name).startswith(
        f"{ACCOUNT_ARN}/{name} is not dropped: its name is not a scratch table's; look at it"
    )
    assert tables.deleted == []


@pytest.mark.parametrize(
    "tags",
    [
        [],
        [{"Key": "team", "Value": "orders"}],
        [{"Key": SCRATCH_TAG, "Value": "manual__2"}],
        [{"Key": SCRATCH_TAG, "Value": ""}],
        [{"Key": "dynamodb-copy:scratch", "Value": "manual__1"}],
    ],
)
def test_a_table_whose_tag_does_not_name_the_run_stays(tags: list[dict[str, str]]) -> None:
    context, tables = run_with_scratch_table()
    tables.tags[f"{ACCOUNT_ARN}/{NAME}"] = tags

    assert f"its tag {SCRATCH_TAG} does not name this run" in refusal_of(context)
    assert tables.deleted == []


def test_a_table_that_no_run_claims_stays() -> None:
    context, tables = run_with_scratch_table()
    context.remembered.rows.clear()

    assert "this run did not create it" in refusal_of(context)
    assert tables.deleted == []


def test_a_table_that_another_run_made_stays_even_if_its_id_is_the_same() -> None:
    _, tables = run_with_scratch_table()
    elsewhere = kind_of(DrillJob, from_={"s3": "s3://other-backups/orders"})
    context = context_of(elsewhere, tables)
    made_by = Claim("s3://dr-backups/orders", context_of(JOB).run, f"id of {NAME}", "orders")
    claim(context.rows, f"{ACCOUNT_ARN}/{NAME}", made_by, in_place_of=None)

    assert "this run did not create it" in refusal_of(context)
    assert tables.deleted == []


def test_a_table_that_was_dropped_and_made_again_stays() -> None:
    context, tables = run_with_scratch_table(TableId="another id")

    assert "it is another table than the one that was created" in refusal_of(context)
    assert tables.deleted == []


def test_a_table_under_deletion_protection_stays() -> None:
    context, tables = run_with_scratch_table(DeletionProtectionEnabled=True)

    assert "deletion protection is on" in refusal_of(context)
    assert tables.deleted == []


def test_a_table_that_is_kept_loses_its_mark_and_is_never_dropped() -> None:
    context, tables = run_with_scratch_table()
    tables.tags[f"{ACCOUNT_ARN}/{NAME}"].append({"Key": "team", "Value": "orders"})

    keep(context, NAME)

    assert tables.tags[f"{ACCOUNT_ARN}/{NAME}"] == [{"Key": "team", "Value": "orders"}]
    assert "does not name this run" in refusal_of(context)
    assert drop_leftovers(context) == []


def test_to_keep_a_table_that_is_gone_is_no_failure() -> None:
    keep(context_of(JOB), NAME)


@pytest.mark.parametrize("created", [NOW - 24 * 3600 - 1, datetime.fromtimestamp(NOW - 24 * 3600 - 1, UTC)])
def test_what_a_run_left_behind_more_than_a_day_ago_is_dropped_by_the_next(created: object) -> None:
    context, tables = run_with_scratch_table(CreationDateTime=created)
    tables.add("orders")

    told = drop_leftovers(context)

    assert told == [f"{ACCOUNT_ARN}/{NAME}, left behind by manual__1, was dropped"]
    assert tables.deleted == [NAME]


@pytest.mark.parametrize(
    "changes",
    [
        {"CreationDateTime": NOW - 24 * 3600},
        {"CreationDateTime": NOW},
        *[{"TableStatus": status} for status in ("DELETING", "CREATING", "UPDATING", "ARCHIVED")],
        {"GlobalSecondaryIndexes": [{"IndexName": "by_status", "IndexStatus": "CREATING"}]},
    ],
)
def test_a_table_that_is_young_or_being_changed_is_left_to_a_later_run(changes: dict[str, Any]) -> None:
    context, tables = run_with_scratch_table(**changes)

    assert drop_leftovers(context) == []
    assert tables.deleted == []


@pytest.mark.parametrize("name", ["orders", "orders-drill-backup", "drill-0123456789ab"])
def test_a_table_of_another_name_is_no_leftover(name: str) -> None:
    context, tables = run_with_scratch_table(name)

    assert drop_leftovers(context) == []
    assert tables.deleted == []


def test_a_table_without_the_mark_is_no_leftover() -> None:
    context, tables = run_with_scratch_table()
    tables.tags[f"{ACCOUNT_ARN}/{NAME}"] = []

    assert drop_leftovers(context) == []
    assert tables.deleted == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"TableId": "another id"}, "it is another table than the one that was created"),
        ({"DeletionProtectionEnabled": True}, "deletion protection is on"),
    ],
)
def test_a_leftover_under_a_guard_stays_and_is_told_of(changes: dict[str, Any], why: str) -> None:
    context, tables = run_with_scratch_table(**changes)

    assert drop_leftovers(context) == [f"{ACCOUNT_ARN}/{NAME} looks like a drill's leftover and stays: {why}"]
    assert tables.deleted == []


def test_a_leftover_that_no_run_claims_stays_and_is_told_of() -> None:
    context, tables = run_with_scratch_table()
    context.remembered.rows.clear()

    (line,) = drop_leftovers(context)

    assert line.endswith("stays: no run claims it")
    assert tables.deleted == []


@pytest.mark.parametrize("code", ["ResourceInUseException", "ResourceNotFoundException"])
@pytest.mark.parametrize("operation", ["DeleteTable", "ListTagsOfResource"])
def test_a_leftover_that_another_drill_drops_in_the_same_moment_hides_no_other(operation: str, code: str) -> None:
    context, tables = run_with_scratch_table()
    second = scratch_name("zebras", "run#1")
    arn = tables.add(second, *scratch_tags("manual__0"))["TableArn"]
    claim(context.rows, arn, Claim("s3://x", "run#0", f"id of {second}", "zebras"), in_place_of=None)

    def overtaken(asked: str, request: dict[str, Any]) -> None:
        if asked == operation and NAME in str(request):
            raise refused(code, asked)

    tables.before = overtaken

    assert drop_leftovers(context) == [f"{arn}, left behind by manual__0, was dropped"]
