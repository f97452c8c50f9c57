"""Who reads a stream: DynamoDB lets two readers at a shard, and slows down all of them when there are more."""

from __future__ import annotations

import time

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.rows import RowKey, StateRows, expiry

MOST_READERS = 2
"""Of one shard at once.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

_READER = "reader#"
_KEPT_DAYS = 2  # a reader that rests for longer has lost changes, and counts no more


def other_readers(rows: StateRows, stream_arn: str, target_arn: str) -> list[str]:
    """The jobs that lately read the stream for another target than this one."""
    try:
        found = list(rows.query(f"stream#{stream_arn}", _READER))
    except ResourceMissingError:
        return []
    now = time.time()
    return sorted(
        row["job"]["S"]
        for row in found
        if row["sk"]["S"] != f"{_READER}{target_arn}" and float(row["expires_at"]["N"]) > now
    )


def remember_reader(rows: StateRows, stream_arn: str, target_arn: str, job_name: str) -> None:
    """Keep that a job reads the stream for a target."""
    key = RowKey(f"stream#{stream_arn}", f"{_READER}{target_arn}")
    rows.put(key, {"job": {"S": job_name}, "expires_at": expiry(_KEPT_DAYS)})
