"""Find: which full backup, and which increments after it, lead to a moment; remembers nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dynamodb_copy.catalogue import Backup, Entry, check_parts_are_there, entries, newest, open_backup
from dynamodb_copy.chain import Chain
from dynamodb_copy.chains import chain_for
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.job import RestoreJob, S3At
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.listing import item_bytes
from dynamodb_copy.state.seals import root_of
from dynamodb_copy.stored_increment import Increment


@dataclass(frozen=True, slots=True)
class Found:
    """What has to be restored, and what was passed over."""

    chain: Chain
    until: datetime | None  # of the increments' changes, those of this second and before count; None: all
    notes: tuple[str, ...]

    @property
    def full(self) -> Backup:
        """The full backup."""
        return self.chain.full

    @property
    def increments(self) -> tuple[Increment, ...]:
        """Those that follow it, in order."""
        return self.chain.increments

    @property
    def stored(self) -> list[Backup | Increment]:
        """All of it, in order."""
        return [self.full, *self.increments]

    @property
    def described(self) -> str:
        """What it is, for people."""
        return described(self.full.uri, len(self.increments))

    @property
    def consistent(self) -> datetime:
        """The moment whose state comes back: of a full backup alone, all that was written up to then is in it."""
        if not self.increments:
            return self.full.consistent
        return self.increments[-1].end.moment if self.until is None else self.until


def find(context: AnyContext, as_of: datetime | None) -> Found:
    """What leads to a moment; None is the latest. Without increments, the newest full backup up to then.

    Raises BackupRefusedError, which says what there is, when the moment cannot be had.
    """
    place: S3At = context.job.source
    found = entries(context.bucket(place), place.prefix)
    if not any(entry.kind == "incremental" for entry in found):
        return Found(Chain(_newest(context, found, as_of)), None, tuple(_passed_over(found)))
    chain = _leading(context, found, as_of)
    until = as_of.replace(microsecond=0) if as_of is not None and chain.increments else None
    return Found(chain, until, tuple(dict.fromkeys([*chain.notes, *_passed_over(found)])))


def described(uri: str, increments: int) -> str:
    """A full backup and its increments, for people."""
    return f"{uri} with {increments:,} increment{'s' if increments > 1 else ''}" if increments else uri


def bytes_to_restore(full: Backup, increments: Sequence[Increment]) -> int:
    """How much is restored, at least; raises BackupRefusedError unless every part is there."""
    listed = sum(sum(check_parts_are_there(increment)) for increment in increments)
    return max(item_bytes(full), sum(check_parts_are_there(full))) + listed


def known_root(context: AnyContext) -> Callable[[str], str | None]:
    """What is remembered beside the job's backups of the files that describe them."""
    rows = context.rows_beside(context.job.source)
    return lambda backup_id: root_of(rows, backup_id)


def opened(context: AnyContext, folder: str) -> Backup:
    """A full backup of the job's place, checked as far as that can be done without its parts."""
    return open_backup(context.bucket(context.job.source), folder, known_root(context))


def _newest(context: AnyContext, found: list[Entry], as_of: datetime | None) -> Backup:
    entry = newest(found, until=as_of)
    if entry is None:
        raise BackupRefusedError(_none_in_time(context.job.source, found, as_of))
    return opened(context, entry.folder)


def _leading(context: AnyContext, found: list[Entry], as_of: datetime | None) -> Chain:
    is_import = isinstance(context.job, RestoreJob) and context.job.engine == "import"
    named = [entry.folder for entry in found if entry.kind == "full" and entry.consistent == as_of]
    if is_import and named:
        return Chain(opened(context, named[-1]))
    place: S3At = context.job.source
    chain = chain_for(context.bucket(place), place.prefix, until=as_of, known_root=known_root(context))
    if is_import and chain.increments:
        raise BackupRefusedError(
            f"engine: import takes full backups only, and {len(chain.increments)} increments lead from "
            f"{chain.full.uri} to {'the latest moment' if as_of is None else as_of.isoformat()}; say engine: load, or "
            f"restore: {chain.full.consistent.isoformat()} for the full backup alone"
        )
    return chain


def _none_in_time(place: S3At, found: list[Entry], as_of: datetime | None) -> str:
    full = sorted(entry.consistent for entry in found if entry.kind == "full")
    others = ", ".join(
        f"{count} {kind}" for kind in ("unsealed", "damaged") if (count := sum(entry.kind == kind for entry in found))
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
