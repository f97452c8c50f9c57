"""Choose: which backup a run restores; decided once per run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.catalogue import Backup, Entry, entries, newest, open_backup
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, expiry
from dynamodb_copy.state.seals import root_of


@dataclass(frozen=True, slots=True)
class Choice:
    """The backup of a run, as it was when it was chosen."""

    uri: str
    folder: str  # key without a slash at its end
    root: str  # hash of the files that describe it
    consistent: str  # ISO 8601: all writes up to then are in it
    items: int
    table_arn: str  # of the table that was backed up
    as_of: str | None  # ISO 8601: what was asked for; None: the latest
    notes: tuple[str, ...]

    def until(self, now: datetime) -> datetime:
        """The moment that the backup is held against: the one asked for, or now."""
        return now if self.as_of is None else datetime.fromisoformat(self.as_of)


def choose(context: AnyContext, as_of: datetime | None) -> Choice:
    """Return the run's backup, choosing it on the first call: the newest that is consistent at or before `as_of`.

    Raises BackupRefusedError when there is none, or when the one that is there is not whole.
    """
    stored = find_choice(context)
    if stored is not None:
        return stored
    place: S3At = context.job.source
    found = entries(context.bucket(place), place.prefix)
    entry = newest(found, until=as_of)
    if entry is None:
        raise BackupRefusedError(_none_in_time(place, found, as_of))
    backup = opened(context, entry.folder)
    choice = Choice(
        uri=backup.uri,
        folder=backup.folder,
        root=backup.root,
        consistent=backup.consistent.isoformat(),
        items=backup.summary.items,
        table_arn=backup.summary.table_arn,
        as_of=None if as_of is None else as_of.isoformat(),
        notes=tuple(_passed_over(found)),
    )
    row = {"choice": {"S": orjson.dumps(asdict(choice)).decode()}, "expires_at": expiry(RUN_DAYS)}
    context.ensure_state()
    return choice if context.rows.insert(_key(context), row) else chosen(context)


def there_is_one(context: AnyContext, as_of: datetime | None) -> bool:
    """Whether a sealed backup can be chosen now."""
    place: S3At = context.job.source
    return newest(entries(context.bucket(place), place.prefix), until=as_of) is not None


def find_choice(context: AnyContext) -> Choice | None:
    """The run's choice, if it has made one and the state table exists."""
    row = found_row(context, _key(context))
    if row is None:
        return None
    fields = orjson.loads(row["choice"]["S"])
    return Choice(**fields | {"notes": tuple(fields["notes"])})


def chosen(context: AnyContext) -> Choice:
    """The run's choice; raises BackupRefusedError when there is none."""
    choice = find_choice(context)
    if choice is None:
        raise BackupRefusedError("no backup is chosen; let the run's choose task succeed first")
    return choice


def opened(context: AnyContext, folder: str) -> Backup:
    """A backup of the job's place, checked as far as that can be done without its parts."""
    place: S3At = context.job.source
    rows = context.rows_beside(place)
    return open_backup(context.bucket(place), folder, lambda backup_id: root_of(rows, backup_id))


def backup_of(context: AnyContext) -> Backup:
    """The run's backup; raises BackupRefusedError when it was changed since it was chosen."""
    choice = chosen(context)
    backup = opened(context, choice.folder)
    if backup.root != choice.root:
        raise BackupRefusedError(f"{backup.uri}: was changed since this run chose it; use another backup")
    return backup


def found_row(context: AnyContext, key: RowKey) -> Any:
    """A row of the run; None when there is none, or no state table yet."""
    try:
        return context.rows.get(key)
    except ResourceMissingError:
        return None


def _key(context: AnyContext) -> RowKey:
    return RowKey(context.run, "choice")


def _none_in_time(place: S3At, found: list[Entry], as_of: datetime | None) -> str:
    full = sorted(entry.consistent for entry in found if entry.kind == "full")
    others = ", ".join(
        f"{count} {kind}"
        for kind in ("unsealed", "damaged", "incremental")
        if (count := sum(entry.kind == kind for entry in found))
    )
    passed_over = "".join([f"; {note}" for note in _passed_over(found)])
    if full:
        until = "" if as_of is None else f" at or before {as_of.isoformat()}"
        span = f"{full[0].isoformat()} to {full[-1].isoformat()}"
        return (
            f"from.s3: {place.s3} holds no full backup{until}; there are {len(full)}, consistent at {span}: choose "
            f"one{passed_over}"
        )
    return (
        f"from.s3: {place.s3} holds no sealed full backup"
        + (f" (but {others})" if others else "")
        + "; correct from.s3 "
        "to the prefix above AWSDynamoDB/, or let a backup job seal one" + passed_over
    )


def _passed_over(found: list[Entry]) -> list[str]:
    return [f"passed over: {each.problem}" for each in found if each.kind == "damaged"]
