"""Data files of backups: each downloaded whole and checked before its first line is passed on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, cast

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats.item_lines import line_blocks
from dynamodb_copy.model import Page, Tally

PAGE_BYTES = 340_000
"""Of lines: as much as one scan request aims at."""


class DataFile(NamedTuple):
    """One data object, and what is known of it."""

    key: str
    items: int  # lines
    md5: str  # base64
    sha256: str | None = None  # hexadecimal


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A data object in its bucket."""

    bucket: Bucket
    data_file: DataFile

    @property
    def uri(self) -> str:
        """Its address."""
        return f"s3://{self.bucket.name}/{self.data_file.key}"

    def fetched(self) -> BinaryIO:
        """Download it; it lies on disk, without a name, and whoever reads it closes it.

        Raises BackupRefusedError, with its address, when it is missing or not what its manifest says.
        """
        content = cast("BinaryIO", TemporaryFile(prefix="dynamodb-copy-"))  # noqa: SIM115 - whoever reads it closes it
        try:
            self._download(content)
        except BaseException:
            content.close()
            raise
        return content

    def blocks(self, content: BinaryIO, start: int, *, line_bytes: int) -> Iterator[LineBlock]:
        """Yield its lines that follow `start`, a page of them at a time.

        Raises BackupRefusedError for what is no gzip, for longer lines, and at the end when the count is wrong.
        """
        line = 0
        for block in line_blocks(content, self.uri, PAGE_BYTES, line_bytes=line_bytes):
            unread = block[max(0, start - line) :]
            line += len(block)
            if unread:
                yield LineBlock(unread, line - len(unread) + 1, line)
        if line != self.data_file.items:
            raise self._damaged("count", f"{line} items", str(self.data_file.items))

    def _download(self, content: BinaryIO) -> None:
        if self.bucket.download(self.data_file.key, content) is None:
            raise BackupRefusedError(f"{self.uri}: is missing; use another backup")
        md5 = base64.b64encode(_hashed(content, "md5").digest()).decode()
        if md5 != self.data_file.md5:
            raise self._damaged("MD5", md5, self.data_file.md5)
        sha256 = _hashed(content, "sha256").hexdigest()
        if self.data_file.sha256 not in {None, sha256}:
            raise self._damaged("SHA-256", sha256, str(self.data_file.sha256))
        content.seek(0)

    def _damaged(self, what: str, found: str, told: str) -> BackupRefusedError:
        return BackupRefusedError(
            f"{self.uri}: its {what} is {found}, and the manifest says {told}; the file was changed or "
            "damaged: use another backup"
        )


class LineBlock(NamedTuple):
    """Some lines of a data file, one after the other."""

    lines: list[bytes]
    first: int  # its number, from 1
    last: int  # resume after it


def contents(files: Sequence[StoredFile]) -> Generator[BinaryIO]:
    """Yield what each file holds; the next one is on its way while one is read. To be closed by who leaves early."""
    with ThreadPoolExecutor(1, thread_name_prefix="backup-download") as thread:
        coming = [thread.submit(each.fetched) for each in files[:1]]
        try:
            for number in range(len(files)):
                content = coming.pop().result()
                coming = [thread.submit(following.fetched) for following in files[number + 1 : number + 2]]
                with content:
                    yield content
        finally:
            for unread in coming:
                if not unread.cancel() and unread.exception() is None:
                    unread.result().close()


def ended(pages: Iterable[Page]) -> Iterator[Page]:
    """The pages, of which the last one, and it alone, has no cursor; one empty page if there are none."""
    held: Page | None = None
    for page in pages:
        if held is not None:
            yield held
        held = page
    yield (held or Page([], None, Tally()))._replace(cursor=None)


def _hashed(content: BinaryIO, kind: str) -> hashlib._Hash:
    content.seek(0)
    return hashlib.file_digest(content, kind)  # type: ignore[arg-type]  # a binary file of the tempfile module
