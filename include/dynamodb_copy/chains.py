"""Which full backup and which increments lead to a moment, of all that lies below a prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import Backup, Entry, entries, open_backup, open_increment
from dynamodb_copy.chain import Chain, end_of, is_scan, mark_of
from dynamodb_copy.contiguity import IncrementSequence, may_hold_after
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.stored_increment import Increment

KnownRoot = Callable[[str], str | None]
"""The root hash that is remembered of what has this id."""

OpenedT = TypeVar("OpenedT", Backup, Increment)

_THREADS = 16
_SECOND = timedelta(seconds=1)


def chain_for(bucket: Bucket, prefix: str, *, until: datetime | None, known_root: KnownRoot) -> Chain:
    """What has to be restored, and in which order, to come to a moment; None is the latest that there is.

    A moment includes its whole second: of the last increment, changes that are later are to be left out. Raises
    BackupRefusedError that says which moments there are.
    """
    shelf = Shelf(bucket, f"s3://{bucket.name}/{prefix}", entries(bucket, prefix), known_root)
    shelf.check()
    return shelf.latest() if until is None else shelf.at(until)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What lies below a prefix; each backup and each increment is opened once."""

    bucket: Bucket
    uri: str
    found: list[Entry]
    known_root: KnownRoot
    _fulls: dict[str, Backup | BackupRefusedError] = field(default_factory=dict)
    _incrementals: dict[str, Increment | BackupRefusedError] = field(default_factory=dict)

    @property
    def fulls(self) -> list[Entry]:
        """The newest first."""
        full = [entry for entry in self.found if entry.kind == "full"]
        return sorted(full, key=lambda entry: (entry.consistent, entry.id), reverse=True)

    @property
    def increments(self) -> list[Entry]:
        """By id."""
        return [entry for entry in self.found if entry.kind == "incremental"]

    def check(self) -> None:
        """Raise BackupRefusedError unless there are full backups, and all is of one table."""
        tables = sorted({entry.table_arn for entry in (*self.fulls, *self.increments)})
        if len(tables) > 1:
            raise BackupRefusedError(
                f"{self.uri}: holds backups of {len(tables)} tables ({', '.join(tables[:3])}); give each table a "
                "prefix of its own"
            )
        if not self.fulls:
            damaged = "".join([f"; passed over: {entry.problem}" for entry in self.found if entry.kind == "damaged"])
            raise BackupRefusedError(
                f"{self.uri}: holds no full backup, so no chain; give the prefix above AWSDynamoDB/, or let a backup "
                f"job seal one{damaged}"
            )

    def latest(self) -> Chain:
        """The chain that leads furthest; raises BackupRefusedError when the newest full backup is damaged."""
        newest: Chain | None = None
        for entry in self.fulls:
            chain = self.chain_of(self._opened(entry))
            newest = newest or chain
            if chain.is_consistent or not self.increments:
                return max(newest, chain, key=_holds_up_to)
        return self.chain_of(self._opened(self.fulls[0])) if newest is None else newest

    def at(self, until: datetime) -> Chain:
        """The chain that leads to a moment."""
        for entry in self.fulls:
            if entry.consistent <= until and end_of(full := self._opened(entry)) <= until:
                return self._cut(self.chain_of(full, until), until)
        raise self._refused(until, "no full backup had ended by then")

    def chain_of(self, full: Backup, until: datetime | None = None) -> Chain:
        """A full backup with all that continues it; increments that only begin after `until` are not opened."""
        mark = mark_of(full)
        wanted = self._between(full, mark.moment, until)
        with ThreadPoolExecutor(_THREADS) as threads:
            opened = list(threads.map(self.increment, wanted))
        sequence = IncrementSequence(
            each for each in opened if isinstance(each, Increment) and not (each.is_window and is_scan(full))
        )
        run = sequence.after(mark)
        damage = [f"passed over: {each}" for each in opened if isinstance(each, BackupRefusedError)]
        damage += [f"passed over: {entry.problem}" for entry in self.found if entry.kind == "damaged"]
        notes = (*damage, *_beyond(run, sequence))
        return Chain(full, run if run and run[-1].end.moment >= end_of(full) else (), notes)

    def increment(self, entry: Entry) -> Increment | BackupRefusedError:
        """An increment, or why it is none."""
        return _once(self._incrementals, open_increment, self, entry)

    def full(self, entry: Entry) -> Backup | BackupRefusedError:
        """A full backup, or why it is none."""
        return _once(self._fulls, open_backup, self, entry)

    def _opened(self, entry: Entry) -> Backup:
        if isinstance(full := self.full(entry), BackupRefusedError):
            raise full
        return full

    def _between(self, full: Backup, moment: datetime, until: datetime | None) -> Iterator[Entry]:
        """Increments of the full's table that may hold what it lacks."""
        for entry in self.found:
            increment = entry.increment
            if increment is None or increment.table_id != full.summary.table_id:
                continue
            begun = until is None or datetime.fromisoformat(increment.from_time) < until + _SECOND
            if begun and may_hold_after(increment, moment):
                yield entry

    def _cut(self, chain: Chain, until: datetime) -> Chain:
        """As much of a chain as leads to a moment."""
        if chain.is_exact and end_of(chain.full) == until:
            return replace(chain, increments=(), notes=())
        taken = tuple(_leading(chain.increments, until))
        if not taken or taken[-1].end.moment < until:
            raise self._refused(until, "; ".join(["no increment without a gap before it reaches it", *chain.notes]))
        if taken[-1].is_window and taken[-1].end.moment != until:
            raise self._refused(until, _within(taken[-1], chain.ends, until))
        return replace(chain, increments=taken, notes=())

    def _refused(self, until: datetime, why: str) -> BackupRefusedError:
        return BackupRefusedError(
            f"{self.uri}: cannot be restored to {until.isoformat()}: {why}; available: "
            + ("; ".join(self.available()) or "no moment")
        )

    def available(self) -> list[str]:
        """To which moments it can be restored, for people; the earliest first."""
        widest: dict[datetime, str] = {}
        for full in map(self.full, reversed(self.fulls)):
            chain = None if isinstance(full, BackupRefusedError) else self.chain_of(full)
            if chain and chain.is_consistent:
                widest.setdefault(chain.span[1], chain.described)
        return list(widest.values())


