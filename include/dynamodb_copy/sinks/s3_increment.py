"""Parts of an increment: changes in their order, kept apart by key buckets. docs/backup-format.md is the contract."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.formats.change_lines import change_bucket, change_line
from dynamodb_copy.model import Cursor, Durable, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.ports import Fence
from dynamodb_copy.sinks.open_part import PIECES_AT_ONCE, OpenPart

FLUSH_BYTES = 64 << 20
"""Compressed bytes, of all buckets together, after which they are made durable."""


class S3Increment:
    """Stores a segment's changes in parts of one increment, each of one key bucket, several of them durable together.

    A part's name carries the attempt, so that attempts which overlap never write to the same object. `name_prefix`
    tells the increment's parts from all others in `data_folder`, a key without a slash at its end.
    """

    def __init__(  # noqa: PLR0913 - what every sink in S3 needs, and where this one's parts lie among others
        self,
        bucket: Bucket,
        data_folder: str,
        name_prefix: str,
        attempt: str,
        keys: KeySchema,
        *,
        fence: Fence,
        now: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._start = f"{data_folder}/{name_prefix}-"
        self._attempt = attempt
        self._keys = keys
        self._fence = fence
        self._now = now

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """Store the pages; yield when all changes since the last time are durable, also when there were none.

        The last page, which has no cursor, becomes durable on its own: how far those before it came is known by then.
        Raises ServiceUnavailableError, LeaseLostError and PermanentErrors.
        """
        with ThreadPoolExecutor(PIECES_AT_ONCE) as threads:
            step = self._step(segment, 0, threads)
            try:
                for page in pages:
                    self._fence.check()
                    if page.cursor is None and step.is_begun:
                        yield step.stored(self._now)
                        step = self._step(segment, step.number + 1, threads)
                    step.add(page, self._keys)
                    if page.cursor is None or step.size_bytes >= FLUSH_BYTES:
                        yield step.stored(self._now)
                        step = self._step(segment, step.number + 1, threads)
            finally:
                step.abandon()

    def _step(self, segment: Segment, number: int, threads: ThreadPoolExecutor) -> _Step:
        start = f"{self._start}{segment.index:04d}-{self._attempt}-{number:06d}"

        def opening(bucket: int) -> OpenPart:
            return OpenPart(self._bucket, f"{start}-b{bucket:02d}.json.gz", threads, self._fence)

        return _Step(number, opening, self._now())


class _Step:
    """The pages that become durable together: a part for each key bucket that has changes."""

    def __init__(self, number: int, opening: Callable[[int], OpenPart], began: float) -> None:
        self.number = number
        self._opening = opening
        self._began = began
        self._open: dict[int, OpenPart] = {}
        self._cursor: Cursor | None = None
        self._tally = Tally()
        self.is_begun = False

    @property
    def size_bytes(self) -> int:
        """Compressed."""
        return sum(part.size_bytes for part in self._open.values())

    def add(self, page: Page, keys: KeySchema) -> None:
        """Take a page's changes."""
        lines: defaultdict[int, list[bytes]] = defaultdict(list)
        for change in page.changes:
            key = change.item if isinstance(change, Put) else change.key
            lines[change_bucket(key, keys)].append(change_line(change, keys))
        for bucket, of_bucket in lines.items():
            if bucket not in self._open:
                self._open[bucket] = self._opening(bucket)
            self._open[bucket].add(b"".join(of_bucket), len(of_bucket))
        self._cursor = page.cursor
        self._tally += page.tally
        self.is_begun = True

    def stored(self, now: Callable[[], float]) -> Durable:
        """Return once all of them are stored."""
        parts = []
        for bucket, part in sorted(self._open.items()):
            parts.append(part.store())
            del self._open[bucket]
        return Durable(self._cursor, self._tally + Tally(seconds=now() - self._began), tuple(parts))

    def abandon(self) -> None:
        """End after a failure: nothing is on its way any more."""
        for part in self._open.values():
            part.abandon()
