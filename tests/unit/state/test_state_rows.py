from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.state.creation import ensure_state_table
from dynamodb_copy.state.rows import Row, RowKey, StateRows
from stack.emulators import boto_client
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule, cut_after_forwarding, cut_before_forwarding, internal_error, nth, throttled
from unit.state.memory_rows import MemoryRows

KEY = RowKey("run#1", "segment#0001")
A, B = {"S": "a"}, {"S": "b"}
MINE: Row = {":me": A}


@cache
def client_at(endpoint: str) -> Any:
    """One client for each endpoint: to make one takes longer than a test."""
    return boto_client(endpoint, "dynamodb", "us-west-2")


@contextmanager
def rows_at(endpoint: str, table: str) -> Iterator[StateRows]:
    """The state table behind an endpoint."""
    wire = Wire(client_at(endpoint), Timeouts(1.0, 5.0), Clock())
    try:
        yield StateRows(wire, table)
    finally:
        wire.close()


@pytest.fixture
def state_table(ministack_endpoint: str, table_name: str) -> str:
    """The name of a state table of the test's own."""
    ensure_state_table(client_at(ministack_endpoint), table_name, Clock())
    return table_name


@pytest.fixture(params=["memory", pytest.param("ministack", marks=pytest.mark.integration)])
def rows(request: pytest.FixtureRequest) -> Iterator[StateRows]:
    """Both implementations of one contract."""
    if request.param == "memory":
        yield MemoryRows()
        return
    endpoint: str = request.getfixturevalue("ministack_endpoint")
    with rows_at(endpoint, request.getfixturevalue("state_table")) as real:
        yield real


def test_a_row_that_was_never_written_is_none(rows: StateRows) -> None:
    assert rows.get(KEY) is None


def test_a_put_row_is_read_back_with_its_key(rows: StateRows) -> None:
    rows.put(KEY, {"name": A})

    assert rows.get(KEY) == {"pk": {"S": KEY.partition}, "sk": {"S": KEY.sort}, "name": A}


def test_a_put_replaces_the_whole_row(rows: StateRows) -> None:
    rows.put(KEY, {"name": A, "old": A})
    rows.put(KEY, {"name": B})

    assert rows.get(KEY) == {**KEY.wire, "name": B}


def test_only_the_first_insert_counts(rows: StateRows) -> None:
    assert rows.insert(KEY, {"name": A})
    assert not rows.insert(KEY, {"name": B})

    assert rows.get(KEY) == {**KEY.wire, "name": A}


def test_an_update_sets_what_it_names_and_leaves_the_rest(rows: StateRows) -> None:
    rows.put(KEY, {"name": A, "kept": A})

    assert rows.update(KEY, {"name": B, "new": B})

    assert rows.get(KEY) == {**KEY.wire, "name": B, "kept": A, "new": B}


def test_an_update_makes_a_row_that_is_missing(rows: StateRows) -> None:
    assert rows.update(KEY, {"name": A})

    assert rows.get(KEY) == {**KEY.wire, "name": A}


def test_an_update_whose_condition_does_not_hold_changes_nothing(rows: StateRows) -> None:
    rows.put(KEY, {"holder": B})

    assert not rows.update(KEY, {"name": A}, only_if="holder = :me", values=MINE, counting="beat")

    assert rows.get(KEY) == {**KEY.wire, "holder": B}


def test_an_update_is_conditional_on_all_parts(rows: StateRows) -> None:
    rows.put(KEY, {"holder": A, "beat": {"N": "7"}})
    both = "holder = :me AND beat = :beat"

    assert not rows.update(KEY, {"name": A}, only_if=both, values=MINE | {":beat": {"N": "8"}})
    assert rows.update(KEY, {"name": A}, only_if=both, values=MINE | {":beat": {"N": "7"}})


def test_a_posted_update_happens_if_its_condition_holds(rows: StateRows) -> None:
    rows.put(KEY, {"holder": A})

    mine = rows.post_update(KEY, {"name": A}, only_if="holder = :me", values=MINE)
    theirs = rows.post_update(KEY, {"name": B}, only_if="holder = :me", values={":me": B})

    assert mine.has_happened()
    assert not theirs.has_happened()
    assert rows.get(KEY) == {**KEY.wire, "holder": A, "name": A}


def test_a_posted_update_that_is_only_seen_out_has_ended(rows: StateRows) -> None:
    rows.put(KEY, {"holder": A})

    rows.post_update(KEY, {"name": A}, only_if="holder = :me", values=MINE).see_out()

    assert (rows.get(KEY) or {})["name"] == A


