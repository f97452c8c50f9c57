"""Fingerprints of items: a hash of the key and a hash of the content, and their sums per key bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

from dynamodb_copy.formats.dynamodb_json import canonical_lines, item_hash, key_hash
from dynamodb_copy.model import BUCKETS, DIGEST_MODULUS, Digest, Item, KeySchema, Tally


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """How the items of one run are compared; items that TTL may remove before the run ends are left out."""

    keys: KeySchema
    ttl_attribute: str | None = None
    expires_before: int = 0  # epoch seconds

    def of(self, items: list[Item]) -> Iterator[tuple[bytes, int]]:
        """Yield key hash and item hash of each item that is compared."""
        for item, line in zip(items, canonical_lines(items), strict=True):
            if not self.is_expiring(item):
                yield key_hash(item, self.keys), item_hash(line)

    def tally(self, items: list[Item], sorted_lines: list[bytes] | None = None) -> Tally:
        """Count the items; those that expire count, but not towards the digest.

        `sorted_lines` are the items as JSON with sorted keys, where they are there already.
        """
        lines = canonical_lines(items, sorted_lines)
        buckets = [0] * BUCKETS
        expiring = 0
        keys, has_ttl, number_of = self.keys, self.ttl_attribute is not None, int.from_bytes
        for item, line in zip(items, lines, strict=True):
            if has_ttl and self.is_expiring(item):
                expiring += 1
                continue
            # key_bucket and item_hash written out: their calls would cost as much as one of the hashes
            buckets[key_hash(item, keys)[0]] += number_of(blake2b(line, digest_size=16).digest(), "big")
        size_bytes = sum(map(len, lines))
        digest = Digest(tuple([total % DIGEST_MODULUS for total in buckets]))
        return Tally(items=len(items), bytes=size_bytes, expiring=expiring, digest=digest)

    def is_expiring(self, item: Item) -> bool:
        """Whether TTL may remove the item before the run ends; TTL looks at numbers only.

        Exact, as the service compares: a count that it makes must leave out the same items.
        """
        number = item.get(self.ttl_attribute or "", {}).get("N")
        return self.ttl_attribute is not None and number is not None and Decimal(number) < self.expires_before
