"""What is remembered of a backup beside it."""

from __future__ import annotations

import pytest

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.state.seals import (
    Proof,
    condemn,
    forget,
    is_condemned,
    proof_of,
    remember_proof,
    remember_root,
    root_of,
)
from unit.state.memory_rows import MemoryRows

ID, OTHER = "01768385930622-efd1a093", "01768385930622-00000000"
URI = f"s3://dr-backups/orders/AWSDynamoDB/{ID}"
PROOF = Proof("manual__1", "2026-11-25T06:01:30+00:00")


def without_table(_: str) -> None:
    raise ResourceMissingError("GetItem: ResourceNotFoundException")


def test_a_root_hash_is_remembered_by_the_backups_id_alone() -> None:
    rows = MemoryRows()

    remember_root(rows, ID, URI, "ab" * 32)

    assert (root_of(rows, ID), root_of(rows, OTHER)) == ("ab" * 32, None)
    assert (rows.get(RowKey(f"backup#{ID}", "seal")) or {})["uri"] == {"S": URI}


def test_a_run_that_seals_again_remembers_the_same_again() -> None:
    rows = MemoryRows()
    remember_root(rows, ID, URI, "ab")

    remember_root(rows, ID, URI, "cd")

    assert root_of(rows, ID) == "cd"


def test_the_last_proof_is_remembered_beside_the_root_hash() -> None:
    rows = MemoryRows()
    remember_root(rows, ID, URI, "ab")
    later = Proof("manual__2", "2026-11-26T06:01:30+00:00")

    remember_proof(rows, ID, PROOF)
    remember_proof(rows, ID, later)

    assert (root_of(rows, ID), proof_of(rows, ID)) == ("ab", later)


def test_a_backup_that_came_from_elsewhere_has_a_proof_and_no_root_hash() -> None:
    rows = MemoryRows()

    remember_proof(rows, ID, PROOF)

    assert (root_of(rows, ID), proof_of(rows, ID)) == (None, PROOF)


def test_a_root_hash_comes_after_a_proof_without_taking_it_away() -> None:
    rows = MemoryRows()
    remember_proof(rows, ID, PROOF)

    remember_root(rows, ID, URI, "ab")

    assert proof_of(rows, ID) == PROOF


def test_nothing_is_known_of_a_backup_that_was_never_sealed_here() -> None:
    assert (root_of(MemoryRows(), ID), proof_of(MemoryRows(), ID)) == (None, None)


def test_without_a_state_table_nothing_is_known_and_nothing_fails() -> None:
    rows = MemoryRows(without_table)

    remember_proof(rows, ID, PROOF)

    assert (root_of(rows, ID), proof_of(rows, ID)) == (None, None)


def test_a_root_hash_that_cannot_be_remembered_is_a_failure() -> None:
    with pytest.raises(ResourceMissingError):
        remember_root(MemoryRows(without_table), ID, URI, "ab")


def test_what_is_remembered_does_not_expire_before_the_backup_is_deleted() -> None:
    rows = MemoryRows()
    remember_root(rows, ID, URI, "ab")
    remember_proof(rows, ID, PROOF)

    before = "expires_at" in rows.rows[RowKey(f"backup#{ID}", "seal")]
    forget(rows, ID)

    assert (before, "expires_at" in rows.rows[RowKey(f"backup#{ID}", "seal")]) == (False, True)
    assert root_of(rows, ID) == "ab"


def test_a_backup_is_condemned_where_it_is_and_not_where_it_was_copied_to() -> None:
    rows = MemoryRows()
    remember_root(rows, ID, URI, "ab")
    before = is_condemned(rows, ID, URI)

    condemn(rows, ID, URI)

    assert (before, is_condemned(rows, ID, URI)) == (False, True)
    assert not is_condemned(rows, ID, f"s3://copies/orders/AWSDynamoDB/{ID}")
    assert not is_condemned(rows, OTHER, URI)
    assert not is_condemned(MemoryRows(without_table), ID, URI)
    assert root_of(rows, ID) == "ab"
