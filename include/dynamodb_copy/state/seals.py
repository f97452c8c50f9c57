"""What is remembered of a backup on the side where it lies: its root hash, and that a drill proved it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.rows import Row, RowKey, StateRows


@dataclass(frozen=True, slots=True)
class Proof:
    """That a drill restored a backup and found it whole."""

    run_id: str
    verified: str  # ISO 8601


def remember_root(rows: StateRows, backup_id: str, uri: str, root: str) -> None:
    """Keep a backup's root hash, before the backup is sealed; kept until the backup is deleted."""
    changes: Row = {"root": {"S": root}, "uri": {"S": uri}}
    rows.update(_key(backup_id), changes)


def root_of(rows: StateRows, backup_id: str) -> str | None:
    """The root hash that a backup had when it was sealed, where it is known."""
    row = _row(rows, backup_id)
    return row["root"]["S"] if row and "root" in row else None


def remember_proof(rows: StateRows, backup_id: str, proof: Proof) -> None:
    """Keep that a drill proved the backup."""
    rows.update(_key(backup_id), {"proof": {"S": orjson.dumps(asdict(proof)).decode()}})


def proof_of(rows: StateRows, backup_id: str) -> Proof | None:
    """The last drill that proved the backup."""
    row = _row(rows, backup_id)
    return Proof(**orjson.loads(row["proof"]["S"])) if row and "proof" in row else None


def _row(rows: StateRows, backup_id: str) -> Row | None:
    try:
        return rows.get(_key(backup_id))
    except ResourceMissingError:
        return None


def _key(backup_id: str) -> RowKey:
    return RowKey(f"backup#{backup_id}", "seal")
