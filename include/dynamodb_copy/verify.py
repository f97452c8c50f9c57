"""Counts, bucketed content digests, and the differences of two sources in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from dynamodb_copy.differences import Differences, Spill
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Page, Put, Segment, Tally
from dynamodb_copy.ports import Source, Step

THREADS = 8

OnPage = Callable[[], None]
"""Called once per page by any thread; what it raises ends the reading."""


def survey(source: Source, steps: Sequence[Step], *, on_page: OnPage) -> Tally:
    """Read the whole source with several threads and add up its pages' tallies."""
    return _each_segment(source, lambda _, pages: _sum(_through(pages, steps)), on_page)


def differences(
    expected: Source, actual: Source, fingerprints: Fingerprints, buckets: Iterable[int], *, on_page: OnPage
) -> Differences:
    """Compare two sources key by key within some buckets, with one scan of each.

    Fingerprints of 32 bytes go to temporary files, so that memory is bounded by one bucket.
    """
    with TemporaryDirectory(prefix="dynamodb-copy-") as folder:
        wanted = frozenset(buckets)
        sides = Path(folder, "expected"), Path(folder, "actual")
        for side, source in zip(sides, (expected, actual), strict=True):
            _each_segment(source, _spilling(side, fingerprints, wanted), on_page)
        return Differences.of(*sides, wanted)


_Read = Callable[[Segment, Iterator[Page]], Tally]


def _spilling(folder: Path, fingerprints: Fingerprints, buckets: frozenset[int]) -> _Read:
    def read(segment: Segment, pages: Iterator[Page]) -> Tally:
        with Spill(folder / str(segment.index), buckets) as spill:
            for page in pages:
                items = [change.item for change in page.changes if isinstance(change, Put)]
                for hashed_key, hashed_item in fingerprints.of(items):
                    spill.add(hashed_key, hashed_item)
        return Tally()

    return read


def _each_segment(source: Source, read: _Read, on_page: OnPage) -> Tally:
    ended = Event()

    def guarded(segment: Segment) -> Tally:
        try:
            return read(segment, _watched(source.pages(segment, after=None), ended, on_page))
        except BaseException:
            ended.set()
            raise

    with ThreadPoolExecutor(THREADS) as threads:
        try:
            return sum(threads.map(guarded, source.segments()), Tally())
        finally:
            ended.set()  # an interrupted caller would otherwise wait until every thread has read its segment


def _watched(pages: Iterator[Page], ended: Event, on_page: OnPage) -> Iterator[Page]:
    """End early once another thread has failed: its error is what counts."""
    while not ended.is_set():
        page = next(pages, None)
        if page is None:
            return
        on_page()
        yield page


def _through(pages: Iterator[Page], steps: Sequence[Step]) -> Iterator[Page]:
    for step in steps:
        pages = step(pages)
    return pages


def _sum(pages: Iterable[Page]) -> Tally:
    return sum((page.tally for page in pages), Tally())
