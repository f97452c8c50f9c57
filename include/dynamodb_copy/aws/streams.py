"""What a stream says about itself: its status, and its shards."""

from __future__ import annotations

from functools import partial
from typing import Any

from dynamodb_copy.aws.backoff import patiently
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.lineage import Shard, children

__all__ = ["Shard", "shards", "stream_status"]

_TRIES = 5
_PAUSE_SECONDS = 1.0  # pages of one listing may be of different moments; so long they disagree at the most


def stream_status(wire: Wire, stream_arn: str) -> dict[str, Any]:
    """Describe a stream without its shards: StreamStatus, StreamViewType, TableName; raises ResourceMissingError.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamDescription.html
    """
    return {name: value for name, value in _described(wire, stream_arn, Limit=1).items() if name != "Shards"}


def shards(wire: Wire, stream_arn: str, *, tries: int = _TRIES) -> list[Shard]:
    """Every shard that the stream keeps; raises ResourceMissingError.

    A listing that looks incomplete is asked for anew until it brings nothing new, or has been asked for that often:
    parents may be missing because they are forgotten, and children because the stream is off.
    """
    known = _listing(wire, stream_arn)
    for _ in range(tries - 1):
        if _is_complete(known):
            break
        wire.clock.sleep(_PAUSE_SECONDS)
        newer = known | _listing(wire, stream_arn)
        if newer == known:
            break
        known = newer
    return list(known.values())


def _is_complete(known: dict[str, Shard]) -> bool:
    listed = children(known.values())
    return listed.keys() <= known.keys() and not any(
        shard.is_closed and shard.id not in listed for shard in known.values()
    )


def _listing(wire: Wire, stream_arn: str) -> dict[str, Shard]:
    found: dict[str, Shard] = {}
    after: dict[str, Any] = {}
    while True:
        described = _described(wire, stream_arn, **after)
        for shown in described.get("Shards", []):
            is_closed = "EndingSequenceNumber" in shown.get("SequenceNumberRange", {})
            found[shown["ShardId"]] = Shard(shown["ShardId"], shown.get("ParentShardId"), is_closed)
        last = described.get("LastEvaluatedShardId")
        if last is None:
            return found
        after = {"ExclusiveStartShardId": last}


def _described(wire: Wire, stream_arn: str, **request: Any) -> dict[str, Any]:
    asked = {"StreamArn": stream_arn, **request}
    reply = patiently(partial(wire.call, "DescribeStream", asked), wire.clock)
    described: dict[str, Any] = reply["StreamDescription"]
    return described
