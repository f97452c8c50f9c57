"""A stream of canned changes: every page tells of the same items, and only the last one shows that time has passed."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import orjson

from benchmarks.material import KEYS, item
from dynamodb_copy.formats.dynamodb_json import key_of
from stack.proxy_faults import Fault, Forward, Rule, matching
from stack.proxy_wire import Reply, Request, answer

PAGE_RECORDS = 1_000
"""What one GetRecords may return."""
_LATER_SECONDS = 3_600.0
_PAGE = b"@" * 16


def stream_rules(pages: int, table: str) -> list[Rule]:
    """Answer for the shard of any stream, and for reads of the items of `table`, without anything behind them."""
    reads = matching(lambda request: table in request.json.get("RequestItems", {}))
    return [
        Rule(_canned_iterator, "GetShardIterator"),
        Rule(_canned_records(pages), "GetRecords"),
        Rule(_canned_read, "BatchGetItem", reads),
    ]


async def _canned_iterator(_request: Request, _forward: Forward) -> Reply:
    return answer(orjson.dumps({"ShardIterator": "0"}))


def _canned_records(pages: int) -> Fault:
    now = int(time.time())

    async def records(request: Request, _forward: Forward) -> Reply:
        page = int(request.json["ShardIterator"])
        moment = now if page < pages - 1 else now + _LATER_SECONDS
        numbered = _records(int(moment)).replace(_PAGE, b"%016d" % (page + 1))
        return answer(b'{"NextShardIterator":"%d","Records":[%b]}' % (page + 1, numbered))

    return records


async def _canned_read(request: Request, _forward: Forward) -> Reply:
    ((table, asked),) = request.json["RequestItems"].items()
    lines = b",".join([_line(int(key[KEYS.range_name]["N"])) for key in asked["Keys"]])
    consumed = orjson.dumps([{"TableName": table, "CapacityUnits": float(len(asked["Keys"]))}])
    head = b'{"UnprocessedKeys":{},"ConsumedCapacity":%b,"Responses":{%b:[' % (consumed, orjson.dumps(table))
    return answer(head + lines + b"]}}")


@cache
def _line(number: int) -> bytes:
    return orjson.dumps(item(number))


@cache
def _records(moment: int) -> bytes:
    return b",".join([orjson.dumps(_record(number, moment)) for number in range(PAGE_RECORDS)])


def _record(number: int, moment: int) -> dict[str, Any]:
    """A change of one attribute, as the service tells it with both images."""
    new = item(number)
    return {
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": float(moment),
            "Keys": key_of(new, KEYS),
            "NewImage": new,
            "OldImage": new | {"age": {"N": "91"}},
            "SequenceNumber": f"{_PAGE.decode()}{number:05}",
            "SizeBytes": 822,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventID": f"{number:032x}",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
    }
