"""List: what lies below a prefix, and whether it is whole, as far as that can be told without reading the parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.aws.tables import describe
from dynamodb_copy.catalogue import Backup, Entry, Kind, entries, open_backup, open_increment
from dynamodb_copy.errors import BackupRefusedError, CopyError
from dynamodb_copy.formats.increment_manifest import IncrementSummary
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.context import DEFAULT_STATE_TABLE
from dynamodb_copy.state.rows import StateRows
from dynamodb_copy.state.seals import proof_of, root_of
from dynamodb_copy.stored_increment import Increment

_THREADS = 16


@dataclass(frozen=True, slots=True)
class Listed:
    """One folder below a prefix; what is not known of it is None."""

    id: str
    kind: Kind  # damaged: its files do not agree with one another, or with what was sealed
    sealed: bool
    table: str | None  # ARN of the table that was backed up
    consistent: str | None  # ISO 8601: all writes up to then are in it, or in the increments before it
    began: str | None  # ISO 8601, as its backup.json has it; of an increment, from when on it holds changes
    ended: str | None
    items: int | None  # of an increment, changes
    bytes: int | None  # of the items
    verified: str | None  # ISO 8601: when a drill last proved it; "never", or "unknown" without a state table
    problem: str  # of a damaged one


@dataclass(frozen=True, slots=True)
class Listing:
    """All folders below a prefix, by id, which is roughly by time."""

    uri: str
    backups: tuple[Listed, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"uri": self.uri, "backups": [asdict(each) for each in self.backups], "notes": list(self.notes)}


def list_backups(place: S3At, connect: Connect) -> Listing:
    """Read and check what describes the backups of a place; writes nothing.

    Raises ConnectionMissingError, BucketRefusedError, AccessError and ServiceUnavailableError.
    """
    bucket = Bucket(connect("s3", place.region, place.connection), place.bucket)
    uri = f"s3://{place.bucket}/{place.prefix}".removesuffix("/")
    found = entries(bucket, place.prefix)
    if not found:
        return Listing(uri, (), ())
    with seals_beside(place, connect) as (rows, missing):
        notes = (f"verified is unknown: {missing}",) if missing else ()
        return Listing(uri, listed(bucket, found, rows), notes)


def listed(bucket: Bucket, found: Sequence[Entry], rows: StateRows | None) -> tuple[Listed, ...]:
    """What can be told of each entry of the catalogue; without rows of a state table, less."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return tuple(threads.map(lambda entry: _listed(bucket, entry, rows), found))


def item_bytes(backup: Backup | Increment) -> int:
    """How much a backup's items have: what its backup.json counted, or what the service billed an export by."""
    counted = backup.details.bytes if backup.details else 0
    return counted or int(backup.summary.values.get("billedSizeBytes") or 0)


@contextmanager
def seals_beside(place: S3At, connect: Connect) -> Iterator[tuple[StateRows | None, str]]:
    """The rows of the state table beside the backups, or why there are none: much can be told without them."""
    name = os.environ.get("DYNAMODB_COPY_STATE_TABLE", DEFAULT_STATE_TABLE)
    client = connect("dynamodb", place.region, place.connection)
    missing = _missing(client, name)
    if missing:
        yield None, missing
        return
    with closing(Wire(client, Timeouts(), Clock())) as wire:
        yield StateRows(wire, name), ""


def _missing(client: Any, name: str) -> str:
    """Why the state table cannot be asked; empty if it can."""
    try:
        table = describe(client, name)
    except CopyError as error:
        return str(error)
    return "" if table else f"there is no state table {name!r} in {client.meta.region_name}"


def _listed(bucket: Bucket, entry: Entry, rows: StateRows | None) -> Listed:
    if entry.increment is not None:
        return _increment(bucket, entry, entry.increment, rows)
    try:
        opened = open_backup(bucket, entry.folder, known_roots(rows)) if entry.kind == "full" else None
    except BackupRefusedError as error:
        return _as_listed(entry, None, kind="damaged", verified=_verified(entry, rows), problem=str(error))
    verified = None if opened is None else _verified(entry, rows)
    return _as_listed(entry, opened, kind=entry.kind, verified=verified, problem=entry.problem)


def _increment(bucket: Bucket, entry: Entry, summary: IncrementSummary, rows: StateRows | None) -> Listed:
    """Its span is from when to when it leads; drills prove whole chains, and not one of their increments."""
    size_bytes, problem = None, ""
    try:
        size_bytes = item_bytes(open_increment(bucket, entry.folder, known_roots(rows)))
    except BackupRefusedError as error:
        problem = str(error)
    return Listed(
        id=entry.id,
        kind="damaged" if problem else entry.kind,
        sealed=True,
        table=summary.table_arn,
        consistent=summary.to_time,
        began=summary.from_time,
        ended=summary.to_time,
        items=summary.items,
        bytes=size_bytes,
        verified=None,
        problem=problem,
    )


def _as_listed(entry: Entry, opened: Backup | None, *, kind: Kind, verified: str | None, problem: str) -> Listed:
    summary, details = entry.summary, opened.details if opened else None
    return Listed(
        id=entry.id,
        kind=kind,
        sealed=kind != "unsealed",
        table=summary.table_arn if summary else None,
        consistent=summary.export_time if summary else None,
        began=details.began if details else None,
        ended=details.ended if details else None,
        items=summary.items if summary else None,
        bytes=item_bytes(opened) if opened else None,
        verified=verified,
        problem=problem,
    )


def known_roots(rows: StateRows | None) -> Callable[[str], str | None]:
    """The root hash that is remembered of what has an id; without a state table, of nothing."""
    return lambda backup_id: None if rows is None else root_of(rows, backup_id)


def _verified(entry: Entry, rows: StateRows | None) -> str:
    if rows is None:
        return "unknown"
    proof = proof_of(rows, entry.id)
    return proof.verified if proof else "never"
