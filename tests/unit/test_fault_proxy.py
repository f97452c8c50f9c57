"""The fault proxy and the capacity that it enforces, before a canned endpoint."""

from __future__ import annotations

import asyncio
import json
import math
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import boto3
import orjson
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from stack import proxy_faults as faults
from stack.capacity import EnforcedCapacity, Index, TableCapacity
from stack.fault_proxy import FaultProxy
from stack.proxy_batches import held_back
from stack.proxy_canned import (
    PAGE,
    CannedTable,
    ChunkedAnswers,
    LastAnswers,
    PlainAnswers,
    UnboundedAnswers,
    canned_table,
)
from stack.proxy_faults import Rule, every, matching, nth
from stack.proxy_item_size import item_bytes
from stack.proxy_log import Exchange, max_units_in_window
from stack.proxy_wire import Reply, Request, answer

BATCH = {"RequestItems": {"orders": [{"PutRequest": {"Item": {"id": {"S": str(n)}}}} for n in range(10)]}}


@pytest.fixture
def table() -> Iterator[CannedTable]:
    with canned_table() as canned:
        yield canned


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=50, retries=False, timeout=5) as manager:
        yield manager


class Client:
    """A plain HTTP client that never tries again."""

    def __init__(self, pool: urllib3.PoolManager, proxy: FaultProxy) -> None:
        self._pool, self._url = pool, proxy.endpoint

    def post(self, operation: str, content: Any, timeout: float = 5) -> urllib3.BaseHTTPResponse:
        """Send one request."""
        headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        return self._pool.request("POST", self._url, body=json.dumps(content), headers=headers, timeout=timeout)

    def statuses(self, operation: str, count: int) -> list[int]:
        """Send the same batch that many times."""
        return [self.post(operation, BATCH).status for _ in range(count)]


def boto(proxy: FaultProxy) -> Any:
    session: Any = boto3.session.Session()
    return session.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=proxy.endpoint,
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_a_request_without_faults_passes_unchanged(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with FaultProxy(table.endpoint) as proxy:
        response = Client(pool, proxy).post("Scan", {"TableName": "orders"})

    assert response.json() == PAGE
    assert response.headers["x-amz-crc32"] == str(zlib.crc32(response.data))
    assert table.received == [("Scan", {"TableName": "orders"})]


@pytest.mark.parametrize("answers", [ChunkedAnswers, UnboundedAnswers, LastAnswers])
def test_endpoints_may_frame_and_end_their_answers_as_they_like(
    answers: type[PlainAnswers], pool: urllib3.PoolManager
) -> None:
    with canned_table(answers) as table, FaultProxy(table.endpoint) as proxy:
        pages = [Client(pool, proxy).post("Scan", {}).json() for _ in range(3)]

    assert pages == [PAGE, PAGE, PAGE]
    assert table.operations == ["Scan"] * 3


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (faults.throttled(), "ProvisionedThroughputExceededException", 400),
        (faults.throttled_on_demand(), "ThrottlingException", 400),
        (faults.request_limit_exceeded(), "RequestLimitExceeded", 400),
        (faults.internal_error(), "InternalServerError", 500),
        (faults.service_unavailable(), "503", 503),
        (faults.expired_token(), "ExpiredTokenException", 400),
        (faults.access_denied(), "AccessDeniedException", 400),
    ],
)
def test_a_stock_client_sees_the_error_and_the_table_hears_nothing(
    table: CannedTable, fault: faults.Fault, code: str, status: int
) -> None:
    with FaultProxy(table.endpoint, Rule(fault)) as proxy, pytest.raises(ClientError) as caught:
        boto(proxy).scan(TableName="orders")

    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert "x-amzn-requestid" in caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert table.received == []


def test_a_denied_action_is_named(table: CannedTable) -> None:
    with (
        FaultProxy(table.endpoint, Rule(faults.access_denied())) as proxy,
        pytest.raises(ClientError, match="dynamodb:Scan"),
    ):
        boto(proxy).scan(TableName="orders")


