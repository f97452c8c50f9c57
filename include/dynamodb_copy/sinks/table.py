"""A table as a sink: one page at a time, every write of it confirmed."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable

import orjson

from dynamodb_copy.errors import ItemRefusedError
from dynamodb_copy.formats.dynamodb_json import key_bytes, key_hash
from dynamodb_copy.model import Change, Durable, Item, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.sinks.batch_writer import BatchWriter, Refusal, Written

_NAMED_KEYS = 10
_PAGES_AT_ONCE = 2  # the last writes of a page and the first of the next share the round trip


class TableSink:
    """Puts and deletes the changes of a page; a page is durable once the service has confirmed each of them.

    Only pages of distinct keys overlap, so that writes to one key never overtake; within a page its last change counts.
    """

    def __init__(self, writer: BatchWriter, keys: KeySchema) -> None:
        self._writer = writer
        self._keys = keys
        self._stored_at = writer.now()

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Generator[Durable]:
        """Store the pages; raises ItemRefusedError with the count and the key hashes of what the target refuses."""
        under_way: deque[tuple[Page, Written]] = deque()
        self._stored_at = self._writer.now()
        try:
            for page in pages:
                while under_way and not page.is_distinct:
                    yield self._stored(segment, *under_way.popleft())
                under_way.append((page, self._writer.begin(self._requests(page))))
                if len(under_way) == _PAGES_AT_ONCE:
                    yield self._stored(segment, *under_way.popleft())
            while under_way:
                yield self._stored(segment, *under_way.popleft())
        finally:
            self._writer.see_out()

    def _stored(self, segment: Segment, page: Page, written: Written) -> Durable:
        self._writer.finish(written)
        if written.refusals:
            raise self._refused(segment, written.refusals)
        before, self._stored_at = self._stored_at, self._writer.now()
        seconds = self._stored_at - before
        cost = Tally(write_units=written.units, throttles=written.throttles, retries=written.retries, seconds=seconds)
        return Durable(page.cursor, page.tally + cost)

    def _requests(self, page: Page) -> list[bytes]:
        if page.is_distinct:
            return [_request(change) for change in page.changes]
        return list({key_bytes(_key_in(change), self._keys): _request(change) for change in page.changes}.values())

    def _refused(self, segment: Segment, refusals: list[Refusal]) -> ItemRefusedError:
        hashes = [key_hash(_attributes(refusal.request), self._keys).hex() for refusal in refusals[:_NAMED_KEYS]]
        return ItemRefusedError(
            f"{segment.label}: the target refuses {len(refusals)} items of a page and is copied up to it. "
            f"Key hashes: {', '.join(hashes)}. The service says: {refusals[0].message}. "
            "Correct the items in the source, or the target's indexes, and let the task run again; "
            "`verify --show-keys` shows the keys"
        )


def _request(change: Change) -> bytes:
    if isinstance(change, Put):
        return b'{"PutRequest":{"Item":%b}}' % (change.line or orjson.dumps(change.item))
    return b'{"DeleteRequest":{"Key":%b}}' % orjson.dumps(change.key)


def _key_in(change: Change) -> Item:
    return change.item if isinstance(change, Put) else change.key


def _attributes(request: bytes) -> Item:
    (body,) = orjson.loads(request).values()
    attributes: Item = body.get("Item") or body["Key"]
    return attributes
