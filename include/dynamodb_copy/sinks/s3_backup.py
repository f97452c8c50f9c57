"""Parts of a backup: gzip of JSON lines, in pieces that are on their way while the next one is filled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.model import Durable, Page, Part, Put, Segment, Tally
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.open_part import PIECES_AT_ONCE, OpenPart

PART_BYTES = 64 << 20
"""Compressed bytes after which a part ends: of 10 TB that leaves fewer objects than ImportTable's quota of 50,000."""

_HEAD, _TAIL = b'{"Item":', b"}\n"


class S3Backup:
    """Stores a segment's items in parts of one backup; a part is durable once S3 has verified all of it.

    A part's name carries the attempt, so that attempts which overlap never write to the same object.
    """

    def __init__(self, bucket: Bucket, folder: str, attempt: str, *, fence: Fence, now: Callable[[], float]) -> None:
        self._bucket = bucket
        self._data = f"{folder}/data/"
        self._attempt = attempt
        self._fence = fence
        self._now = now

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """Store the pages; yield once per part; raises ServiceUnavailableError, LeaseLostError and PermanentErrors."""
        part: _ItemPart | None = None
        number, began = 0, self._now()
        with ThreadPoolExecutor(PIECES_AT_ONCE) as threads:
            try:
                for page in pages:
                    self._fence.check()
                    part = part or _ItemPart(OpenPart(self._bucket, self._key(segment, number), threads, self._fence))
                    part.add(page)
                    if page.cursor is not None and part.size_bytes < PART_BYTES:
                        continue
                    stored, tally, part = part.store(), part.tally, None
                    ended = self._now()
                    yield Durable(page.cursor, tally + Tally(seconds=ended - began), stored)
                    number, began = number + 1, ended
            finally:
                if part is not None:
                    part.abandon()

    def _key(self, segment: Segment, number: int) -> str:
        return f"{self._data}{segment.index:04d}-{self._attempt}-{number:06d}.json.gz"


class _ItemPart:
    """The items of some pages, on their way into one part."""

    def __init__(self, part: OpenPart) -> None:
        self._part = part
        self._is_empty = True
        self.tally = Tally()

    @property
    def size_bytes(self) -> int:
        return self._part.size_bytes

    def add(self, page: Page) -> None:
        """Take a page's items."""
        lines = [put.line or sorted_line(put.item) for put in page.changes if isinstance(put, Put)]
        if lines:
            self._part.add(_HEAD + (_TAIL + _HEAD).join(lines) + _TAIL, len(lines))
            self._is_empty = False
        self.tally += page.tally

    def store(self) -> tuple[Part, ...]:
        """Return once all of it is stored; no part when it holds nothing."""
        return () if self._is_empty else (self._part.store(),)

    def abandon(self) -> None:
        self._part.abandon()
