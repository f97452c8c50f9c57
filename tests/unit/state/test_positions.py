"""Positions: nobody moves one that another has moved, and nothing of one is lost."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import thorough
from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.positions import Position, move, position_of
from dynamodb_copy.state.rows import RowKey
from unit.state.memory_rows import MemoryRows

TARGET = "arn:aws:dynamodb:us-west-2:123456789012:table/orders"
ROW = RowKey(f"target#{TARGET}", "position")
BLANK = Position("arn:source", "source id", "target id", "stream", 100.0, 100.0)
FULL = Position(
    source_arn="arn:source",
    source_id="source id",
    target_id="target id",
    by="export",
    began=100.5,
    up_to=200.25,
    based=150.0,
    base_items=12_000,
    bases=3,
    is_fresh=False,
    stream_arn="arn:stream",
    starts=({"shard 1": "", "shard 2": "21000000000000000000001"}, {"shard 3": "end"}),
    under_way="run#orders/1#abc#changes",
    until=300.125,
    windows=((0, 900), (900, 1800)),
    chain="01768385930622-efd1a093",
    full="01768385930622-efd1a092",
)

texts = st.text(max_size=5)
frontiers = st.dictionaries(texts, texts, max_size=3)
moments = st.floats(0, 4e9)
positions = st.builds(
    Position,
    **dict.fromkeys(["source_arn", "source_id", "target_id", "by", "stream_arn", "under_way", "chain", "full"], texts),
    **dict.fromkeys(["began", "up_to", "until"], moments),
    based=st.none() | moments,
    base_items=st.none() | st.integers(0, 1 << 40),
    bases=st.integers(0, 99),
    is_fresh=st.booleans(),
    starts=st.lists(frontiers, max_size=3).map(tuple),
    windows=st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)), max_size=3).map(tuple),
)


def test_a_target_that_was_never_filled_has_no_position() -> None:
    assert position_of(MemoryRows(), TARGET) is None


def test_without_a_state_table_there_is_no_position() -> None:
    def missing(_: str) -> None:
        raise ResourceMissingError("GetItem: ResourceNotFoundException")

    assert position_of(MemoryRows(missing), TARGET) is None


def test_every_field_comes_back_as_it_was_stored() -> None:
    rows = MemoryRows()
    defaults = {field.name: field.default for field in fields(Position) if field.name != "version"}

    moved = move(rows, TARGET, FULL, in_place_of=None)

    assert moved == replace(FULL, version=1) == position_of(rows, TARGET)
    assert all(getattr(moved, name) != default for name, default in defaults.items())  # each field says something


@thorough
@given(positions)
def test_any_position_comes_back_as_it_was_stored(position: Position) -> None:
    rows = MemoryRows()

    moved = move(rows, TARGET, position, in_place_of=None)

    assert moved is not None
    assert position_of(rows, TARGET) == moved == replace(position, version=1)


def test_a_position_outlives_all_runs() -> None:
    rows = MemoryRows()

    first = move(rows, TARGET, BLANK, in_place_of=None)
    move(rows, TARGET, replace(BLANK, up_to=101.0), in_place_of=first)

    assert "expires_at" not in rows.rows[ROW]


def test_each_move_counts_the_version_up() -> None:
    rows = MemoryRows()

    first = move(rows, TARGET, BLANK, in_place_of=None)
    second = move(rows, TARGET, replace(BLANK, up_to=101.0), in_place_of=first)

    assert first is not None
    assert second is not None
    assert (first.version, second.version) == (1, 2)
    assert position_of(rows, TARGET) == second


def test_a_position_that_another_has_moved_stays_where_that_one_put_it() -> None:
    rows = MemoryRows()
    seen = move(rows, TARGET, BLANK, in_place_of=None)
    theirs = move(rows, TARGET, replace(BLANK, up_to=120.0), in_place_of=seen)

    assert move(rows, TARGET, replace(BLANK, up_to=110.0), in_place_of=seen) is None
    assert position_of(rows, TARGET) == theirs


def test_of_two_that_begin_one_does() -> None:
    rows = MemoryRows()
    first = move(rows, TARGET, BLANK, in_place_of=None)

    assert move(rows, TARGET, replace(BLANK, began=99.0), in_place_of=None) is None
    assert position_of(rows, TARGET) == first


@pytest.mark.parametrize("is_first", [True, False])
def test_a_move_that_is_sent_twice_because_its_first_reply_was_lost_counts_once(is_first: bool) -> None:  # noqa: FBT001
    rows = MemoryRows()
    before = None if is_first else move(rows, TARGET, BLANK, in_place_of=None)
    to = replace(BLANK, up_to=101.0, starts=({"shard": ""},), windows=((0, 900),))
    moved = move(rows, TARGET, to, in_place_of=before)

    again = move(rows, TARGET, to, in_place_of=before)

    assert again == moved == position_of(rows, TARGET)


def test_targets_have_positions_of_their_own() -> None:
    rows = MemoryRows()
    move(rows, TARGET, BLANK, in_place_of=None)

    assert position_of(rows, f"{TARGET}-2") is None


def test_a_stream_is_read_on_where_its_segments_began_all_together() -> None:
    assert FULL.frontier == {"shard 1": "", "shard 2": "21000000000000000000001", "shard 3": "end"}


@pytest.mark.parametrize(
    ("based", "up_to", "consistent"),
    [(None, 100.0, False), (100.0, 99.9, False), (100.0, 100.0, True), (100.0, 101.0, True)],
)
def test_a_target_is_consistent_once_the_changes_reach_its_bases_end(
    based: float | None,
    up_to: float,
    consistent: bool,  # noqa: FBT001 - a parameter's value
) -> None:
    assert replace(BLANK, based=based, up_to=up_to).is_consistent is consistent
