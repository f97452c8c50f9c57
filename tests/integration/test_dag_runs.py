"""Whole DAG runs in Airflow, from a table in one region of an emulator to a table in another."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from dags.airflow_home import run_once
from job_texts import text_of
from stack.emulators import ACCOUNT, boto_client

pytestmark = [
    pytest.mark.integration,
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

ITEMS = 300

RunOf = Callable[..., Any]


class Region:
    """One region of the emulator: what a person would do there."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create(self, table: str) -> None:
        """Create an empty table."""
        self._client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, table: str, *items: dict[str, Any]) -> None:
        """Write items, 25 at a time."""
        for start in range(0, len(items), 25):
            puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self._client.batch_write_item(RequestItems={table: puts})

    def delete(self, table: str, order: str) -> None:
        """Delete one item."""
        self._client.delete_item(TableName=table, Key={"id": {"S": order}})

    def items(self, table: str) -> dict[str, Any]:
        """Every item by its id, sets in order."""
        pages = self._client.get_paginator("scan").paginate(TableName=table)
        found = [item for page in pages for item in page["Items"]]
        return {item["id"]["S"]: item for item in found}

    def tables(self) -> list[str]:
        """The names of all tables."""
        return list(self._client.list_tables()["TableNames"])


def order(number: int) -> dict[str, Any]:
    return {"id": {"S": f"order-{number}"}, "total": {"N": str(number)}, "note": {"M": {"gift": {"BOOL": True}}}}


@pytest.fixture(autouse=True)
def connections_end_with_the_test() -> Iterator[None]:
    """Collect what tasks left open before other tests look for leaks of their own."""
    yield
    gc.collect()


@pytest.fixture
def virginia(ministack_endpoint: str) -> Iterator[Region]:
    with closing(boto_client(ministack_endpoint, "dynamodb", "us-east-1")) as client:
        yield Region(client)


@pytest.fixture
def oregon(ministack_endpoint: str) -> Iterator[Region]:
    with closing(boto_client(ministack_endpoint, "dynamodb", "us-west-2")) as client:
        yield Region(client)


@pytest.fixture
def orders(table_name: str, virginia: Region) -> str:
    """A filled table in Virginia."""
    virginia.create(table_name)
    virginia.put(table_name, *[order(number) for number in range(ITEMS)])
    return table_name


@pytest.fixture
def run_of(orders: str, ministack_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunOf:
    """Run the DAG of the job that copies `orders`, with these changes of its file."""
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", str(tmp_path))
    keys = {"login": ACCOUNT, "password": "emulator"}
    values = json.dumps({"conn_type": "aws", **keys, "extra": {"endpoint_url": ministack_endpoint}})
    monkeypatch.setenv("AIRFLOW_CONN_AWS_VIRGINIA", values)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_OREGON", values)

    def run(*, from_: dict[str, Any] | None = None, to_: dict[str, Any] | None = None) -> Any:
        ends = {"from_": {"table": orders, **(from_ or {})}, "to_": {"table": orders, **(to_ or {})}}
        (tmp_path / f"{orders}.yaml").write_text(text_of(segments=2, retry_delay="1s", **ends))
        return run_once(orders)

    return run


def states(run: Any) -> dict[str, str]:
    return {f"{ti.task_id} {ti.map_index}": str(ti.state) for ti in run.get_task_instances()}


def event_of(run: Any) -> AssetEvent:
    ours = select(AssetEvent).filter_by(source_dag_id=run.dag_id, source_run_id=run.run_id)
    with create_session() as session:
        return session.scalars(ours.options(joinedload(AssetEvent.asset))).one()


def test_a_run_creates_the_target_copies_proves_and_tells(
    orders: str, run_of: RunOf, virginia: Region, oregon: Region
) -> None:
    run = run_of()

    assert run.state == "success", states(run)
    assert oregon.items(orders) == virginia.items(orders)
    event = event_of(run)
    assert event.asset.uri == f"dynamodb://us-west-2/{orders}"
    assert event.extra["items"] == ITEMS
    assert (event.extra["verdict"]["outcome"], event.extra["verdict"]["mode"]) == ("equal", "content")


def test_the_next_run_mirrors_what_is_gone_from_the_source(
    orders: str, run_of: RunOf, virginia: Region, oregon: Region
) -> None:
    run_of()
    virginia.delete(orders, "order-7")

    run = run_of(to_={"mirror": {"max_deletes": "5%"}})

    assert run.state == "success", states(run)
    assert oregon.items(orders) == virginia.items(orders)
    assert event_of(run).extra["deleted"] == 1


def failed_at_once(run: Any, task_id: str) -> bool:
    """Whether the run failed in that task's first attempt, although the job allows for retries."""
    (found,) = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    return bool(run.state == "failed" and found.state == "failed" and found.try_number == 1)


def test_a_missing_connection_is_final_and_nothing_is_written(orders: str, run_of: RunOf, oregon: Region) -> None:
    run = run_of(from_={"connection": "aws_absent"})

    assert failed_at_once(run, "prepare")
    assert orders not in oregon.tables()


def test_a_target_with_items_of_others_is_final_and_stays_as_it_is(orders: str, run_of: RunOf, oregon: Region) -> None:
    theirs = {"id": {"S": "order-1"}, "total": {"N": "1000000"}}
    oregon.create(orders)
    oregon.put(orders, theirs)

    run = run_of()

    assert failed_at_once(run, "prepare")
    assert oregon.items(orders) == {"order-1": theirs}
