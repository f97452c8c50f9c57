"""What an incremental export holds of a table: the net changes of a window, as the emulator's stream tells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from stack.native_calls import Caller, RefusalError
from stack.native_layout import Change, Window

StreamRecord = dict[str, Any]
"""The `dynamodb` part of a record of a stream."""

_VIEW = "NEW_AND_OLD_IMAGES"


def changes_of(caller: Caller, table: dict[str, Any], window: Window) -> list[Change]:
    """The window's changes of a table as DescribeTable shows it; a stream's records have whole seconds only.

    Raises RefusalError unless the table has a stream of both images, enabled when the window began: a test's mistake.
    """
    _check_stream(table, window)
    records = _records(caller, table["LatestStreamArn"])
    return net([each for each in records if window.start <= each["ApproximateCreationDateTime"] < window.end], window)


def net(records: Iterable[StreamRecord], window: Window) -> list[Change]:
    """One change for each key that was written, unless it is missing before and after; by the last write's order.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    firsts: dict[bytes, StreamRecord] = {}
    lasts: dict[bytes, StreamRecord] = {}
    for record in records:
        key = orjson.dumps(record["Keys"], option=orjson.OPT_SORT_KEYS)
        firsts.setdefault(key, record)
        lasts.pop(key, None)
        lasts[key] = record
    changes = [_change(firsts[key], last) for key, last in lasts.items()]
    return [_viewed(change, window.view) for change in changes if change.keys() & {"OldImage", "NewImage"}]


def _change(first: StreamRecord, last: StreamRecord) -> Change:
    change: Change = {
        "Metadata": {"WriteTimestampMicros": {"N": str(int(last["ApproximateCreationDateTime"] * 1_000_000))}},
        "Keys": last["Keys"],
    }
    if "OldImage" in first:
        change["OldImage"] = first["OldImage"]
    if "NewImage" in last:
        change["NewImage"] = last["NewImage"]
    return change


def _viewed(change: Change, view: str) -> Change:
    return {name: value for name, value in change.items() if name != "OldImage" or view == _VIEW}


def _check_stream(table: dict[str, Any], window: Window) -> None:
    stream = table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or stream["StreamViewType"] != _VIEW:
        raise RefusalError(
            "ValidationException",
            f"this fake reads the stream of {table['TableName']}, which has none of {_VIEW}: the test has to enable it",
        )
    enabled = datetime.fromisoformat(table["LatestStreamLabel"]).replace(tzinfo=UTC)
    if window.start < int(enabled.timestamp()):
        raise RefusalError(
            "ValidationException",
            f"this fake reads the stream of {table['TableName']}, which the test enabled at {enabled}, after the "
            "beginning of the window: changes before are missing",
        )


def _records(caller: Caller, stream_arn: str) -> Iterator[StreamRecord]:
    """All records of the emulator's shards, which never close."""
    stream = caller.call_streams("DescribeStream", StreamArn=stream_arn)["StreamDescription"]
    for shard in stream["Shards"]:
        place = {"StreamArn": stream_arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = caller.call_streams("GetShardIterator", **place)["ShardIterator"]
        while page := caller.call_streams("GetRecords", ShardIterator=iterator):
            yield from (record["dynamodb"] for record in page["Records"])
            if not page["Records"]:
                break
            iterator = page["NextShardIterator"]
