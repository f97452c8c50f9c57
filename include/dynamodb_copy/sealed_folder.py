"""The files that describe what is sealed, read from its folder and checked against one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.manifest import (
    DETAILS,
    FILE_BYTES,
    FILES,
    SUMMARY,
    TABLE,
    HasParts,
    ManifestLine,
    check_parts,
    md5_of,
    root_hash,
    sha256_of,
)


class Described(HasParts, Protocol):
    """What `backup.json` says, of a full backup or of an increment."""

    @property
    def id(self) -> str:
        """The folder's own name."""

    @property
    def items(self) -> int:
        """The sum over its parts."""

    @property
    def files(self) -> Mapping[str, str]:
        """SHA-256 in hexadecimal by name."""


DetailsT = TypeVar("DetailsT", bound=Described)


@dataclass(frozen=True, slots=True)
class SealedFolder:
    """The files of one folder; each method raises BackupRefusedError, with the file's name, for what is not so."""

    bucket: Bucket
    folder: str  # key without a slash at its end
    contents: dict[str, bytes | None]  # of the four that a root hash takes

    def named(self, name: str) -> str:
        """A file's address."""
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

    def details(self, read: Callable[[bytes, str], DetailsT]) -> DetailsT | None:
        """What `backup.json` says, if it is there and the files that it tells of agree with it."""
        content = self.contents[DETAILS]
        if content is None:
            return None
        if (self._side_file("backup.sha256") or b"").decode(errors="replace").strip() != sha256_of(content):
            raise self._refused(DETAILS, "does not agree with backup.sha256")
        details = read(content, self.named(DETAILS))
        for name in (FILES, TABLE):
            if sha256_of(self._there(name)) != details.files.get(name):
                raise self._refused(name, f"does not agree with {DETAILS}")
        return details

    def check_counts(self, items: int, files: list[ManifestLine], details: Described | None) -> None:
        """Compare the summary's count with what the other files tell."""
        if items != sum(part.items for part in files):
            raise self._refused(FILES, f"does not add up to the {items} items of {SUMMARY}")
        if details is None:
            return
        if details.id != self.folder.rpartition("/")[2]:
            raise self._refused(DETAILS, f"tells of the backup {details.id}")
        check_parts(files, details, self.named(DETAILS))
        if details.items != items:
            raise self._refused(DETAILS, f"does not tell of the {items} items of {SUMMARY}")

    def root(self, known_root: Callable[[str], str | None]) -> str:
        """The root hash, which must be the one that is known by the folder's id, if one is."""
        root = root_hash(self.contents)
        if known_root(self.folder.rpartition("/")[2]) not in {None, root}:
            raise BackupRefusedError(
                f"s3://{self.bucket.name}/{self.folder}: {', '.join(self.contents)} are not those that were sealed: "
                f"their root hash is {root}, the state table has another; somebody edited the backup: use another one"
            )
        return root

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


def sealed_folder(bucket: Bucket, folder: str) -> SealedFolder:
    """Read a folder's four files, those that are there."""
    names = (SUMMARY, FILES, TABLE, DETAILS)
    return SealedFolder(
        bucket, folder, {name: bucket.read(f"{folder}/{name}", most_bytes=FILE_BYTES) for name in names}
    )
