"""What listings of a stream's shards have shown so far, and whether that is all there is to know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dynamodb_copy.lineage import Shard, children

SURE_SECONDS = 5.0  # siblings may be listed that much later than one another


@dataclass(frozen=True, slots=True)
class Listing:
    """The newest listing, and since when each shard is known to be closed. Moments are those of the machine's clock."""

    at: float = -math.inf
    children: dict[str, list[Shard]] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    unclosed: frozenset[str] = frozenset()
    closed_at: dict[str, float] = field(default_factory=dict)
    begun: float = -math.inf

    def followed_by(self, shards: Sequence[Shard], begun: float, ended: float) -> Listing:
        """The listing that was asked for from one moment to the other, some time after this one."""
        closed_at = {shard.id: ended for shard in shards if shard.is_closed} | self.closed_at
        return Listing(
            ended,
            children(shards),
            {shard.id: shard.parent for shard in shards},
            frozenset(shard.id for shard in shards if shard.id not in closed_at),
            closed_at,
            begun,
        )

    def shows_children(self, shard: str) -> bool:
        """Whether it can be believed: one that shows the shard as open was made too early."""
        return shard in self.children and shard not in self.unclosed

    def is_sure_of(self, shard: str) -> bool:
        """Whether it shows all children: it was asked for some time after the shard was shown as closed.

        One that is forgotten was closed a day ago.
        """
        return self.begun - self.closed_at.get(shard, -math.inf) >= SURE_SECONDS
