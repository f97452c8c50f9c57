"""What is remembered of a backup on the side where it lies: its root hash, and that a drill proved it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

import orjson

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.formats.increment_manifest import TableState
from dynamodb_copy.formats.json_values import digest
from dynamodb_copy.formats.manifest_writer import packed_digest
from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, StateRows, expiry


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
    """Keep that a drill proved the backup, if there is a state table beside it: a moved backup may have none."""
    with suppress(ResourceMissingError):
        rows.update(_key(backup_id), {"proof": {"S": orjson.dumps(asdict(proof)).decode()}})


def proof_of(rows: StateRows, backup_id: str) -> Proof | None:
    """The last drill that proved the backup."""
    row = _row(rows, backup_id)
    return Proof(**orjson.loads(row["proof"]["S"])) if row and "proof" in row else None


def remember_state(rows: StateRows, backup_id: str, state: TableState) -> None:
    """Keep what a drill found a table to hold at a backup's end, if there is a state table beside it."""
    packed = {"items": state.items, "digest": packed_digest(state.digest)}
    with suppress(ResourceMissingError):
        rows.update(_key(backup_id), {"state": {"S": orjson.dumps(packed).decode()}})


def state_of(rows: StateRows, backup_id: str) -> TableState | None:
    """What the table is known to hold at a backup's end."""
    row = _row(rows, backup_id)
    if row is None or "state" not in row:
        return None
    packed = orjson.loads(row["state"]["S"])
    return TableState(packed["items"], digest(packed["digest"]))


def condemn(rows: StateRows, backup_id: str, uri: str) -> None:
    """Keep that the backup at this address is to be deleted, so that a deletion which is cut short can be ended."""
    rows.update(_key(backup_id), {"condemned": {"S": uri}})


def is_condemned(rows: StateRows, backup_id: str, uri: str) -> bool:
    """Whether the deletion of the backup at this address has begun; a copy of it may well live on at another."""
    return (_row(rows, backup_id) or {}).get("condemned") == {"S": uri}


def forget(rows: StateRows, backup_id: str) -> None:
    """Let what is remembered of a deleted backup expire; until then an edited copy of it is still told apart."""
    rows.update(_key(backup_id), {"expires_at": expiry(RUN_DAYS)})


def _row(rows: StateRows, backup_id: str) -> Row | None:
    try:
        return rows.get(_key(backup_id))
    except ResourceMissingError:
        return None


def _key(backup_id: str) -> RowKey:
    return RowKey(f"backup#{backup_id}", "seal")
