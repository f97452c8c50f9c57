"""A sink whose writes are read back from the target before they count."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

from dynamodb_copy.aws.batch_get import BatchGet
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.errors import ContentDiffersError
from dynamodb_copy.formats.dynamodb_json import canonical_item, key_bytes, key_hash, key_of
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Change, Durable, Item, Key, Page, Put, Segment, Tally
from dynamodb_copy.ports import Limiter, Sink

_NAMED_KEYS = 10


class ReadBack:
    """Passes pages on one at a time, and reads each page's keys back, strongly consistent, once it is durable.

    What an item's TTL may have removed meanwhile is not looked at.
    """

    def __init__(self, sink: Sink, wire: Wire, table: str, fingerprints: Fingerprints, limiter: Limiter) -> None:
        self._sink = sink
        self._table = table
        self._fingerprints = fingerprints
        self._reads = BatchGet(wire, table, limiter)

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """Store the pages; raises ContentDiffersError, with key hashes, when the target holds something else.

        Then the page does not count: whoever applies it again writes it again.
        """
        written: deque[Page] = deque()
        with closing(self._sink.absorb(segment, _remembering(pages, written))) as durables:
            for durable in durables:
                checked = self._check(segment, written.popleft())
                yield durable._replace(tally=durable.tally + Tally(checked=checked))

    def _check(self, segment: Segment, page: Page) -> int:
        """How many keys of the page were read back, each of them as the page has it."""
        expected = self._expected(page.changes)
        wrong = self._wrong(expected)
        if wrong and (wrong := self._wrong({key: expected[key] for key in wrong})):
            hashes = [key_hash(_key(expected[key], self._fingerprints), self._fingerprints.keys).hex() for key in wrong]
            raise ContentDiffersError(
                f"{segment.label}: {len(wrong)} of {len(expected)} keys that were written to {self._table} are not "
                f"there as they were written; key hashes: {', '.join(hashes[:_NAMED_KEYS])}. Somebody else writes to "
                "the target: stop that, then let the task run again, which writes them again"
            )
        return len(expected)

    def _expected(self, changes: list[Change]) -> dict[bytes, Change]:
        """The last change of each key."""
        keys = self._fingerprints.keys
        last = {key_bytes(change.item if isinstance(change, Put) else change.key, keys): change for change in changes}
        if self._fingerprints.ttl_attribute is None:
            return last
        is_expiring = self._fingerprints.is_expiring
        return {key: each for key, each in last.items() if not (isinstance(each, Put) and is_expiring(each.item))}

    def _wrong(self, expected: dict[bytes, Change]) -> list[bytes]:
        """The keys that the target does not hold as expected."""
        schema = self._fingerprints.keys
        unmet = dict(expected)
        for item in self._reads.items([_key(change, self._fingerprints) for change in expected.values()]):
            key = key_bytes(item, schema)
            change = unmet.get(key)
            if isinstance(change, Put) and _is_same(change.item, item):
                del unmet[key]
            elif change is not None and not isinstance(change, Put):
                unmet[key] = Put(item)  # it should be gone
        return [key for key, change in unmet.items() if isinstance(change, Put)]


def _remembering(pages: Iterable[Page], written: deque[Page]) -> Iterator[Page]:
    """Keys of pages may be the same as far as the sink knows: it then has one of them on its way at a time."""
    for page in pages:
        written.append(page)
        yield page._replace(is_distinct=False)


def _key(change: Change, fingerprints: Fingerprints) -> Key:
    return key_of(change.item, fingerprints.keys) if isinstance(change, Put) else change.key


def _is_same(written: Item, read: Item) -> bool:
    """Compare what was written with what is there: as spelled, and where that differs in the canonical form."""
    return written == read or canonical_item(written) == canonical_item(read)
