"""Shards and their descent: where a stream is read on, and whether anything in it was never read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson

Frontier = dict[str, str]
"""Where a stream is read on: shard id to the sequence number after which, "" for its beginning, "end" after its end."""

BEGINNING = ""
END = "end"


@dataclass(frozen=True, slots=True)
class Shard:
    """A share of a stream's changes, by the hash of their keys, for some hours."""

    id: str
    parent: str | None  # it may be forgotten, and not be listed any more
    is_closed: bool  # nothing is added any more


def children(shards: Iterable[Shard]) -> dict[str, list[Shard]]:
    """The listed children of each shard that has some, by its id; it need not be listed itself."""
    found: dict[str, list[Shard]] = {}
    for shard in shards:
        if shard.parent is not None:
            found.setdefault(shard.parent, []).append(shard)
    return found


def leaves(shards: Sequence[Shard]) -> Frontier:
    """The mark before a base: every shard without listed children, from its beginning."""
    parents = children(shards)
    return {shard.id: BEGINNING for shard in shards if shard.id not in parents}


def advance(frontier: Frontier, shards: Sequence[Shard]) -> Frontier:
    """Replace shards that were read to their end by their children, where some are listed already."""
    listed = children(shards)
    advanced: Frontier = {}
    for shard, after in frontier.items():
        if after == END and shard in listed:
            advanced |= {child.id: BEGINNING for child in listed[shard] if child.id not in frontier}
        else:
            advanced[shard] = after
    return advanced


def lost(frontier: Frontier, shards: Sequence[Shard]) -> list[str]:
    """Shards that are forgotten though they were not read to their end.

    One that was read to its end may be forgotten: what its children held is `unaccounted` if it was not read.
    """
    listed = {shard.id for shard in shards}
    return [shard for shard, after in frontier.items() if after != END and shard not in listed]


def unaccounted(frontier: Frontier, shards: Sequence[Shard]) -> list[str]:
    """Listed shards that neither descend from the frontier nor lead to it: nobody has read what they hold."""
    parents = {shard.id: shard.parent for shard in shards}
    read = frontier.keys()
    known = {ancestor for shard in read for ancestor in _line(shard, parents)}
    return [shard.id for shard in shards if shard.id not in known and read.isdisjoint(_line(shard.id, parents))]


def _line(shard: str, parents: dict[str, str | None]) -> set[str]:
    """The shard and its ancestors, as far as the listing tells."""
    line: set[str] = set()
    at: str | None = shard
    while at is not None and at not in line:
        line.add(at)
        at = parents.get(at)
    return line


def groups(frontier: Frontier, count: int) -> list[Frontier]:
    """Deal the shards out evenly to `count` groups; to fewer where they are not that many, but always to one."""
    dealt = sorted(frontier.items())
    return [dict(dealt[start::count]) for start in range(min(count, len(dealt)))] or [{}]


def frontier_hash(frontier: Frontier) -> str:
    """64 hexadecimal digits: the SHA-256 of its JSON with sorted keys."""
    return sha256(orjson.dumps(frontier, option=orjson.OPT_SORT_KEYS)).hexdigest()
