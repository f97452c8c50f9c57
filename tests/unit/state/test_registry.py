"""The registry remembers each job once: its last run, when its file was first seen, what people were told."""

from __future__ import annotations

from dataclasses import replace

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.registry import (
    LastRun,
    Registered,
    all_registered,
    register_run,
    registry_key,
    remember_told,
    sight,
)
from dynamodb_copy.state.reports import store_report
from unit.state.memory_rows import MemoryRows

LAST = LastRun("orders/1", "2026-12-01T02:10:00+00:00", "2026-12-01T02:00:00+00:00", "us-west-2/orders", "copy")


def test_a_job_is_registered_by_its_report_and_the_next_run_takes_the_place_of_the_last() -> None:
    rows = MemoryRows()
    later = replace(LAST, run_id="orders/2", finished="2026-12-02T02:10:00+00:00")

    for run in (LAST, later):
        store_report(rows, "orders", run, {})

    assert all_registered(rows) == [Registered("orders", later)]


def test_a_run_leaves_alone_what_watchers_remember() -> None:
    rows = MemoryRows()
    sight(rows, "orders", 5.0)
    remember_told(rows, "orders", "alarm", "overdue")
    remember_told(rows, "orders", "chain_alarm", "gap 1")

    register_run(rows, "orders", LAST)

    assert sight(rows, "orders", 9.0) == Registered("orders", LAST, 5.0, "overdue", "gap 1")


def test_the_first_sight_of_a_job_is_kept_and_later_ones_write_nothing() -> None:
    rows = MemoryRows()

    first = sight(rows, "orders", 5.0)
    rows.requests.clear()

    assert first == sight(rows, "orders", 9.0) == Registered("orders", seen_at=5.0)
    assert rows.requests == ["get"]


def test_of_two_watchers_at_once_the_first_sight_counts() -> None:
    def another(verb: str) -> None:
        if verb == "update" and registry_key("orders") not in rows.rows:
            rows.rows[registry_key("orders")] = {"seen_at": {"N": "5.000"}}

    rows = MemoryRows(another)
    sight(rows, "orders", 6.0)

    assert sight(rows, "orders", 9.0).seen_at == 5.0


def test_jobs_are_remembered_apart_and_for_ever() -> None:
    rows = MemoryRows()
    register_run(rows, "orders", LAST)
    sight(rows, "customers", 5.0)

    assert [each.job_name for each in all_registered(rows)] == ["customers", "orders"]
    assert "expires_at" not in rows.rows[registry_key("orders")]


def test_without_a_state_table_there_are_no_jobs() -> None:
    def missing(_: str) -> None:
        raise ResourceMissingError("Query: ResourceNotFoundException")

    assert all_registered(MemoryRows(missing)) == []