def test_no_condition_on_an_attribute_holds_in_a_missing_row(rows: StateRows) -> None:
    assert not rows.update(KEY, {"name": A}, only_if="holder = :me", values=MINE)

    assert rows.update(KEY, {"name": A}, only_if="attribute_not_exists(holder)")


def test_a_counter_goes_up_with_each_write_that_happens(rows: StateRows) -> None:
    for _ in range(3):
        rows.update(KEY, {"name": A}, counting="beat")

    assert (rows.get(KEY) or {})["beat"] == {"N": "3"}


def test_a_number_advances_from_where_it_is_or_from_the_floor(rows: StateRows) -> None:
    assert rows.advance(KEY, "busy_until", 0.25, floor=100.0) == 100.25
    assert rows.advance(KEY, "busy_until", 0.25, floor=100.0) == 100.5
    assert rows.advance(KEY, "busy_until", 0.25, floor=100.5) == 100.75
    assert rows.advance(KEY, "busy_until", 0.25, floor=200.0) == 200.25


def test_a_query_finds_a_partitions_rows_by_prefix_in_order(rows: StateRows) -> None:
    for sort in ("b#2", "b#1", "a#1", "c"):
        rows.put(RowKey("run#1", sort), {})
    rows.put(RowKey("run#2", "b#3"), {})

    assert [row["sk"]["S"] for row in rows.query("run#1", "b#")] == ["b#1", "b#2"]


def test_a_query_goes_on_after_the_first_page(rows: StateRows) -> None:
    large = {"S": "x" * 300_000}
    for number in range(5):
        rows.put(RowKey("run#1", f"large#{number}"), {"text": large})

    assert len(list(rows.query("run#1", "large#"))) == 5


@pytest.mark.integration
def test_threads_that_advance_a_number_together_each_get_their_own_stretch(
    ministack_endpoint: str, state_table: str
) -> None:
    def book(_: int) -> list[float]:
        with rows_at(ministack_endpoint, state_table) as rows:
            return [rows.advance(KEY, "busy_until", 1.0, floor=0.0) for _ in range(10)]

    with ThreadPoolExecutor(4) as threads:
        ends = [end for ends in threads.map(book, range(4)) for end in ends]

    assert sorted(ends) == [float(end) for end in range(1, 41)]


Verb = Callable[[StateRows], Any]
ONCE: dict[str, tuple[str, Verb, Any]] = {
    "a put": ("PutItem", lambda rows: rows.put(KEY, {"name": A}), None),
    "an update": ("UpdateItem", lambda rows: rows.update(KEY, {"name": A}), True),
    "a posted update": (
        "UpdateItem",
        lambda rows: rows.post_update(
            KEY, {"name": A}, only_if="attribute_not_exists(holder)", values={}
        ).has_happened(),
        True,
    ),
    "a read": ("GetItem", lambda rows: rows.get(RowKey("none", "none")), None),
    "a query": ("Query", lambda rows: list(rows.query("none", "none")), []),
}


FAULTS = {
    "throttled": throttled(),
    "internal error": internal_error(),
    "request lost": cut_before_forwarding(),
    "reply lost": cut_after_forwarding(),
}


@pytest.mark.integration
@pytest.mark.parametrize("verb", ONCE)
@pytest.mark.parametrize("fault", FAULTS)
def test_requests_that_fail_in_passing_are_sent_again(
    ministack_endpoint: str, state_table: str, verb: str, fault: str
) -> None:
    operation, request, expected = ONCE[verb]

    with FaultProxy(ministack_endpoint, Rule(FAULTS[fault], operation, nth(1, 2))) as proxy:
        with rows_at(proxy.endpoint, state_table) as rows:
            assert request(rows) == expected
        assert proxy.count(operation) == 3


@pytest.mark.integration
def test_an_insert_whose_reply_was_lost_says_false_and_has_happened(ministack_endpoint: str, state_table: str) -> None:
    lost = Rule(cut_after_forwarding(), "PutItem", nth(1))

    with FaultProxy(ministack_endpoint, lost) as proxy, rows_at(proxy.endpoint, state_table) as rows:
        assert not rows.insert(KEY, {"name": A})

        assert (rows.get(KEY) or {})["name"] == A


@pytest.mark.integration
def test_an_advance_whose_reply_was_lost_wastes_its_stretch_and_never_shares_it(
    ministack_endpoint: str, state_table: str
) -> None:
    lost = Rule(cut_after_forwarding(), "UpdateItem", nth(2))

    with FaultProxy(ministack_endpoint, lost) as proxy, rows_at(proxy.endpoint, state_table) as rows:
        assert rows.advance(KEY, "busy_until", 1.0, floor=5.0) == 7.0