def test_latency_delays_each_request_and_limits_no_concurrency(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with FaultProxy(table.endpoint, Rule(faults.delayed(0.3))) as proxy, ThreadPoolExecutor(40) as threads:
        client = Client(pool, proxy)
        start = time.monotonic()
        statuses = list(threads.map(lambda _: client.post("Scan", {}).status, range(40)))
        seconds = time.monotonic() - start

    assert statuses == [200] * 40
    assert 0.3 <= seconds < 40 * 0.3 / 4


def test_writes_that_are_held_back_come_back_and_only_the_others_are_done(
    table: CannedTable, pool: urllib3.PoolManager
) -> None:
    with FaultProxy(table.endpoint, Rule(held_back(0.3), "BatchWriteItem")) as proxy:
        held = Client(pool, proxy).post("BatchWriteItem", BATCH).json()["UnprocessedItems"]["orders"]

    [(_, forwarded)] = table.received
    done = forwarded["RequestItems"]["orders"]
    assert len(held) == 3
    assert sorted(map(str, held + done)) == sorted(map(str, BATCH["RequestItems"]["orders"]))


def test_a_batch_that_is_held_back_whole_never_reaches_the_table(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with FaultProxy(table.endpoint, Rule(held_back(), "BatchWriteItem")) as proxy:
        reply = Client(pool, proxy).post("BatchWriteItem", BATCH).json()

    assert len(reply["UnprocessedItems"]["orders"]) == 10
    assert table.received == []


@pytest.mark.parametrize(
    ("fault", "reached"), [(faults.cut_before_forwarding(), []), (faults.cut_after_forwarding(), ["Scan"])]
)
def test_a_cut_connection_gives_no_answer_whether_or_not_the_table_heard(
    table: CannedTable, pool: urllib3.PoolManager, fault: faults.Fault, reached: list[str]
) -> None:
    with FaultProxy(table.endpoint, Rule(fault)) as proxy, pytest.raises(urllib3.exceptions.ProtocolError):
        Client(pool, proxy).post("Scan", {})

    assert table.operations == reached
    assert [exchange.status for exchange in proxy.exchanges] == [0]


def test_a_truncated_body_is_shorter_than_announced(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with (
        FaultProxy(table.endpoint, Rule(faults.truncated_body())) as proxy,
        pytest.raises(urllib3.exceptions.ProtocolError, match="IncompleteRead"),
    ):
        Client(pool, proxy).post("Scan", {})


def test_a_wrong_checksum_comes_with_an_intact_body(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with FaultProxy(table.endpoint, Rule(faults.wrong_checksum())) as proxy:
        response = Client(pool, proxy).post("Scan", {})

    assert response.json() == PAGE
    assert response.headers["x-amz-crc32"] != str(zlib.crc32(response.data))


def test_one_poisoned_item_fails_its_whole_batch_and_no_other(table: CannedTable) -> None:
    poisoned = {"PutRequest": {"Item": {"id": {"S": "x"}, "bad": {"NULL": True}}}}
    with FaultProxy(table.endpoint, Rule(faults.poisoned_by("bad"))) as proxy:
        boto(proxy).batch_write_item(**BATCH)
        with pytest.raises(ClientError, match="ValidationException"):
            boto(proxy).batch_write_item(RequestItems={"orders": [*BATCH["RequestItems"]["orders"], poisoned]})
        with pytest.raises(ClientError, match="ValidationException"):
            boto(proxy).put_item(TableName="orders", **poisoned["PutRequest"])

    assert table.received == [("BatchWriteItem", BATCH)]


def test_a_swallowed_request_is_never_answered(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with FaultProxy(table.endpoint, Rule(faults.swallowed())) as proxy:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            Client(pool, proxy).post("Scan", {}, timeout=0.2)

        assert proxy.count("Scan") == 1
    assert table.received == []


def test_an_end_with_open_connections_is_no_event(
    table: CannedTable, pool: urllib3.PoolManager, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultProxy(table.endpoint) as proxy:
        Client(pool, proxy).post("Scan", {})

    assert caplog.records == []
    with pytest.raises(urllib3.exceptions.HTTPError):
        Client(pool, proxy).post("Scan", {})


def test_connections_are_refused_for_a_while_and_then_accepted_at_the_same_place(
    table: CannedTable, pool: urllib3.PoolManager
) -> None:
    with FaultProxy(table.endpoint) as proxy:
        client = Client(pool, proxy)
        client.post("Scan", {})
        with proxy.refusing_connections():
            for _ in range(2):  # the first may still hold the connection from before
                with pytest.raises((urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProtocolError)) as last:
                    client.post("Scan", {})
        status = client.post("Scan", {}).status

    assert last.type is urllib3.exceptions.NewConnectionError
    assert status == 200
    assert table.operations == ["Scan", "Scan"]


def test_a_plan_strikes_the_named_requests_of_its_operation_alone(
    table: CannedTable, pool: urllib3.PoolManager
) -> None:
    third = Rule(faults.throttled(), "BatchWriteItem", nth(3))
    even = Rule(faults.internal_error(), "Scan", every(2))
    with FaultProxy(table.endpoint, third, even) as proxy:
        client = Client(pool, proxy)

        assert client.statuses("Scan", 4) == [200, 500, 200, 500]
        assert client.statuses("BatchWriteItem", 4) == [200, 200, 400, 200]
    assert (third.seen, third.struck, even.struck) == (4, 1, 2)


def test_the_same_seed_gives_the_same_faults(table: CannedTable, pool: urllib3.PoolManager) -> None:
    def statuses(seed: int) -> list[int]:
        with FaultProxy(table.endpoint, Rule(faults.throttled(), when=faults.chance(0.5)), seed=seed) as proxy:
            return Client(pool, proxy).statuses("Scan", 30)

    first = statuses(1)

    assert set(first) == {200, 400}
    assert statuses(1) == first
    assert statuses(2) != first


def test_a_predicate_picks_requests_by_their_content(table: CannedTable, pool: urllib3.PoolManager) -> None:
    rule = Rule(faults.throttled(), when=matching(lambda request: request.json.get("Segment") == 1))
    with FaultProxy(table.endpoint, rule) as proxy:
        statuses = [Client(pool, proxy).post("Scan", {"Segment": n}).status for n in range(3)]

    assert statuses == [200, 400, 200]


def test_a_mistake_in_a_rule_fails_the_test_that_made_it(table: CannedTable, pool: urllib3.PoolManager) -> None:
    broken = Rule(faults.throttled(), when=matching(lambda request: request.json["no such member"]))

    with pytest.raises(KeyError, match="no such member"), FaultProxy(table.endpoint, broken) as proxy:  # noqa: SIM117 -- the outer error comes after the block
        with pytest.raises(urllib3.exceptions.ProtocolError):
            Client(pool, proxy).post("Scan", {})


def test_rules_can_be_added_for_a_while(table: CannedTable, pool: urllib3.PoolManager) -> None:
    with FaultProxy(table.endpoint) as proxy:
        client = Client(pool, proxy)
        with proxy.injecting(Rule(faults.service_unavailable())):
            assert client.statuses("Scan", 2) == [503, 503]

        assert client.statuses("Scan", 1) == [200]


def test_the_log_tells_operation_table_items_and_time_of_arrival(table: CannedTable, pool: urllib3.PoolManager) -> None:
    before = time.monotonic()
    with FaultProxy(table.endpoint, Rule(EnforcedCapacity(TableCapacity("orders")))) as proxy:
        Client(pool, proxy).post("BatchWriteItem", BATCH)
        Client(pool, proxy).post("Scan", {"TableName": "orders"})
        Client(pool, proxy).post("Scan", {"TableName": "customers"})

    entries = [(entry.operation, entry.table, entry.items, entry.status) for entry in proxy.exchanges]
    assert entries == [
        ("BatchWriteItem", "orders", 10, 200),
        ("Scan", "orders", 3, 200),
        ("Scan", "customers", 3, 200),
    ]
    assert [units for _, units in proxy.consumed("write")] == [10]
    assert [units for _, units in proxy.consumed("read", "orders")] == [0.5]
    assert before <= proxy.consumed("write")[0][0] <= proxy.consumed("read")[0][0] <= time.monotonic()
    assert (proxy.count("Scan"), proxy.count("Scan", "orders")) == (2, 1)


def test_the_fullest_window_is_found_wherever_it_begins() -> None:
    events = [(0.0, 5.0), (0.9, 5.0), (1.0, 5.0), (1.8, 5.0), (5.0, 12.0)]

    assert max_units_in_window(events, 1.0) == 15  # from 0.9 on; the window is half-open, so 0.0 and 1.0 never meet
    assert max_units_in_window(events, 0.5) == 12
    assert max_units_in_window([], 1.0) == 0


@pytest.mark.parametrize(
    ("item", "size_bytes"),
    [
        ({}, 0),
        ({"id": {"S": "abc"}}, 2 + 3),
        ({"ü": {"S": "€"}}, 2 + 3),
        ({"n": {"N": "0"}}, 1 + 1),
        ({"n": {"N": "-12.5"}}, 1 + 2 + 1),
        ({"n": {"N": "00100.00"}}, 1 + 1 + 1),
        ({"n": {"N": "12345678901234567890123456789012345678"}}, 1 + 19 + 1),
        ({"n": {"N": "1.5E-100"}}, 1 + 1 + 1),
        ({"b": {"B": "AAECAw=="}}, 1 + 4),
        ({"b": {"B": "AAEC"}}, 1 + 3),
        ({"t": {"BOOL": True}, "z": {"NULL": True}}, 2 + 2),
        ({"s": {"SS": ["ab", "c"]}, "u": {"NS": ["1", "22"]}, "v": {"BS": ["AA==", "AAE="]}}, 4 + 5 + 4),
        ({"l": {"L": [{"S": "ab"}, {"N": "7"}]}}, 1 + 3 + (1 + 2) + (1 + 2)),
        ({"m": {"M": {"key": {"S": "ab"}}}}, 1 + 3 + (1 + 3 + 2)),
        ({"m": {"M": {}}, "l": {"L": [{"L": []}]}}, (1 + 3) + (1 + 3 + 1 + 3)),
    ],
)
def test_sizes_follow_the_documented_rules(item: dict[str, Any], size_bytes: int) -> None:
    assert item_bytes(item) == size_bytes


class Table:
    """Capacity units and what a stored reply shows, without a network."""

    def __init__(self, **limits: Any) -> None:
        self.now = 100.0
        self.replies: list[dict[str, Any]] = []
        self.forwarded: list[dict[str, Any]] = []
        self._capacity = EnforcedCapacity(TableCapacity("t", **limits), clock=lambda: self.now)

    def call(self, operation: str, **content: Any) -> tuple[dict[str, Any], float]:
        """The reply's body and the units charged."""
        chance = Random(0)  # noqa: S311 -- no secrets
        request = Request(b"\r\n\r\n", orjson.dumps(content), Exchange(at=0, operation=operation), chance)
        reply = asyncio.run(self._reply(request))
        return reply.json, request.exchange.units

    async def _reply(self, request: Request) -> Reply:
        return await self._capacity(request, self._forward)

    async def _forward(self, request: Request) -> Reply:
        self.forwarded.append(request.json)
        return answer(orjson.dumps(self.replies.pop(0) if self.replies else {}))


def item_of(size_bytes: int, **attributes: Any) -> dict[str, Any]:
    rest = size_bytes - item_bytes(attributes) - 1
    return {"p": {"S": "x" * rest}, **attributes}


def puts(*items: dict[str, Any]) -> dict[str, Any]:
    return {"RequestItems": {"t": [{"PutRequest": {"Item": item}} for item in items]}}


def is_throttled(reply: dict[str, Any]) -> bool:
    return str(reply.get("__type")).endswith("#ProvisionedThroughputExceededException")


@pytest.mark.parametrize(("consistent", "units"), [(False, 1.5), (True, 3.0)])
def test_a_scan_costs_the_sum_of_its_items_rounded_up_once(consistent: bool, units: float) -> None:  # noqa: FBT001  a parameter of the test
    table = Table()
    table.replies = [{"Items": [item_of(3000), item_of(3000), item_of(3000)]}]

    reply, charged = table.call("Scan", TableName="t", ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")

    assert charged == units  # 9,000 bytes are 3 steps of 4 KB
    assert reply["ConsumedCapacity"] == {"TableName": "t", "CapacityUnits": units}


def test_a_count_costs_what_reading_the_items_costs() -> None:
    table = Table()
    table.replies = [{"Count": 2}, {"Items": [item_of(4000), item_of(4000)]}]

    reply, charged = table.call("Scan", TableName="t", Select="COUNT", Limit=2)

    assert (reply, charged) == ({"Count": 2}, 1.0)
    assert table.forwarded[1] == {"TableName": "t", "Limit": 2}


def test_each_index_that_takes_an_item_costs_too() -> None:
    small = Index("small", "g", projected=frozenset({"g"}))
    table = Table(indexes=(Index("whole", "g", "r"), small))
    both = item_of(2000, g={"S": "1"}, r={"S": "2"})

    reply, charged = table.call("BatchWriteItem", **puts(both, item_of(1025)), ReturnConsumedCapacity="INDEXES")

    assert charged == (2 + 2 + 1) + 2
    assert reply["ConsumedCapacity"] == [
        {
            "TableName": "t",
            "CapacityUnits": 7.0,
            "Table": {"CapacityUnits": 4.0},
            "GlobalSecondaryIndexes": {"whole": {"CapacityUnits": 2.0}, "small": {"CapacityUnits": 1.0}},
        }
    ]


def test_a_reply_carries_no_capacity_unless_asked() -> None:
    assert "ConsumedCapacity" not in Table().call("PutItem", TableName="t", Item=item_of(10))[0]


def test_writes_beyond_the_second_come_back_and_the_next_second_takes_them() -> None:
    table = Table(write_units=2)
    batch = puts(*(item_of(10, n={"N": str(n)}) for n in range(5)))

    reply, charged = table.call("BatchWriteItem", **batch)
    refused, nothing = table.call("BatchWriteItem", **batch)
    table.now += 1
    _, later = table.call("BatchWriteItem", **batch)

    assert (charged, nothing, later) == (2, 0, 2)
    assert reply["UnprocessedItems"]["t"] == batch["RequestItems"]["t"][2:]
    assert is_throttled(refused)
    assert [len(done["RequestItems"]["t"]) for done in table.forwarded] == [2, 2]


def test_saved_capacity_is_granted_on_top_and_no_more_than_was_saved() -> None:
    table = Table(write_units=2, burst_seconds=1)
    table.now += 60

    assert table.call("BatchWriteItem", **puts(*[item_of(10)] * 9))[1] == 4


def test_an_index_without_capacity_left_holds_its_writes_back_and_no_others() -> None:
    table = Table(indexes=(Index("i", "g", write_units=1),))
    indexed, plain = item_of(10, g={"S": "1"}), item_of(10)

    reply, charged = table.call("BatchWriteItem", **puts(indexed, indexed, plain))

    assert charged == 2 + 1
    assert reply["UnprocessedItems"]["t"] == [{"PutRequest": {"Item": indexed}}]


def test_a_read_may_overdraw_and_the_next_waits_until_the_debt_is_paid() -> None:
    table = Table(read_units=10)
    table.replies = [{"Items": [item_of(400_000)]}, {"Items": []}]

    charged = table.call("Scan", TableName="t")[1]  # 49 units, of which 10 were there
    table.now += 3.8
    refused, _ = table.call("Scan", TableName="t")
    table.now += 0.2
    _, later = table.call("Scan", TableName="t")

    assert charged == 49
    assert is_throttled(refused)
    assert later == 0.5


def test_a_query_of_an_index_drains_the_index() -> None:
    table = Table(indexes=(Index("i", "g", read_units=0.1),))
    table.replies = [{"Items": [item_of(10)]}, {"Items": [item_of(10)]}]

    table.call("Query", TableName="t", IndexName="i")

    assert is_throttled(table.call("Query", TableName="t", IndexName="i")[0])
    assert table.call("Query", TableName="t")[1] == 0.5


def test_a_batch_of_reads_rounds_each_item_up_and_counts_the_missing() -> None:
    table = Table(read_units=2)
    table.replies = [{"Responses": {"t": [item_of(4097), item_of(10)]}}]
    asked = {"t": {"Keys": [{"p": {"S": "1"}}] * 3}}

    _, charged = table.call("BatchGetItem", RequestItems=asked)

    assert charged == 1.0 + 0.5 + 0.5
    assert is_throttled(table.call("BatchGetItem", RequestItems=asked)[0])


def test_tables_without_a_limit_cost_nothing() -> None:
    assert Table(write_units=math.inf).call("PutItem", TableName="other", Item=item_of(5000)) == ({}, 0.0)
