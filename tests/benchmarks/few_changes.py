"""What it takes to bring a large table up to date through Airflow when little has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import orjson

from benchmarks.airflow_runs import DagRun, airflow_at, run_once
from benchmarks.figures import Figure, at_most
from benchmarks.following import following_text
from benchmarks.material import ITEMS_TABLE, KEYS, REGIONS, SOURCE, TARGET, create_items_table, item
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.formats.dynamodb_json import key_of
from dynamodb_copy.sinks.batch_writer import BatchWriter
from dynamodb_copy.sinks.capacity_budget import CapacityBudget
from fakes import AlwaysHeld
from stack.airflow_stack import CONNECTIONS
from stack.emulators import boto_client, ministack
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule, refused
from stack.proxy_log import KINDS, Exchange
from stack.proxy_wire import answer

_ITEMS = 200_000
_CHANGES = 1_000
_DELETES = 100
_SECONDS = 20.0
_DAG = "items_followed"
_BATCH = 25
_PAGE = 1_000
_NOTHING_TO_SCAN = Rule(refused(lambda: answer(b'{"Count":0,"ScannedCount":0,"Items":[]}')), "Scan")


class _Traffic(NamedTuple):
    """Requests for items of the two tables."""

    of_source: Sequence[Exchange]
    of_target: Sequence[Exchange]

    def target_items(self, kind: str) -> int:
        """How many items of the target were read, or written."""
        return sum(each.items for each in self.of_target if KINDS[each.operation] == kind)


def few_changes() -> Iterator[Figure]:
    """Follow a table by its stream: a first run believes it empty, a second one warms up, the third is measured."""
    with ExitStack() as stack:
        emulator = stack.enter_context(ministack())
        create_items_table(emulator.endpoint)
        _fill(emulator.endpoint, SOURCE)
        source, target = [stack.enter_context(FaultProxy(emulator.endpoint)) for _ in CONNECTIONS]
        endpoints = dict(zip(CONNECTIONS, (source.endpoint, target.endpoint), strict=True))
        running = stack.enter_context(airflow_at(endpoints, {_DAG: _job_text()}))
        running.wait_until_ready([_DAG])
        with source.injecting(_NOTHING_TO_SCAN):  # a scan of so much takes the emulator longer than to be filled
            run_once(running.api, _DAG)
        _fill(emulator.endpoint, TARGET)
        run_once(running.api, _DAG)
        _change(emulator.endpoint)
        before = _traffic(source, target)
        measured = run_once(running.api, _DAG)
        after = _traffic(source, target)
    yield from _figures(measured, _Traffic(*[now[len(then) :] for then, now in zip(before, after, strict=True)]))


def _figures(measured: DagRun, traffic: _Traffic) -> Iterator[Figure]:
    found = measured.figures["items"], measured.figures["verdict"]["outcome"]
    assert found == (_CHANGES, "equal"), found
    what = f"{_CHANGES:,} changes to {_ITEMS:,} items"
    others = [each for each in traffic.of_target if each.operation not in {"BatchGetItem", "BatchWriteItem"}]
    yield at_most(f"{what}: requests that read the source table", len(traffic.of_source), 0, "requests")
    yield at_most(f"{what}: other requests to the target than writes and read-back", len(others), 0, "requests")
    yield at_most(f"{what}: items written", traffic.target_items("write"), _CHANGES, "items")
    yield at_most(f"{what}: keys read back", traffic.target_items("read"), _CHANGES, "keys")
    yield at_most(f"{what}: DAG run, warm, queued to success", measured.seconds, _SECONDS, "s")


def _traffic(source: FaultProxy, target: FaultProxy) -> _Traffic:
    both = [
        [each for each in proxy.exchanges if each.table == ITEMS_TABLE and each.operation in KINDS]
        for proxy in (source, target)
    ]
    return _Traffic(*both)


def _job_text() -> str:
    source, target = [
        {"table": ITEMS_TABLE, "region": region, "connection": connection} for connection, region in CONNECTIONS.items()
    ]
    ends: dict[str, Any] = {"from": source, "to": target}
    return following_text(**ends)


def _fill(endpoint: str, side: str) -> None:
    """Put the items with a client that lets the emulator be what takes the time."""
    writer = BatchWriter(_wire(endpoint, side), ITEMS_TABLE, fence=AlwaysHeld(), budget=CapacityBudget({}))
    for first in range(0, _ITEMS, _PAGE):
        lines = [b'{"PutRequest":{"Item":%b}}' % orjson.dumps(item(n)) for n in range(first, first + _PAGE)]
        writer.finish(writer.begin(lines))


def _wire(endpoint: str, side: str) -> Wire:
    return Wire(boto_client(endpoint, "dynamodb", REGIONS[side]), Timeouts(), Clock())


def _change(endpoint: str) -> None:
    """Change some items of the source, delete some and add some, a thousand keys in all."""
    client = boto_client(endpoint, "dynamodb", REGIONS[SOURCE])
    changed = [item(number) | {"notes": {"S": "changed"}} for number in range(_DELETES, _CHANGES - _DELETES)]
    added = [item(_ITEMS + number) for number in range(_DELETES)]
    writes: list[Any] = [{"PutRequest": {"Item": each}} for each in (*changed, *added)]
    writes += [{"DeleteRequest": {"Key": key_of(item(number), KEYS)}} for number in range(_DELETES)]
    for at in range(0, len(writes), _BATCH):
        client.batch_write_item(RequestItems={ITEMS_TABLE: writes[at : at + _BATCH]})
