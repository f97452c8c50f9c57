"""What the benchmarks talk to: an endpoint of canned answers, and dynalite as complete as the product needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson

from benchmarks.material import ITEM_BYTES, ITEMS_TABLE, KEYS, REGIONS, SOURCE, TARGET, create_items_table, item
from dynamodb_copy.formats.dynamodb_json import key_of
from stack.emulators import dynalite, ministack
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Fault, Forward, Rule, matching, refused
from stack.proxy_wire import Reply, Request, answer

Endpoints = dict[str, str]
"""URLs by connection."""


class TwoRegions(NamedTuple):
    """Two emulators, by connection: without anything in between, and behind proxies that know all operations."""

    direct: Endpoints
    proxies: dict[str, FaultProxy]

    @property
    def endpoints(self) -> Endpoints:
        """Those of the proxies."""
        return {side: proxy.endpoint for side, proxy in self.proxies.items()}


_PAGE_ITEMS = (1 << 20) // ITEM_BYTES
_RECOVERY = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}


def canned_rules(items_per_segment: int) -> list[Rule]:
    """Answer scans of `items` and all batch writes without any table behind them; each page repeats the same items."""
    scans = matching(lambda request: request.json.get("TableName") == ITEMS_TABLE)
    return [Rule(_canned_scan(items_per_segment), "Scan", scans), Rule(_canned_write, "BatchWriteItem")]


@contextmanager
def canned_endpoint(items_per_segment: int, *rules: Rule) -> Iterator[FaultProxy]:
    """Canned items and writes behind `rules`; descriptions and the state table are an emulator's."""
    with ministack() as emulator, FaultProxy(emulator.endpoint, *rules, *canned_rules(items_per_segment)) as proxy:
        create_items_table(proxy.endpoint)
        yield proxy


@contextmanager
def two_dynalites(*rules: Rule) -> Iterator[TwoRegions]:
    """Two regions, the source with an empty table; `rules` stand before both."""
    with one_dynalite(SOURCE) as source, one_dynalite(TARGET) as target:
        create_items_table(source)
        with behind_proxies({SOURCE: source, TARGET: target}, *rules) as regions:
            yield regions


@contextmanager
def one_dynalite(side: str) -> Iterator[str]:
    """The endpoint of an empty region."""
    with (
        TemporaryDirectory(prefix="dynamodb-copy-bench-") as folder,
        dynalite(Path(folder), REGIONS[side]) as emulator,
    ):
        yield emulator.endpoint


@contextmanager
def behind_proxies(direct: Endpoints, *rules: Rule) -> Iterator[TwoRegions]:
    """A way to two dynalites, with proxies that see only what takes it."""
    with ExitStack() as stack:
        rules = (*rules, *_unknown_to_dynalite())
        proxies = {side: stack.enter_context(FaultProxy(endpoint, *rules)) for side, endpoint in direct.items()}
        yield TwoRegions(direct, proxies)


def _unknown_to_dynalite() -> list[Rule]:
    replies: dict[str, Any] = {
        "UpdateTimeToLive": {},
        "DescribeContinuousBackups": {"ContinuousBackupsDescription": _RECOVERY},
    }
    return [Rule(_saying(content), operation) for operation, content in replies.items()]


def _saying(content: dict[str, Any]) -> Fault:
    return refused(lambda: answer(orjson.dumps(content)))


def _canned_scan(items_per_segment: int) -> Fault:
    async def page(request: Request, _forward: Forward) -> Reply:
        content = request.json
        start = content.get("ExclusiveStartKey", {}).get(KEYS.range_name, {"N": "0"})
        end = min(items_per_segment, int(start["N"]) + min(_PAGE_ITEMS, content.get("Limit", _PAGE_ITEMS)))
        count = end - int(start["N"])
        rest: dict[str, Any] = {"ConsumedCapacity": {"TableName": ITEMS_TABLE, "CapacityUnits": _read_units(count)}}
        if end < items_per_segment:
            rest["LastEvaluatedKey"] = key_of(item(end), KEYS)
        body = b'{"Count":%d,"ScannedCount":%d,"Items":[%b],%b'
        return answer(body % (count, count, _lines(count), orjson.dumps(rest)[1:]))

    return page


async def _canned_write(request: Request, _forward: Forward) -> Reply:
    ((table, writes),) = request.json["RequestItems"].items()
    units = float(len(writes))
    consumed = {"TableName": table, "CapacityUnits": units, "Table": {"CapacityUnits": units}}
    return answer(orjson.dumps({"UnprocessedItems": {}, "ConsumedCapacity": [consumed]}))


def _read_units(count: int) -> float:
    return max(1, -(-count * ITEM_BYTES // 4096)) / 2


@cache
def _lines(count: int) -> bytes:
    return b",".join([orjson.dumps(item(number)) for number in range(count)])
