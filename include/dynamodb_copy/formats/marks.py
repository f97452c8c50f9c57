"""Where one increment ends and the next one begins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from dynamodb_copy.formats.json_values import instant_text, text_or_none, texts


class Mark(NamedTuple):
    """A moment, and of a stream its frontier then: by shard, the sequence number after which reading goes on."""

    time: str  # ISO 8601
    hash: str | None = None  # of the frontier; None: the moment alone decides
    frontier: Mapping[str, str] | None = None

    @property
    def moment(self) -> datetime:
        """Its time."""
        return datetime.fromisoformat(self.time)

    def values(self) -> dict[str, Any]:
        """Plain JSON; `mark_of` is the inverse."""
        return self._asdict()


def stream_mark(time: str, frontier: Mapping[str, str]) -> Mark:
    """The mark of a stream's frontier."""
    return Mark(time, frontier_hash(frontier), dict(frontier))


def frontier_hash(frontier: Mapping[str, str]) -> str:
    """SHA-256 in hexadecimal, of the frontier as JSON with sorted keys."""
    return sha256(orjson.dumps(dict(frontier), option=orjson.OPT_SORT_KEYS)).hexdigest()


def mark_of(values: Any) -> Mark:
    """Read a mark; raises KeyError, TypeError and ValueError for what is none."""
    hashed, shards = text_or_none(values["hash"]), values["frontier"]
    if shards is None and hashed is None:
        return Mark(instant_text(values["time"]))
    frontier = texts(shards)
    if frontier_hash(frontier) != hashed:
        raise ValueError("a mark whose hash is not that of its frontier")
    return Mark(instant_text(values["time"]), hashed, frontier)
