from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.errors import LeaseLostError
from dynamodb_copy.model import BUCKETS, DIGEST_MODULUS, Checkpoint, Cursor, Digest, Part, Segment, Tally
from dynamodb_copy.state.checkpoints import StateCheckpoints, segment_key
from dynamodb_copy.state.leases import Lease
from fakes import StoppedClock
from unit.state.memory_rows import MemoryRows

RUN = "run#orders/manual__1"
SEGMENT = Segment(3, 16)
HALFWAY = Checkpoint({"id": {"S": "42"}}, Tally(items=42, bytes=4_200, read_units=5.5))


def leased_by(attempt: str, rows: MemoryRows) -> StateCheckpoints:
    """The checkpoints of an attempt that has just taken the segment's lease."""
    lease = Lease(rows, segment_key(RUN, SEGMENT), attempt, request_seconds=1.0, clock=StoppedClock())
    lease.acquire(wait_while_alive=True)
    return StateCheckpoints(rows, RUN, attempt)


def test_a_segment_that_was_never_begun_has_an_empty_checkpoint() -> None:
    assert StateCheckpoints(MemoryRows(), RUN, "reader").load(SEGMENT) == Checkpoint()


def test_a_segment_that_is_leased_and_not_saved_has_an_empty_checkpoint() -> None:
    assert leased_by("first", MemoryRows()).load(SEGMENT) == Checkpoint()


def test_cursor_and_tally_are_saved_in_one_conditional_write() -> None:
    rows = MemoryRows()
    checkpoints = leased_by("first", rows)
    asked = len(rows.requests)

    checkpoints.save(SEGMENT, HALFWAY)

    assert rows.requests[asked:] == ["update"]
    assert checkpoints.load(SEGMENT) == HALFWAY


def test_the_next_attempt_goes_on_from_what_the_last_one_saved() -> None:
    rows = MemoryRows()
    leased_by("first", rows).save(SEGMENT, HALFWAY)

    assert leased_by("second", rows).load(SEGMENT) == HALFWAY


def test_an_attempt_that_lost_its_segment_saves_nothing() -> None:
    rows = MemoryRows()
    zombie = leased_by("zombie", rows)
    leased_by("new", rows).save(SEGMENT, HALFWAY)

    zombie.save(SEGMENT, Checkpoint({"id": {"S": "7"}}))
    with pytest.raises(LeaseLostError, match="segment 4/16: another attempt"):
        zombie.save(SEGMENT, Checkpoint({"id": {"S": "8"}}))

    assert zombie.load(SEGMENT) == HALFWAY


def test_the_last_checkpoint_of_an_attempt_that_lost_its_segment_is_refused_at_once() -> None:
    rows = MemoryRows()
    zombie = leased_by("zombie", rows)
    leased_by("new", rows).save(SEGMENT, HALFWAY)

    with pytest.raises(LeaseLostError, match="segment 4/16: another attempt"):
        zombie.save(SEGMENT, Checkpoint(done=True))


def test_an_attempt_that_never_had_the_segment_saves_nothing() -> None:
    rows = MemoryRows()

    with pytest.raises(LeaseLostError):
        StateCheckpoints(rows, RUN, "stranger").save(SEGMENT, Checkpoint(done=True))

    assert rows.get(segment_key(RUN, SEGMENT)) is None


def test_saving_leaves_the_lease_as_it_is() -> None:
    rows = MemoryRows()
    checkpoints = leased_by("first", rows)
    before = rows.get(segment_key(RUN, SEGMENT)) or {}

    checkpoints.save(SEGMENT, HALFWAY)

    assert before.items() <= (rows.get(segment_key(RUN, SEGMENT)) or {}).items()


def test_segments_and_runs_have_checkpoints_of_their_own() -> None:
    rows = MemoryRows()
    leased_by("first", rows).save(SEGMENT, HALFWAY)

    assert StateCheckpoints(rows, RUN, "reader").load(Segment(4, 16)) == Checkpoint()
    assert StateCheckpoints(rows, "run#other", "reader").load(SEGMENT) == Checkpoint()


NAMES = st.text(min_size=1, max_size=20)
KEYS = st.one_of(
    st.builds(lambda text: {"S": text}, NAMES),
    st.builds(lambda number: {"N": str(number)}, st.decimals(allow_nan=False, allow_infinity=False)),
    st.builds(lambda packed: {"B": packed.hex()}, st.binary(min_size=1, max_size=30)),
)
COUNTS = st.integers(0, 2**50)
UNITS = st.floats(0, 1e12, allow_nan=False)
TALLIES = st.builds(
    Tally,
    items=COUNTS,
    bytes=COUNTS,
    expiring=COUNTS,
    pages=COUNTS,
    read_units=UNITS,
    write_units=UNITS,
    throttles=COUNTS,
    retries=COUNTS,
    seconds=UNITS,
    digest=st.integers(0, DIGEST_MODULUS - 1).map(
        lambda seed: Digest(tuple([seed * (bucket + 1) % DIGEST_MODULUS for bucket in range(BUCKETS)]))
    ),
)


PARTS = st.lists(st.builds(Part, NAMES, COUNTS, COUNTS, NAMES, NAMES, NAMES), max_size=3).map(tuple)


@given(
    cursor=st.one_of(st.none(), st.dictionaries(NAMES, KEYS, max_size=2)),
    tally=TALLIES,
    done=st.booleans(),
    parts=PARTS,
)
def test_every_checkpoint_is_read_back_as_it_was_saved(
    cursor: Cursor | None, tally: Tally, *, done: bool, parts: tuple[Part, ...]
) -> None:
    checkpoints = leased_by("first", MemoryRows())

    checkpoints.save(SEGMENT, Checkpoint(cursor, tally, done=done, parts=parts))

    assert checkpoints.load(SEGMENT) == Checkpoint(cursor, tally, done=done, parts=parts)


def test_a_checkpoint_of_a_run_that_was_begun_before_there_were_parts_has_none() -> None:
    rows = MemoryRows()
    checkpoints = leased_by("first", rows)
    checkpoints.save(SEGMENT, HALFWAY)

    del rows.rows[segment_key(RUN, SEGMENT)]["parts"]

    assert checkpoints.load(SEGMENT) == HALFWAY
