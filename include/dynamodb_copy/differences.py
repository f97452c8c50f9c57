"""Which keys two sides differ in, from fingerprints that were spilled to files bucket by bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from dynamodb_copy.errors import TooManyDifferencesError
from dynamodb_copy.formats.dynamodb_json import key_bucket

MOST_KEYS = 1_000_000
"""Differing keys that are listed; with more, a new copy is the better repair."""

HASH_BYTES = 16
"""Of a key hash or an item hash."""

_RECORD_BYTES = 2 * HASH_BYTES
_BUFFER_BYTES = 1024 * _RECORD_BYTES


class Spill:
    """Fingerprints of one segment of one side, as files of 32-byte records, one file per bucket."""

    def __init__(self, folder: Path, buckets: frozenset[int]) -> None:
        self._folder = folder
        self._buffers = {bucket: bytearray() for bucket in buckets}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            for bucket in self._buffers:
                self._flush(bucket)

    def add(self, hashed_key: bytes, hashed_item: int) -> None:
        """Keep the fingerprint if its bucket is wanted; raises OSError when the disk is full."""
        bucket = key_bucket(hashed_key)
        buffer = self._buffers.get(bucket)
        if buffer is None:
            return
        buffer += hashed_key + hashed_item.to_bytes(HASH_BYTES, "big")
        if len(buffer) >= _BUFFER_BYTES:
            self._flush(bucket)

    def _flush(self, bucket: int) -> None:
        if not self._buffers[bucket]:
            return
        with (self._folder / str(bucket)).open("ab") as file:
            file.write(self._buffers[bucket])
        self._buffers[bucket].clear()


class BucketDifferences(NamedTuple):
    """How one bucket of the actual side differs from the expected one, as sets of key hashes."""

    missing: frozenset[bytes]
    extra: frozenset[bytes]
    changed: frozenset[bytes]
    extra_items: tuple[int, ...]  # hashes of the items behind `extra`
    changed_items: tuple[int, ...]  # hashes of the actual side's items behind `changed`

    @property
    def keys(self) -> int:
        """Keys that differ in any way."""
        return len(self.missing) + len(self.extra) + len(self.changed)

    @property
    def extra_sum(self) -> int:
        """The sum of the extra items' hashes."""
        return sum(self.extra_items)


@dataclass(frozen=True, slots=True)
class Differences:
    """Differing keys by bucket; buckets without a difference are not listed."""

    buckets: dict[int, BucketDifferences] = field(default_factory=dict)

    @classmethod
    def of(cls, expected: Path, actual: Path, buckets: frozenset[int]) -> Differences:
        """Compare two sides' spilled fingerprints; raises TooManyDifferencesError."""
        found: dict[int, BucketDifferences] = {}
        total = 0
        for bucket in sorted(buckets):
            compared = _compared(dict(_records(expected, bucket)), dict(_records(actual, bucket)))
            total += compared.keys
            if total > MOST_KEYS:
                raise TooManyDifferencesError(
                    f"more than {MOST_KEYS:,} keys differ, too many to list; run the job again: it copies every item"
                )
            if compared.keys:
                found[bucket] = compared
        return cls(found)

    def within(self, buckets: Iterable[int]) -> Differences:
        """Only the differences in these buckets."""
        return Differences({bucket: self.buckets[bucket] for bucket in buckets if bucket in self.buckets})

    @property
    def missing(self) -> frozenset[bytes]:
        """Keys that only the expected side has."""
        return frozenset[bytes]().union(*[bucket.missing for bucket in self.buckets.values()])

    @property
    def extra(self) -> frozenset[bytes]:
        """Keys that only the actual side has."""
        return frozenset[bytes]().union(*[bucket.extra for bucket in self.buckets.values()])

    @property
    def changed(self) -> frozenset[bytes]:
        """Keys that both sides have with different content."""
        return frozenset[bytes]().union(*[bucket.changed for bucket in self.buckets.values()])


def _compared(expected: dict[bytes, bytes], actual: dict[bytes, bytes]) -> BucketDifferences:
    extra = actual.keys() - expected.keys()
    changed = {key for key in expected.keys() & actual.keys() if expected[key] != actual[key]}
    return BucketDifferences(
        missing=frozenset(expected.keys() - actual.keys()),
        extra=frozenset(extra),
        changed=frozenset(changed),
        extra_items=tuple(int.from_bytes(actual[key], "big") for key in extra),
        changed_items=tuple(int.from_bytes(actual[key], "big") for key in changed),
    )


def _records(side: Path, bucket: int) -> Iterator[tuple[bytes, bytes]]:
    for file in sorted(side.glob(f"*/{bucket}")):
        packed = file.read_bytes()
        for at in range(0, len(packed), _RECORD_BYTES):
            yield packed[at : at + HASH_BYTES], packed[at + HASH_BYTES : at + _RECORD_BYTES]
