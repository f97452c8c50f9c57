"""A gzip object while it is filled: a piece in memory, those before it on their way."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait

from isal import isal_zlib

from dynamodb_copy.aws.objects import Bucket, Upload
from dynamodb_copy.errors import CopyError
from dynamodb_copy.model import Part
from dynamodb_copy.ports import Fence

PIECE_BYTES = 8 << 20  # S3 takes 5 MiB and more
PIECES_AT_ONCE = 3  # on their way, beside the one that is filled
_GZIP = 31  # the window's size as zlib has it, and a gzip header without a time
_LEVEL = 1
_log = logging.getLogger(__name__)


class OpenPart:
    """One part of a backup; it exists once it is stored whole, and S3 has verified all of it."""

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
        self.size_bytes = 0  # compressed, as far as the compressor has given it out

    def add(self, lines: bytes, count: int) -> None:
        """Take so many lines, each with its line feed."""
        self._take(self._compressor.compress(lines))
        self._items += count

    def store(self) -> Part:
        """Return once all of it is stored."""
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
        if len(self._piece) >= PIECE_BYTES:
            self._upload = self._upload or self._bucket.begin_upload(self._key)
            self._send(self._upload)

    def _send(self, upload: Upload) -> None:
        while len(self._sent) >= PIECES_AT_ONCE:
            self._sent.popleft().result()
        self._fence.check()
        self._pieces += 1
        self._sent.append(self._threads.submit(upload.add, self._pieces, bytes(self._piece)))
        self._piece.clear()
