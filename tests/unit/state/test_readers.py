"""Who reads a stream: others count, for as long as they may still be reading."""

from __future__ import annotations

import time

import pytest

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.readers import other_readers, remember_reader
from dynamodb_copy.state.rows import RowKey
from unit.state.memory_rows import MemoryRows

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
TARGET = "arn:aws:dynamodb:us-west-2:123456789012:table/orders"
CHAIN = "s3://dr-backups/orders"
DAY = 86_400


def test_a_stream_that_nobody_reads_has_no_readers() -> None:
    assert other_readers(MemoryRows(), STREAM, TARGET) == []


def test_the_jobs_that_read_for_other_targets_are_named_in_order() -> None:
    rows = MemoryRows()
    remember_reader(rows, STREAM, f"{TARGET}-2", "orders_replica")
    remember_reader(rows, STREAM, CHAIN, "orders_chain")

    assert other_readers(rows, STREAM, TARGET) == ["orders_chain", "orders_replica"]


def test_who_reads_for_this_target_is_no_other_whatever_its_name() -> None:
    rows = MemoryRows()
    remember_reader(rows, STREAM, TARGET, "orders_before_it_was_renamed")

    assert other_readers(rows, STREAM, TARGET) == []


def test_a_job_counts_once_for_each_target_however_often_it_reads() -> None:
    rows = MemoryRows()
    for _ in range(3):
        remember_reader(rows, STREAM, CHAIN, "orders_chain")

    assert other_readers(rows, STREAM, TARGET) == ["orders_chain"]


def test_readers_of_another_stream_do_not_count() -> None:
    rows = MemoryRows()
    remember_reader(rows, f"{STREAM}-before", CHAIN, "orders_chain")

    assert other_readers(rows, STREAM, TARGET) == []


def test_a_reader_is_forgotten_when_its_place_in_the_stream_is_surely_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = MemoryRows()
    remember_reader(rows, STREAM, CHAIN, "orders_chain")
    now = time.time()

    monkeypatch.setattr("time.time", lambda: now + DAY)
    assert other_readers(rows, STREAM, TARGET) == ["orders_chain"]

    monkeypatch.setattr("time.time", lambda: now + 2 * DAY + 1)
    assert other_readers(rows, STREAM, TARGET) == []
    assert RowKey(f"stream#{STREAM}", f"reader#{CHAIN}") in rows.rows  # TTL takes its time


def test_without_a_state_table_nobody_reads() -> None:
    def missing(_: str) -> None:
        raise ResourceMissingError("Query: ResourceNotFoundException")

    assert other_readers(MemoryRows(missing), STREAM, TARGET) == []
