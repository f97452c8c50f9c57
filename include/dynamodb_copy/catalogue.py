"""Which backups lie below a prefix, and one of them opened with all that can be checked before it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import BackupRefusedError
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
    check_parts,
    md5_of,
    read_details,
    read_files,
    read_summary,
    read_table,
    root_hash,
    sha256_of,
)

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
        """The table it was made from; of a full one only."""
        return self._full.table_arn

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
    contents = {
        name: bucket.read(f"{folder}/{name}", most_bytes=FILE_BYTES) for name in (SUMMARY, FILES, TABLE, DETAILS)
    }
    reader = _Reader(bucket, folder, contents)
    summary, files = read_summary(*reader.with_md5(SUMMARY)), read_files(*reader.with_md5(FILES))
    details = reader.details()
    reader.check_counts(summary, files, details)
    root = root_hash(contents)
    if known_root(folder.rpartition("/")[2]) not in {None, root}:
        raise BackupRefusedError(
            f"s3://{bucket.name}/{folder}: {', '.join(contents)} are not those that were sealed: their root hash is "
            f"{root}, the state table has another; somebody edited the backup: use another one"
        )
    table = contents[TABLE]
    settings = None if table is None else read_table(table, reader.named(TABLE))
    return Backup(bucket, folder, summary, tuple(files), details, settings, root)


@dataclass(frozen=True, slots=True)
class _Reader:
    bucket: Bucket
    folder: str
    contents: dict[str, bytes | None]

    def named(self, name: str) -> str:
        return f"s3://{self.bucket.name}/{self.folder}/{name}"

    def with_md5(self, name: str) -> tuple[bytes, str]:
        """A native file that agrees with its checksum, and its address."""
        content = self._there(name)
        stem = name.removesuffix(".json")
        for side_name in (f"{stem}.md5", f"{stem}.checksum"):
            checksum = self._side_file(side_name)
            if checksum is None:
                continue
            if checksum.decode(errors="replace").strip() != md5_of(content):
                raise self._refused(name, f"does not agree with {side_name}")
            return content, self.named(name)
        raise self._refused(f"{stem}.md5", "is missing")

    def details(self) -> Details | None:
        """What `backup.json` says, if it is there and the files that it tells of agree with it."""
        content = self.contents[DETAILS]
        if content is None:
            return None
        if (self._side_file("backup.sha256") or b"").decode(errors="replace").strip() != sha256_of(content):
            raise self._refused(DETAILS, "does not agree with backup.sha256")
        details = read_details(content, self.named(DETAILS))
        for name in (FILES, TABLE):
            if sha256_of(self._there(name)) != details.files.get(name):
                raise self._refused(name, f"does not agree with {DETAILS}")
        return details

    def check_counts(self, summary: Summary, files: list[ManifestLine], details: Details | None) -> None:
        if summary.items != sum(part.items for part in files):
            raise self._refused(FILES, f"does not add up to the {summary.items} items of {SUMMARY}")
        if details is None:
            return
        if details.id != self.folder.rpartition("/")[2]:
            raise self._refused(DETAILS, f"tells of the backup {details.id}")
        check_parts(files, details, self.named(DETAILS))
        if details.items != summary.items:
            raise self._refused(DETAILS, f"does not tell of the {summary.items} items of {SUMMARY}")

    def _there(self, name: str) -> bytes:
        content = self.contents[name]
        if content is None:
            raise self._refused(name, "is missing")
        return content

    def _side_file(self, name: str) -> bytes | None:
        return self.bucket.read(f"{self.folder}/{name}", most_bytes=1024)

    def _refused(self, name: str, what: str) -> BackupRefusedError:
        return BackupRefusedError(
            f"{self.named(name)}: {what}; the backup is not sealed, or it was edited or damaged: use another one"
        )


def _entry(bucket: Bucket, folder: str) -> Entry:
    try:
        content = bucket.read(f"{folder}/{SUMMARY}", most_bytes=FILE_BYTES)
        if content is None:
            return Entry(folder, "unsealed")
        if b'"exportFromTime"' in content:
            return Entry(folder, "incremental")
        return Entry(folder, "full", read_summary(content, f"s3://{bucket.name}/{folder}/{SUMMARY}"))
    except BackupRefusedError as error:
        return Entry(folder, "damaged", problem=str(error))


def check_parts_are_there(backup: Backup) -> Iterator[int]:
    """Yield the size of each part in the manifest's order; raises BackupRefusedError with the first that is wrong."""
    sizes = {part.name: part.size_bytes for part in backup.details.parts} if backup.details else {}
    with ThreadPoolExecutor(_THREADS) as threads:
        heads = threads.map(backup.bucket.head, [backup.key_of(part.name) for part in backup.files])
        for part, head in zip(backup.files, heads, strict=True):
            named = f"s3://{backup.bucket.name}/{backup.key_of(part.name)}"
            if head is None:
                raise BackupRefusedError(f"{named}: is missing; use another backup")
            if sizes.get(part.name, head.size_bytes) != head.size_bytes:
                raise BackupRefusedError(
                    f"{named}: has {head.size_bytes} bytes, not the {sizes[part.name]} of {DETAILS}; use another backup"
                )
            yield head.size_bytes
