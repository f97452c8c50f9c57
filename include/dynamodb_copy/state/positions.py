"""Positions: up to where a target holds its source's changes; they outlive runs and never expire."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import orjson

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.claims import target_partition
from dynamodb_copy.state.rows import RowKey, StateRows

Frontier = dict[str, str]
"""Where a stream is read on: shard id to the sequence number after which, "" for its beginning, "end" after its end."""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a target holds the changes of its source; moments are epoch seconds by the source's clock."""

    source_arn: str
    source_id: str  # TableIds: a table that was dropped and created again is another one
    target_id: str
    by: str  # stream, export or attribute
    began: float  # when the base began, or was about to: changes are replayed from here
    up_to: float  # every change up to then is in the target, once the base is
    based: float | None = None  # when the base had ended: earlier states are not consistent; None: it has not
    base_items: int | None = None  # what the base read
    bases: int = 0  # how many bases the target has had, with the one that is being made
    is_fresh: bool = True  # whether the target held nothing when the base began; else the base also has to delete
    stream_arn: str = ""
    starts: tuple[Frontier, ...] = ()  # of a stream: what each segment of the run under way began with
    under_way: str = ""  # the partition of the run that works from here
    until: float = 0.0  # up to when that run reads
    windows: tuple[tuple[int, int], ...] = ()  # of exports: what that run applies
    chain: str = ""  # of S3: the id of the newest increment, or of the full one as long as there is none
    full: str = ""  # of S3: the id of the chain's full backup
    version: int = 0

    @property
    def frontier(self) -> Frontier:
        """Where the stream is read on, of all segments together."""
        return {shard: after for start in self.starts for shard, after in start.items()}

    @property
    def is_consistent(self) -> bool:
        """Whether the target is, or can be, what the source was at `up_to`."""
        return self.based is not None and self.up_to >= self.based


def position_of(rows: StateRows, target_arn: str) -> Position | None:
    """The target's position, if it has one and the state table exists."""
    try:
        row = rows.get(_key(target_arn))
    except ResourceMissingError:
        return None
    if row is None:
        return None
    fields = orjson.loads(row["position"]["S"])
    windows = tuple([(start, end) for start, end in fields["windows"]])
    return Position(**fields | {"starts": tuple(fields["starts"]), "windows": windows})


def move(rows: StateRows, target_arn: str, to: Position, *, in_place_of: Position | None) -> Position | None:
    """Replace a position and return the new one; None if it is not `in_place_of` any more."""
    moved = replace(to, version=1 if in_place_of is None else in_place_of.version + 1)
    changes = {"position": {"S": orjson.dumps(asdict(moved)).decode()}, "version": {"N": str(moved.version)}}
    if in_place_of is None:
        done = rows.update(_key(target_arn), changes, only_if="attribute_not_exists(version)")
    else:
        values = {":was": {"N": str(in_place_of.version)}}
        done = rows.update(_key(target_arn), changes, only_if="version = :was", values=values)
    # of two tries the first may have come through
    return moved if done or position_of(rows, target_arn) == moved else None


def _key(target_arn: str) -> RowKey:
    return RowKey(target_partition(target_arn), "position")
