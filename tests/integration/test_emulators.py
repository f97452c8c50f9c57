"""The emulators as tests and benchmarks use them, and the proxy before a real one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ProxyConnectionError

from integration.table_names import table_names
from stack import emulators
from stack.capacity import EnforcedCapacity, TableCapacity
from stack.emulators import Profile, aws_config, boto_client, latency_proxy
from stack.fault_proxy import FaultProxy
from stack.proxy_batches import held_back
from stack.proxy_faults import Rule, nth, throttled

pytestmark = pytest.mark.integration


def create_table(client: Any, name: str) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def puts(name: str, count: int) -> dict[str, Any]:
    return {name: [{"PutRequest": {"Item": {"id": {"S": str(n)}}}} for n in range(count)]}


def is_listening(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname or "", address.port or 0)) == 0


def test_ministack_keeps_regions_and_accounts_apart(ministack_endpoint: str, table_name: str) -> None:
    create_table(boto_client(ministack_endpoint, "dynamodb", "us-east-1"), table_name)

    def tables(region: str, account: str = emulators.ACCOUNT) -> list[str]:
        client = boto_client(ministack_endpoint, "dynamodb", region, account=account)
        names: list[str] = table_names(client)
        return names

    assert table_name in tables("us-east-1")
    assert table_name not in tables("us-west-2")
    assert table_name not in tables("us-east-1", account="210987654321")


def test_moto_stores_an_item(moto_endpoint: str, table_name: str) -> None:
    client = boto_client(moto_endpoint, "dynamodb", "us-east-1")
    create_table(client, table_name)

    client.put_item(TableName=table_name, Item={"id": {"S": "1"}})

    assert client.get_item(TableName=table_name, Key={"id": {"S": "1"}})["Item"] == {"id": {"S": "1"}}


def test_a_stock_client_gets_through_the_proxy_and_its_faults(ministack_endpoint: str, table_name: str) -> None:
    create_table(boto_client(ministack_endpoint, "dynamodb", "us-west-2"), table_name)
    throttle = Rule(throttled(), "Scan", nth(1))
    hold = Rule(held_back(0.5), "BatchWriteItem", nth(1))
    with FaultProxy(ministack_endpoint, throttle, hold) as proxy:
        client = boto_client(proxy.endpoint, "dynamodb", "us-west-2")

        left = client.batch_write_item(RequestItems=puts(table_name, 10))["UnprocessedItems"]
        assert client.scan(TableName=table_name)["Count"] == 5
        assert client.batch_write_item(RequestItems=left)["UnprocessedItems"] == {}
        assert client.scan(TableName=table_name)["Count"] == 10
        assert (proxy.count("Scan"), throttle.struck) == (3, 1)


def test_capacity_is_told_and_enforced_before_an_emulator(ministack_endpoint: str, table_name: str) -> None:
    create_table(boto_client(ministack_endpoint, "dynamodb", "us-west-2"), table_name)
    limit = TableCapacity(table_name, write_units=5)
    with FaultProxy(ministack_endpoint, Rule(EnforcedCapacity(limit, clock=lambda: 0.0))) as proxy:
        client = boto_client(proxy.endpoint, "dynamodb", "us-west-2")

        reply = client.batch_write_item(RequestItems=puts(table_name, 8), ReturnConsumedCapacity="TOTAL")
        count = client.scan(TableName=table_name, Select="COUNT", ReturnConsumedCapacity="TOTAL")

    assert len(reply["UnprocessedItems"][table_name]) == 3
    assert reply["ConsumedCapacity"] == [{"TableName": table_name, "CapacityUnits": 5.0}]
    assert (count["Count"], count["ConsumedCapacity"]["CapacityUnits"]) == (5, 0.5)


def test_a_proxy_process_answers_later(ministack_endpoint: str) -> None:
    with latency_proxy(ministack_endpoint, latency_ms=300) as proxy:
        client = boto_client(proxy.endpoint, "dynamodb", "us-east-1")
        start = time.monotonic()
        client.list_tables()

        assert time.monotonic() - start >= 0.3


def test_profiles_lead_to_their_emulators(
    ministack_endpoint: str, table_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_table(boto_client(ministack_endpoint, "dynamodb", "us-west-2"), table_name)
    profiles = {
        "aws_production": Profile(ministack_endpoint, "us-east-1"),
        "aws_recovery": Profile(ministack_endpoint, "us-west-2"),
    }
    monkeypatch.setenv("AWS_CONFIG_FILE", str(aws_config(tmp_path / "config", profiles)))

    def tables(profile: str) -> list[str]:
        return table_names(boto3.session.Session(profile_name=profile).client("dynamodb"))

    assert table_name not in tables("aws_production")
    assert table_name in tables("aws_recovery")


def test_without_an_endpoint_a_client_reaches_nothing() -> None:
    client = boto3.session.Session().client(
        "sts", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1})
    )

    with pytest.raises(ProxyConnectionError):
        client.get_caller_identity()


def test_an_emulator_ends_with_its_block() -> None:
    with emulators.ministack() as emulator:
        assert is_listening(emulator.endpoint)

    assert not is_listening(emulator.endpoint)
    with pytest.raises(ProcessLookupError):
        os.killpg(emulator.pid, 0)


def test_an_emulator_ends_when_its_owner_is_killed() -> None:
    program = "import stack.emulators as e\nwith e.ministack() as m: print(m.endpoint, flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": str(emulators.ROOT / "tests")}
    with subprocess.Popen(  # noqa: S603 -- the program above
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        endpoint = owner.stdout.readline().strip()
        assert is_listening(endpoint)
        owner.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 10
    while is_listening(endpoint) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_listening(endpoint)


def test_a_missing_emulator_is_an_error_that_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "ROOT", tmp_path)

    with pytest.raises(emulators.EmulatorError, match="ministack is missing; run: make setup"), emulators.ministack():
        pass
    with (
        pytest.raises(emulators.EmulatorError, match="run: npm install --prefix"),
        emulators.dynalite(tmp_path, "us-east-1"),
    ):
        pass
