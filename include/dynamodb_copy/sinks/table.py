"""A table as a sink: one page at a time, every write of it confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from dynamodb_copy.errors import ItemRefusedError
from dynamodb_copy.formats.dynamodb_json import key_bytes, key_hash
from dynamodb_copy.model import Change, Durable, Item, KeySchema, Page, Put, Segment, Tally
from dynamodb_copy.sinks.batch_writer import BatchWriter, Refusal

_NAMED_KEYS = 10


class TableSink:
    """Puts and deletes the changes of a page; a page is durable once the service has confirmed each of them.

    Pages follow one another, so that writes to one key never overtake; within a page its last change counts.
    """

    def __init__(self, writer: BatchWriter, keys: KeySchema) -> None:
        self._writer = writer
        self._keys = keys

    def absorb(self, segment: Segment, pages: Iterable[Page]) -> Iterator[Durable]:
        """Store the pages; raises ItemRefusedError with the count and the key hashes of what the target refuses."""
        began = self._writer.now()
        for page in pages:
            written = self._writer.write(self._requests(page))
            if written.refusals:
                raise self._refused(segment, written.refusals)
            ended = self._writer.now()
            cost = Tally(
                write_units=written.units, throttles=written.throttles, retries=written.retries, seconds=ended - began
            )
            began = ended
            yield Durable(page.cursor, page.tally + cost)

    def _requests(self, page: Page) -> list[bytes]:
        if page.is_distinct:
            return [_request(change) for change in page.changes]
        return list({key_bytes(_key_in(change), self._keys): _request(change) for change in page.changes}.values())

    def _refused(self, segment: Segment, refusals: list[Refusal]) -> ItemRefusedError:
        hashes = [key_hash(_attributes(refusal.request), self._keys).hex() for refusal in refusals[:_NAMED_KEYS]]
        return ItemRefusedError(
            f"{segment.label}: the target refuses {len(refusals)} items of a page; nothing after that page was copied. "
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
