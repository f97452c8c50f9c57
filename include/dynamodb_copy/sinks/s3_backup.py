"""Parts of a backup: gzip of JSON lines, in pieces that are on their way while the next one is filled."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from isal import isal_zlib

from dynamodb_copy.aws.objects import Bucket, Upload
from dynamodb_copy.errors import CopyError
from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.model import Durable, Page, Part, Put, Segment, Tally
from dynamodb_copy.ports import Fence

PART_BYTES = 64 << 20
"""Compressed bytes after which a part ends: of 10 TB that leaves fewer objects than ImportTable's quota of 50,000."""

_PIECE_BYTES = 8 << 20  # S3 takes 5 MiB and more
_PIECES_AT_ONCE = 3  # on their way, beside the one that is filled
_GZIP = 31  # the window's size as zlib has it, and a gzip header without a time
_LEVEL = 1
_log = logging.getLogger(__name__)
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
        part: _OpenPart | None = None
        number, began = 0, self._now()
        with ThreadPoolExecutor(_PIECES_AT_ONCE) as threads:
            try:
                for page in pages:
                    self._fence.check()
                    part = part or _OpenPart(self._bucket, self._key(segment, number), threads, self._fence)
                    part.add(page)
                    if page.cursor is not None and part.size_bytes < PART_BYTES:
                        continue
                    stored, tally, part = part.store(), part.tally, None
                    parts = () if stored is None else (stored,)
                    ended = self._now()
                    yield Durable(page.cursor, tally + Tally(seconds=ended - began), parts)
                    number, began = number + 1, ended
            finally:
                if part is not None:
                    part.abandon()

    def _key(self, segment: Segment, number: int) -> str:
        return f"{self._data}{segment.index:04d}-{self._attempt}-{number:06d}.json.gz"


class _OpenPart:
    """One part while it is filled: a piece in memory, those before it on their way."""

    def __init__(self, bucket: Bucket, key: str, threads: ThreadPoolExecutor, fence: Fence) -> None:
        self._bucket = bucket
        self._key = key
        self._threads = threads
        self._fence = fence
        self._compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._piece = bytearray()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._upload: Upload | None = None
        self._sent: deque[Future[None]] = deque()
        self._pieces = 0
        self._items = 0
        self.size_bytes = 0
        self.tally = Tally()

    def add(self, page: Page) -> None:
        """Take a page's items."""
        lines = [put.line or sorted_line(put.item) for put in page.changes if isinstance(put, Put)]
        if lines:
            self._take(self._compressor.compress(_HEAD + (_TAIL + _HEAD).join(lines) + _TAIL))
        self._items += len(lines)
        self.tally += page.tally

    def store(self) -> Part | None:
        """Return once all of it is stored; None when it holds nothing."""
        if not self._items:
            return None
        self._take(self._compressor.flush())
        etag = self._stored_whole() if self._upload is None else self._completed(self._upload)
        md5, name = base64.b64encode(self._md5.digest()).decode(), self._key.rpartition("/")[2]
        return Part(name, self._items, self.size_bytes, etag, md5, self._sha256.hexdigest())

    def abandon(self) -> None:
        """End after a failure: nothing is on its way any more, and what is left behind the seal sweeps."""
        for sent in self._sent:
            sent.cancel()
        wait(self._sent)
        if self._upload is None:
            return
        try:
            self._upload.abort()
        except CopyError as error:
            _log.warning("%s was not aborted, which the seal does again: %s", self._key, error)

    def _stored_whole(self) -> str:
        self._fence.check()
        return self._bucket.put_once(self._key, bytes(self._piece))

    def _completed(self, upload: Upload) -> str:
        if self._piece:
            self._send(upload)
        while self._sent:
            self._sent.popleft().result()
        self._fence.check()
        return upload.complete()

    def _take(self, compressed: bytes) -> None:
        self._piece += compressed
        self._md5.update(compressed)
        self._sha256.update(compressed)
        self.size_bytes += len(compressed)
        if len(self._piece) >= _PIECE_BYTES:
            self._upload = self._upload or self._bucket.begin_upload(self._key)
            self._send(self._upload)

    def _send(self, upload: Upload) -> None:
        while len(self._sent) >= _PIECES_AT_ONCE:
            self._sent.popleft().result()
        self._fence.check()
        self._pieces += 1
        self._sent.append(self._threads.submit(upload.add, self._pieces, bytes(self._piece)))
        self._piece.clear()
