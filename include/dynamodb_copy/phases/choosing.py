"""Choose: which backup, and which increments after it, a run restores; decided once per run."""

from __future__ import annotations

import base64
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.catalogue import Backup, entries, newest, open_increment
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.finding import Found, described, find, known_root, opened
from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, expiry
from dynamodb_copy.stored_increment import Increment

_THREADS = 16


@dataclass(frozen=True, slots=True)
class Choice:
    """The backup of a run, as it was when it was chosen."""

    uri: str  # of the full backup, like `folder`, `root` and `items`
    folder: str  # key without a slash at its end
    root: str  # hash of the files that describe it
    consistent: str  # ISO 8601: the restored table stands for this moment; all writes up to then are in it
    items: int
    table_arn: str  # of the table that was backed up
    as_of: str | None  # ISO 8601: what was asked for; None: the latest
    notes: tuple[str, ...]
    increments: tuple[tuple[str, str], ...] = ()  # folder and root of each that follows, in order
    until: str | None = None  # ISO 8601: of their changes, those of this second and before count; None: all

    @property
    def described(self) -> str:
        """What it is, for people."""
        return described(self.uri, len(self.increments))

    def wanted(self, now: datetime) -> datetime:
        """The moment that the backup is held against: the one asked for, or now."""
        return now if self.as_of is None else datetime.fromisoformat(self.as_of)

    @property
    def until_micros(self) -> int | None:
        """The last microsecond of the epoch whose changes count."""
        return None if self.until is None else last_micros(datetime.fromisoformat(self.until))


def last_micros(second: datetime) -> int:
    """The last microsecond of the epoch within a whole second."""
    return (int(second.timestamp()) + 1) * 1_000_000 - 1


def choose(context: AnyContext, as_of: datetime | None) -> Choice:
    """Return the run's choice, choosing on the first call what leads to `as_of`, or as far as there is anything.

    Raises BackupRefusedError when the moment cannot be had, or when what is there is not whole.
    """
    stored = find_choice(context)
    if stored is not None:
        return stored
    choice = _choice(find(context, as_of), as_of)
    context.ensure_state()
    return choice if context.rows.insert(_key(context), _to_row(choice)) else chosen(context)


def there_is_one(context: AnyContext, as_of: datetime | None) -> bool:
    """Whether a sealed backup can be chosen now."""
    place: S3At = context.job.source
    return newest(entries(context.bucket(place), place.prefix), until=as_of) is not None


def find_choice(context: AnyContext) -> Choice | None:
    """The run's choice, if it has made one and the state table exists."""
    row = found_row(context, _key(context))
    return None if row is None else _from_row(row)


def chosen(context: AnyContext) -> Choice:
    """The run's choice; raises BackupRefusedError when there is none."""
    choice = find_choice(context)
    if choice is None:
        raise BackupRefusedError("no backup is chosen; let the run's choose task succeed first")
    return choice


def backup_of(context: AnyContext) -> Backup:
    """The run's full backup; raises BackupRefusedError when it was changed since it was chosen."""
    choice = chosen(context)
    backup = opened(context, choice.folder)
    _check_root(backup, choice.root)
    return backup


def increments_of(context: AnyContext) -> tuple[Increment, ...]:
    """The run's increments; raises BackupRefusedError when one was changed since it was chosen."""
    bucket, root_of = context.bucket(context.job.source), known_root(context)

    def reopened(named: tuple[str, str]) -> Increment:
        folder, root = named
        increment = open_increment(bucket, folder, root_of)
        _check_root(increment, root)
        return increment

    with ThreadPoolExecutor(_THREADS) as threads:
        return tuple(threads.map(reopened, chosen(context).increments))


def found_row(context: AnyContext, key: RowKey) -> Any:
    """A row of the run; None when there is none, or no state table yet."""
    try:
        return context.rows.get(key)
    except ResourceMissingError:
        return None


def _choice(found: Found, as_of: datetime | None) -> Choice:
    return Choice(
        uri=found.full.uri,
        folder=found.full.folder,
        root=found.full.root,
        consistent=found.consistent.isoformat(),
        items=found.full.summary.items,
        table_arn=found.full.summary.table_arn,
        as_of=None if as_of is None else as_of.isoformat(),
        notes=found.notes,
        increments=tuple([(increment.folder, increment.root) for increment in found.increments]),
        until=None if found.until is None else found.until.isoformat(),
    )


def _check_root(opened_again: Backup | Increment, root: str) -> None:
    if opened_again.root != root:
        raise BackupRefusedError(f"{opened_again.uri}: was changed since this run chose it; use another backup")


def _key(context: AnyContext) -> RowKey:
    return RowKey(context.whole_run, "choice")


def _to_row(choice: Choice) -> Row:
    """The increments are packed: a row holds 400 KB, and a chain of a week may have thousands."""
    values = asdict(choice)
    packed = zlib.compress(orjson.dumps(values.pop("increments")))
    return {
        "choice": {"S": orjson.dumps(values).decode()},
        "increments": {"B": base64.b64encode(packed).decode()},
        "expires_at": expiry(RUN_DAYS),
    }


def _from_row(row: Row) -> Choice:
    values = orjson.loads(row["choice"]["S"])
    packed = base64.b64decode(row["increments"]["B"]) if "increments" in row else zlib.compress(b"[]")
    increments = tuple([(folder, root) for folder, root in orjson.loads(zlib.decompress(packed))])
    return Choice(**values | {"notes": tuple(values["notes"]), "increments": increments})
