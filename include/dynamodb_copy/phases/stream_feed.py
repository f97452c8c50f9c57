"""Changes by DynamoDB Streams: every change, in order, as long as it is read within a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.aws.streams import Shard, shards, stream_status
from dynamodb_copy.aws.tables import Table, described, enable_stream
from dynamodb_copy.errors import ServiceUnavailableError, TableError, TargetRefusedError
from dynamodb_copy.job import IncrementalBackupJob
from dynamodb_copy.lineage import advance, groups, leaves, lost, unaccounted
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.ports import Source
from dynamodb_copy.sources import stream_lanes
from dynamodb_copy.sources.stream_drain import RETENTION_SECONDS
from dynamodb_copy.sources.table_stream import TableStream
from dynamodb_copy.state.plans import Plan
from dynamodb_copy.state.positions import Position
from dynamodb_copy.state.readers import MOST_READERS, other_readers, remember_reader

_VIEW = "NEW_AND_OLD_IMAGES"
_EARLIER_SECONDS = 300.0  # clocks differ: what a base surely has seen is that much older than its mark


class StreamFeed:
    """The table's own stream; a position is a frontier of its shards."""

    def __init__(self, context: AnyContext, table: Table) -> None:
        self._context = context
        self._table = table

    def check(self, target_arn: str) -> None:
        """Refuse a table without a stream, with one that tells too little, or that two others read already."""
        view, source = self._table.stream_view, self._context.job.source
        if view is None and not self._context.job.changes.enable:
            raise TableError(
                f"from.table: the stream of {self._table.arn} is off; say changes: {{enable: true}}, or switch it on "
                f"with aws dynamodb update-table --table-name {source.table} --region {source.region} "
                f"--stream-specification StreamEnabled=true,StreamViewType={_VIEW}"
            )
        needed = {_VIEW} if self._needs_old else {_VIEW, "NEW_IMAGE"}
        if view is not None and view not in needed:
            raise TableError(
                f"from.table: the stream of {self._table.arn} shows {view}; allowed: {' or '.join(sorted(needed))}; a "
                "stream's view cannot be changed: switch the stream off and on again with another view, which is a gap "
                "for everyone who reads it"
            )

        others = other_readers(self._context.rows, self._table.stream_arn, target_arn)
        if len(others) >= MOST_READERS:
            raise TargetRefusedError(
                f"changes.by: {len(others)} jobs read the stream of {self._table.arn} already: {', '.join(others)}; "
                f"allowed: {MOST_READERS}, as many as DynamoDB lets at a shard: copy on from one of their targets, or "
                "say changes: {by: export}"
            )

    def ready(self, target_arn: str) -> None:
        """Switch the stream on if it is off, and wait until it has shards; remember that this job reads it."""
        if self._table.stream_view is None:
            enable_stream(self._context.source_client, self._table.name, _VIEW)
        patience = Patience(self._context.clock)
        while True:
            self._table = described(self._context.source_client, self._table.name)
            if self._table.stream_view is not None and shards(self._wire, self._table.stream_arn, tries=1):
                break
            patience.wait(ServiceUnavailableError(f"{self._table.arn}: its stream has no shard yet; try again"))
        remember_reader(self._context.rows, self._table.stream_arn, target_arn, self._context.job.name)

    def now(self) -> float:
        """The moment that the service's clock shows."""
        stream_status(self._wire, self._table.stream_arn)
        return self._wire.service_time() or self._context.wall()

    def begin(self, position: Position) -> Position:
        """Every shard that may still hold a change which a scan from now on does not see."""
        frontier, now = leaves(self._shards), self.now()
        return replace(position, began=now, up_to=now, stream_arn=self._table.stream_arn, starts=(frontier,))

    def lost(self, position: Position) -> str:
        """Streams forget after a day, and one that was switched off and on is another."""
        if self._table.stream_view is None:
            return f"the stream {position.stream_arn} was switched off, and nothing keeps what changed since then"
        if self._table.stream_arn != position.stream_arn:
            return f"the stream {position.stream_arn} was replaced by {self._table.stream_arn or 'none'}"
        age = timedelta(seconds=round(self.now() - position.up_to))
        if age.total_seconds() >= RETENTION_SECONDS:
            return f"changes since {_iso(position.up_to)} were not read for {age}, and a stream keeps them for a day"
        gone = [*lost(position.frontier, self._shards), *unaccounted(position.frontier, self._shards)]
        return f"shards were trimmed, or appeared, without having been read: {', '.join(gone[:3])}" if gone else ""

    def warning(self, position: Position) -> str:
        """Half of the stream's memory is the time to act."""
        age = self.now() - position.up_to
        if age < RETENTION_SECONDS / 2:
            return ""
        left = timedelta(seconds=round(RETENTION_SECONDS - age))
        return f"changes since {_iso(position.up_to)} are unread; the stream forgets the first of them in {left}"

    def follow(self, position: Position) -> Position:
        """Drain up to now, or for as long as a continuous run lasts; after a base, as far as makes it consistent."""
        job = self._context.job
        frontier, now = advance(position.frontier, self._shards), self.now()
        count = job.segments if isinstance(job.segments, int) else job.parallel
        until = now + (job.run_for.total_seconds() if job.is_continuous else 0.0)
        if position.based is not None and position.up_to < position.based:
            until = max(until, position.based + stream_lanes.SAFE_SECONDS)
        return replace(position, starts=tuple(groups(frontier, count)), until=until)

    def segments(self, position: Position) -> int:
        """One for each group of lineages."""
        return len(position.starts)

    def source(self, position: Position, plan: Plan) -> Source:
        """The stream from where the run began."""
        return TableStream(
            wire=self._wire,
            stream_arn=position.stream_arn,
            starts=position.starts,
            keys=plan.keys,
            until=position.until,
            not_before=position.began - _EARLIER_SECONDS,
            known_since=position.up_to,
            skip_ttl=not self._needs_old and self._context.job.ttl == "skip",
            with_old=self._needs_old,
        )

    @property
    def _needs_old(self) -> bool:
        return isinstance(self._context.job, IncrementalBackupJob)

    @cached_property
    def _wire(self) -> Wire:
        return self._context.streams_wire()

    @cached_property
    def _shards(self) -> list[Shard]:
        """One listing is enough for a verb: what came into being since then descends from what it shows."""
        return shards(self._wire, self._table.stream_arn)


def _iso(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds")
