"""Which backups lie below a prefix, and one of them opened with all that can be checked before it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dynamodb_copy.aws.objects import Bucket, StoredObject
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.increment_manifest import (
    IncrementSummary,
    check_details,
    read_increment_details,
    read_increment_summary,
)
from dynamodb_copy.formats.manifest import (
    DETAILS,
    FILE_BYTES,
    FILES,
    SUMMARY,
    TABLE,
    Details,
    ManifestLine,
    Summary,
    TableSettings,
    read_details,
    read_files,
    read_summary,
    read_table,
)
from dynamodb_copy.sealed_folder import sealed_folder
from dynamodb_copy.stored_increment import Increment

EXPORTS = "AWSDynamoDB"
"""The folder below a prefix in which native exports lie, and our backups."""

_THREADS = 16
_SHARED_DATA = "data"  # of incremental exports, beside the folders of the exports

Kind = Literal["full", "incremental", "unsealed", "damaged"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of the catalogue."""

    folder: str  # key without a slash at its end
    kind: Kind
    summary: Summary | None = None  # of a full one
    problem: str = ""  # of a damaged one
    increment: IncrementSummary | None = None  # of an incremental one

    @property
    def id(self) -> str:
        """The folder's own name."""
        return self.folder.rpartition("/")[2]

    @property
    def consistent(self) -> datetime:
        """The moment up to which all writes are in it; of a full one only."""
        return datetime.fromisoformat(self._full.export_time)

    @property
    def items(self) -> int:
        """How many it holds; of a full one only."""
        return self._full.items

    @property
    def table_arn(self) -> str:
        """The table it was made from; of a full or an incremental one only."""
        return (self.increment or self._full).table_arn

    @property
    def _full(self) -> Summary:
        if self.summary is None:
            raise BackupRefusedError(f"{self.folder}: is {self.kind}; a full backup that is sealed is needed")
        return self.summary


@dataclass(frozen=True, slots=True)
class Backup:
    """A sealed full backup whose files agree with one another."""

    bucket: Bucket
    folder: str  # key without a slash at its end
    summary: Summary
    files: tuple[ManifestLine, ...]
    details: Details | None  # of a backup of ours
    table: TableSettings | None  # of a backup of ours
    root: str

    @property
    def id(self) -> str:
        """The folder's own name."""
        return self.folder.rpartition("/")[2]

    @property
    def uri(self) -> str:
        """The folder's address."""
        return f"s3://{self.bucket.name}/{self.folder}"

    @property
    def consistent(self) -> datetime:
        """The moment up to which all writes are in it."""
        return datetime.fromisoformat(self.summary.export_time)

    def key_of(self, name: str) -> str:
        """Where a part is: in `data/` beside the manifest, wherever the backup was moved."""
        return f"{self.folder}/data/{name}"


def exports_folder(prefix: str) -> str:
    """The key below which backups lie, with a slash at its end."""
    return f"{prefix}/{EXPORTS}/" if prefix else f"{EXPORTS}/"


def entries(bucket: Bucket, prefix: str) -> list[Entry]:
    """Every backup below a prefix, by id, which is roughly by time; raises BucketRefusedError, AccessError."""
    parent = exports_folder(prefix)
    folders = [parent + name for name in bucket.folders(parent) if name != _SHARED_DATA]
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda folder: _entry(bucket, folder), sorted(folders)))


def newest(found: Iterable[Entry], *, until: datetime | None = None) -> Entry | None:
    """The full backup with the latest consistent time, up to a moment; raises BackupRefusedError for a mixture."""
    full = [entry for entry in found if entry.kind == "full"]
    tables = sorted({entry.table_arn for entry in full})
    if len(tables) > 1:
        raise BackupRefusedError(
            f"the prefix holds backups of {len(tables)} tables ({', '.join(tables[:3])}); give each table a "
            "prefix of its own, or name the folder of one of them"
        )
    in_time = [entry for entry in full if until is None or entry.consistent <= until]
    return max(in_time, key=lambda entry: (entry.consistent, entry.id), default=None)


def open_backup(bucket: Bucket, folder: str, known_root: Callable[[str], str | None]) -> Backup:
    """Read and check the files that describe a backup; its parts are not touched.

    Raises BackupRefusedError, with the file's name, for what is missing or changed.
    """
    described = sealed_folder(bucket, folder)
    summary, files = read_summary(*described.with_md5(SUMMARY)), read_files(*described.with_md5(FILES))
    details = described.details(read_details)
    described.check_counts(summary.items, files, details)
    root, table = described.root(known_root), described.contents[TABLE]
    settings = None if table is None else read_table(table, described.named(TABLE))
    return Backup(bucket, folder, summary, tuple(files), details, settings, root)


def open_increment(bucket: Bucket, folder: str, known_root: Callable[[str], str | None]) -> Increment:
    """Read and check the files that describe an increment; its parts are not touched.

    Raises BackupRefusedError, with the file's name, for what is missing or changed.
    """
    described = sealed_folder(bucket, folder)
    summary, files = read_increment_summary(*described.with_md5(SUMMARY)), read_files(*described.with_md5(FILES))
    details = described.details(read_increment_details)
    described.check_counts(summary.items, files, details)
    if details is not None:
        check_details(summary, details, described.named(DETAILS))
    return Increment(bucket, folder, summary, tuple(files), details, described.root(known_root))


def _entry(bucket: Bucket, folder: str) -> Entry:
    name = f"s3://{bucket.name}/{folder}/{SUMMARY}"
    try:
        content = bucket.read(f"{folder}/{SUMMARY}", most_bytes=FILE_BYTES)
        if content is None:
            return Entry(folder, "unsealed")
        if b'"exportFromTime"' in content:
            return Entry(folder, "incremental", increment=read_increment_summary(content, name))
        return Entry(folder, "full", read_summary(content, name))
    except BackupRefusedError as error:
        return Entry(folder, "damaged", problem=str(error))


def check_parts_are_there(backup: Backup | Increment) -> Iterator[int]:
    """Yield the size of each part in the manifest's order; raises BackupRefusedError with the first that is wrong."""
    for found in looked_at(backup):
        if isinstance(found, BackupRefusedError):
            raise found
        yield found


def looked_at(backup: Backup | Increment) -> Iterator[int | BackupRefusedError]:
    """Yield the size of each part in the manifest's order, or what is wrong with it."""
    sizes = {part.name: part.size_bytes for part in backup.details.parts} if backup.details else {}
    with ThreadPoolExecutor(_THREADS) as threads:
        heads = threads.map(backup.bucket.head, [backup.key_of(part.name) for part in backup.files])
        for part, head in zip(backup.files, heads, strict=True):
            yield _found(f"s3://{backup.bucket.name}/{backup.key_of(part.name)}", head, sizes.get(part.name))


def _found(named: str, head: StoredObject | None, size_bytes: int | None) -> int | BackupRefusedError:
    if head is None:
        return BackupRefusedError(f"{named}: is missing; use another backup")
    if size_bytes not in {None, head.size_bytes}:
        return BackupRefusedError(
            f"{named}: has {head.size_bytes} bytes, not the {size_bytes} of {DETAILS}; use another backup"
        )
    return head.size_bytes
