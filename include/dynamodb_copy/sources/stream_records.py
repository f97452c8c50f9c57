"""What the records of a shard say: pure, and lean, for it runs once for each change."""

from __future__ import annotations

from typing import Any, NamedTuple

from dynamodb_copy.formats.dynamodb_json import key_of
from dynamodb_copy.model import Change, Delete, KeySchema, Put

_TTL = {"Service", "dynamodb.amazonaws.com"}
"""Type and principal of the deletes that TTL makes.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
"""


class Wanted(NamedTuple):
    """Which changes are passed on."""

    keys: KeySchema
    not_before: float  # epoch seconds; older ones are known already
    skip_ttl: bool = False  # leave out the deletes that TTL makes
    with_old: bool = True  # with the items before the changes, which take as much time and memory as those after them


class Told(NamedTuple):
    """What some records of one shard said."""

    changes: list[Change]
    after: str  # the last one's sequence number
    seen: int  # the latest written_at, epoch microseconds
    created: float  # the last one's moment, epoch seconds


def told_by(records: list[dict[str, Any]], after: str, seen: int, wanted: Wanted) -> Told:
    """Read the records that follow a sequence number; those up to it are repetitions.

    Moments come in whole seconds, more or less in order: `written_at` never goes back.
    """
    changes: list[Change] = []
    last, created = int(after or -1), 0.0
    for record in records:
        told = record["dynamodb"]
        number = int(told["SequenceNumber"])
        if number <= last:
            continue
        last, after, created = number, told["SequenceNumber"], told["ApproximateCreationDateTime"]
        seen = max(seen, int(created * 1_000_000))
        if created < wanted.not_before:
            continue
        old = told.get("OldImage") if wanted.with_old else None
        if record["eventName"] != "REMOVE":
            changes.append(Put(told["NewImage"], seen, None, old))
        elif not (wanted.skip_ttl and _is_by_ttl(record)):
            changes.append(Delete(key_of(told["Keys"], wanted.keys), seen, old))
    return Told(changes, after, seen, created)


def _is_by_ttl(record: dict[str, Any]) -> bool:
    """Documents and service models differ in how they spell the names of these fields."""
    identity = record.get("userIdentity") or {}
    return set(identity.values()) == _TTL
