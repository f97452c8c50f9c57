"""Only some of what passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dynamodb_copy.formats.dynamodb_json import key_hash, key_of
from dynamodb_copy.model import Delete, Item, Key, KeySchema, Page, Put, Tally
from dynamodb_copy.ports import Step


def selecting(keys: KeySchema, hashes: frozenset[bytes]) -> Step:
    """Keep the items whose key hash is among `hashes`."""

    def selected(pages: Iterable[Page]) -> Iterator[Page]:
        for page in pages:
            puts = [change for change in page.changes if isinstance(change, Put)]
            yield page._replace(changes=[put for put in puts if key_hash(put.item, keys) in hashes])

    return selected


def deleting(keys: KeySchema, without: Callable[[list[Key]], list[Key]]) -> Step:
    """Turn the items into deletes of those keys that `without` lets through; the tally counts them."""

    def deletes(pages: Iterable[Page]) -> Iterator[Page]:
        for page in pages:
            items: list[Item] = [change.item for change in page.changes if isinstance(change, Put)]
            gone = without([key_of(item, keys) for item in items]) if items else []
            yield page._replace(changes=[Delete(key) for key in gone], tally=page.tally + Tally(items=len(gone)))

    return deletes
