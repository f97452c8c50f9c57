"""The values that travel: no I/O, no behaviour beyond their own invariants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Item = dict[str, Any]
"""One item as raw wire JSON, `{"id": {"S": "1"}}`; numbers are text and binary is base64 text."""

Key = dict[str, Any]
"""The key attributes of one item, as raw wire JSON."""

Cursor = dict[str, Any]
"""JSON that a source can resume after; opaque to all others."""

BUCKETS = 256
"""Key buckets that a digest is kept in."""

DIGEST_MODULUS = 1 << 128


class TableRef(NamedTuple):
    """Where a table is and the connection that reaches it."""

    table: str
    region: str
    connection: str


class KeySchema(NamedTuple):
    """The names of a table's key attributes."""

    hash_name: str
    range_name: str | None = None


class Put(NamedTuple):
    """The item as it stands after the change."""

    item: Item
    written_at: int | None = None  # epoch microseconds; None when the source cannot know
    line: bytes | None = None  # the item as JSON with sorted keys, where the source has made it for all who need it
    old: Item | None = None  # the item before the change, where there was one and the source tells


class Delete(NamedTuple):
    """The key of an item that no longer exists."""

    key: Key
    written_at: int | None = None  # epoch microseconds; None when the source cannot know
    old: Item | None = None  # the item before the change, where there was one and the source tells


Change = Put | Delete


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A share of a source: copied, retried and resumed on its own."""

    index: int  # from 0
    total: int

    @property
    def label(self) -> str:
        """What people see: `segment 3/16`."""
        return f"segment {self.index + 1}/{self.total}"


@dataclass(frozen=True, slots=True)
class Digest:
    """An order-independent content hash: per key bucket the sum of item hashes modulo 2^128.

    A sum, not an XOR: an item that is there twice does not cancel itself out, and an old image can be subtracted.
    """

    buckets: tuple[int, ...] = (0,) * BUCKETS

    def __add__(self, other: Digest) -> Digest:
        return Digest(tuple([(a + b) % DIGEST_MODULUS for a, b in zip(self.buckets, other.buckets, strict=True)]))

    def __sub__(self, other: Digest) -> Digest:
        return Digest(tuple([(a - b) % DIGEST_MODULUS for a, b in zip(self.buckets, other.buckets, strict=True)]))

    @property
    def hex(self) -> str:
        """The whole as 32 hexadecimal digits, for people and reports."""
        return f"{sum(self.buckets) % DIGEST_MODULUS:032x}"

    def to_bytes(self) -> bytes:
        """4,096 bytes: the buckets in order, big-endian."""
        return b"".join([bucket.to_bytes(16, "big") for bucket in self.buckets])

    @classmethod
    def from_bytes(cls, packed: bytes) -> Digest:
        """The inverse of `to_bytes`."""
        return cls(tuple([int.from_bytes(packed[at : at + 16], "big") for at in range(0, len(packed), 16)]))

    def differing(self, other: Digest) -> frozenset[int]:
        """The numbers of the buckets whose contents differ."""
        return frozenset(n for n, (a, b) in enumerate(zip(self.buckets, other.buckets, strict=True)) if a != b)


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted while pages passed; tallies add up."""

    items: int = 0
    bytes: int = 0  # of the items' wire JSON
    expiring: int = 0  # items left out of the digest because TTL may remove them before the run ends
    pages: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    throttles: int = 0
    retries: int = 0
    seconds: float = 0.0
    digest: Digest = field(default_factory=Digest)
    deletes: int = 0  # of the items: changes that delete
    growth: int = 0  # items that came into being less those that went
    checked: int = 0  # keys that were read back from the target, as they were written

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.items + other.items,
            self.bytes + other.bytes,
            self.expiring + other.expiring,
            self.pages + other.pages,
            self.read_units + other.read_units,
            self.write_units + other.write_units,
            self.throttles + other.throttles,
            self.retries + other.retries,
            self.seconds + other.seconds,
            self.digest + other.digest,
            self.deletes + other.deletes,
            self.growth + other.growth,
            self.checked + other.checked,
        )


class Part(NamedTuple):
    """One data object of a backup, as it is stored."""

    name: str  # below the backup's `data/`
    items: int
    size_bytes: int
    etag: str
    md5: str  # base64
    sha256: str  # hexadecimal


class Page(NamedTuple):
    """The changes that one request read."""

    changes: list[Change]
    cursor: Cursor | None  # resume after it; None: the segment ends here
    tally: Tally
    is_distinct: bool = False  # whether no key is there twice, nor in another page of the segment


class Durable(NamedTuple):
    """Everything up to `cursor` can be read back from the target; `tally` counts what this step added."""

    cursor: Cursor | None  # None: the segment is done
    tally: Tally
    parts: tuple[Part, ...] = ()  # what a backup stored for it


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last durable cursor of one segment of one run, with all that was counted up to it.

    One that is done keeps the last cursor that the segment had: where a source ended may be where the next run begins.
    """

    cursor: Cursor | None = None
    tally: Tally = field(default_factory=Tally)
    done: bool = False
    parts: tuple[Part, ...] = ()  # of a backup: those that count