def _once(
    known: dict[str, OpenedT | BackupRefusedError], opening: Callable[..., OpenedT], shelf: Shelf, entry: Entry
) -> OpenedT | BackupRefusedError:
    """What is opened is remembered, and also what cannot be."""
    if entry.folder not in known:
        try:
            known[entry.folder] = opening(shelf.bucket, entry.folder, shelf.known_root)
        except BackupRefusedError as error:
            known[entry.folder] = error
    return known[entry.folder]


def _holds_up_to(chain: Chain) -> datetime:
    return chain.span[1] if chain.is_consistent else chain.full.consistent


def _leading(increments: Iterable[Increment], until: datetime) -> Iterator[Increment]:
    """Those that lead to a moment and, where there are as many, through its whole second."""
    reached: datetime | None = None
    second_ends = until.replace(microsecond=0) + _SECOND
    for increment in increments:
        if reached is not None and reached >= until and (increment.is_window or reached >= second_ends):
            return
        yield increment
        reached = increment.end.moment


def _within(window: Increment, ends: list[datetime], until: datetime) -> str:
    nearest = [*[end for end in ends if end < until][-1:], *[end for end in ends if end > until][:1]]
    return (
        f"it lies within the window of {window.id}, {window.start.time} to {window.end.time}, which holds the last "
        f"state of each item only; the nearest ends are {' and '.join(end.isoformat() for end in nearest)}"
    )


def _beyond(run: tuple[Increment, ...], sequence: IncrementSequence) -> list[str]:
    """What is there, and later, but does not continue the run."""
    later = [each for each in sequence.increments if not run or each.end.moment > run[-1].end.moment]
    if not later:
        return []
    last = f"after {run[-1].id} (to {run[-1].end.time})" if run else "after the full"
    return [f"there is a gap {last}: the next increment is {later[0].id} (from {later[0].start.time})"]
