"""Whether the chains below a prefix are whole: everything that is wrong, in one report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import Backup, entries, looked_at
from dynamodb_copy.chain import mark_of
from dynamodb_copy.chain_report import ChainReport, Problem
from dynamodb_copy.chains import KnownRoot, Shelf
from dynamodb_copy.contiguity import IncrementSequence
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.sources.data_files import DataFile, StoredFile
from dynamodb_copy.stored_increment import Increment

_THREADS = 16
_DOWNLOADS = 4


def check_chain(
    bucket: Bucket, prefix: str, known_root: KnownRoot, *, deep: bool, due: datetime | None = None
) -> ChainReport:
    """Check all that lies below a prefix; `deep` reads every part and compares it with its checksums.

    The newest backup or increment must hold what was written up to `due`, else it is late. What is wrong is in the
    report; raises BucketRefusedError, AccessError and ServiceUnavailableError when the bucket is not served.
    """
    uri = f"s3://{bucket.name}/{prefix}".removesuffix("/")
    shelf = Shelf(bucket, uri, entries(bucket, prefix), known_root)
    with ThreadPoolExecutor(_THREADS) as threads:
        fulls = [each for each in threads.map(shelf.full, shelf.fulls) if isinstance(each, Backup)]
        increments = [each for each in threads.map(shelf.increment, shelf.increments) if isinstance(each, Increment)]
    stored: list[Backup | Increment] = [*fulls, *increments]
    parts = [_parts(each, deep=deep) for each in stored]
    found = [
        *_of_folders(shelf),
        *_of_tables(shelf),
        *_of_order(fulls, increments),
        *_of_age(fulls, increments, due),
        *[problem for _, problems in parts for problem in problems],
    ]
    return ChainReport(
        uri=uri,
        fulls=len(fulls),
        increments=len(increments),
        items=sum(full.summary.items for full in fulls),
        changes=sum(increment.summary.items for increment in increments),
        bytes=sum(size_bytes for size_bytes, _ in parts),
        restorable=tuple(shelf.available()),
        checksums=deep,
        problems=tuple(found),
    )


def _of_folders(shelf: Shelf) -> Iterator[Problem]:
    """What is not sealed, or does not agree with itself."""
    if not shelf.fulls:
        yield Problem("no full", "", "there is no full backup, so nothing can be restored; let a backup job seal one")
    for entry in shelf.found:
        if entry.kind == "unsealed":
            yield Problem("unsealed", entry.id, "it is being written, or was never finished")
        if entry.kind == "damaged":
            yield Problem("damaged", entry.id, entry.problem)
    opened = [(entry, shelf.full(entry)) for entry in shelf.fulls]
    for entry, each in [*opened, *[(entry, shelf.increment(entry)) for entry in shelf.increments]]:
        if isinstance(each, BackupRefusedError):
            yield Problem("damaged", entry.id, str(each))


def _of_tables(shelf: Shelf) -> Iterator[Problem]:
    """What is of another table than the newest full backup."""
    arns = {entry.id: entry.table_arn for entry in (*shelf.fulls, *shelf.increments)}
    own = next(iter(arns.values()), None)
    for named, arn in arns.items():
        if arn != own:
            yield Problem("foreign", named, f"is of {arn}, the newest full of {own}; give each table its own prefix")


def _of_age(fulls: Sequence[Backup], increments: Sequence[Increment], due: datetime | None) -> Iterator[Problem]:
    ends = [(each.end.moment, each.id) for each in increments] + [(full.consistent, full.id) for full in fulls]
    if due is None or not ends:
        return
    newest, named = max(ends)
    if newest < due:
        yield Problem("late", named, f"is the newest and holds what was written up to {newest}; {due} was due")


def _of_order(fulls: Sequence[Backup], increments: Sequence[Increment]) -> Iterator[Problem]:
    """Gaps, forks and overlaps; a table that was dropped and created again begins anew."""
    for table_id in sorted({increment.summary.table_id for increment in increments}):
        own = [increment for increment in increments if increment.summary.table_id == table_id]
        sequence = IncrementSequence(own)
        yield from _gaps_after_fulls(sequence, [full for full in fulls if full.summary.table_id == table_id])
        yield from _gaps(sequence)
        yield from _doubles(sequence)


def _gaps_after_fulls(sequence: IncrementSequence, fulls: Sequence[Backup]) -> Iterator[Problem]:
    for full in fulls:
        mark = mark_of(full)
        later = [increment for increment in sequence.increments if increment.end.moment > mark.moment]
        if later and not sequence.followers(mark):
            following = f"the next is {later[0].id}, {_span(later[0])}"
            yield Problem("gap", full.id, f"no increment goes on at {mark.time}, where its chain begins; {following}")


def _gaps(sequence: IncrementSequence) -> Iterator[Problem]:
    """What follows nothing, although there is something before it."""
    continued: set[int] = set()
    begun: set[tuple[str | None, datetime]] = set()
    last: Increment | None = None
    for index, increment in enumerate(sequence.increments):
        is_alone = index not in continued and _beginning(increment) not in begun
        if last and is_alone and not (increment.is_window and increment.start.moment <= last.end.moment):
            text = f"{_span(increment)} does not go on where {last.id}, {_span(last)}, ends"
            yield Problem("gap", increment.id, text)
        continued.update(sequence.followers(increment.end, index + 1))
        begun.add(_beginning(increment))
        last = max(last or increment, increment, key=lambda each: each.end.moment)


def _doubles(sequence: IncrementSequence) -> Iterator[Problem]:
    """What holds again what another one holds."""
    starts: dict[tuple[str | None, datetime], str] = {}
    last: Increment | None = None
    for increment in sequence.increments:
        first = starts.setdefault(_beginning(increment), increment.id)
        if first != increment.id and not increment.is_window:
            yield Problem("fork", increment.id, f"begins where {first} begins too: two runs wrote the same increment")
        if not increment.is_window:
            continue
        if last and increment.start.moment < last.end.moment:
            yield Problem("overlap", increment.id, f"{_span(increment)} overlaps {last.id}, {_span(last)}")
        last = max(last or increment, increment, key=lambda each: each.end.moment)


def _beginning(increment: Increment) -> tuple[str | None, datetime]:
    return increment.start.hash, increment.start.moment


def _span(increment: Increment) -> str:
    return f"{increment.start.time} to {increment.end.time}"


def _parts(stored: Backup | Increment, *, deep: bool) -> tuple[int, list[Problem]]:
    """How large all parts are, and what is wrong with them."""
    found = list(looked_at(stored))
    wrong = [Problem("part", stored.id, str(each)) for each in found if isinstance(each, BackupRefusedError)]
    if deep:
        there = [each for each, size in zip(_files(stored), found, strict=True) if isinstance(size, int)]
        with ThreadPoolExecutor(_DOWNLOADS) as threads:
            wrong += [Problem("part", stored.id, text) for text in threads.map(_damage, there) if text]
    return sum(each for each in found if isinstance(each, int)), wrong


def _files(stored: Backup | Increment) -> Iterator[StoredFile]:
    sha256 = {part.name: part.sha256 for part in stored.details.parts} if stored.details else {}
    for line in stored.files:
        known = DataFile(stored.key_of(line.name), line.items, line.md5, sha256.get(line.name))
        yield StoredFile(stored.bucket, known)


def _damage(stored: StoredFile) -> str:
    """What a part's checksums say of it; empty if it is whole."""
    try:
        stored.fetched().close()
    except BackupRefusedError as error:
        return str(error)
    return ""
