"""Whole DAG runs in Airflow, from a table in one region of an emulator to a table in another."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.utils.session import create_session

from dags.airflow_home import ROOT, create_database
from dynamodb_copy_airflow.connections import airflow_client
from job_texts import text_of

pytestmark = pytest.mark.integration

ITEMS = 300
FROM, TO = "us-east-1", "us-west-2"

Copy = Callable[..., Any]


@pytest.fixture(scope="session", autouse=True)
def airflow_database() -> None:
    """Airflow's database, which `dag.test()` needs."""
    create_database()


@pytest.fixture(autouse=True)
def connections(ministack_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two connections that the job names."""
    keys = {"login": "123456789012", "password": "emulator"}
    values = json.dumps({"conn_type": "aws", **keys, "extra": {"endpoint_url": ministack_endpoint}})
    for name in ("AWS_VIRGINIA", "AWS_OREGON"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", values)


@pytest.fixture
def source(table_name: str) -> str:
    """A filled table in the source's region."""
    create(table_name, FROM)
    for start in range(0, ITEMS, 25):
        puts = [{"PutRequest": {"Item": item(number)}} for number in range(start, start + 25)]
        client(FROM).batch_write_item(RequestItems={table_name: puts})
    return table_name


@pytest.fixture
def run_of(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Write the job file with these changes, and run its DAG once."""
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", str(tmp_path))

    def run(*, from_: dict[str, Any] | None = None, to_: dict[str, Any] | None = None, **changes: Any) -> Any:
        ends = {"from_": {"table": source, **(from_ or {})}, "to_": {"table": source, **(to_ or {})}}
        (tmp_path / f"{source}.yaml").write_text(text_of(**{"segments": 2, "retry_delay": "1s", **changes}, **ends))
        return DagBag(dag_folder=ROOT / "dags" / "full_copy.py").dags[source].test()

    return run


def client(region: str) -> Any:
    return airflow_client("dynamodb", region, "aws_virginia")


def create(table: str, region: str) -> None:
    client(region).create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def item(number: int) -> dict[str, Any]:
    return {"id": {"S": f"order-{number}"}, "total": {"N": str(number)}, "tags": {"SS": ["new", f"n{number}"]}}


def items(table: str, region: str) -> dict[str, Any]:
    pages = client(region).get_paginator("scan").paginate(TableName=table)
    return {found["id"]["S"]: found for page in pages for found in page["Items"]}


def states(run: Any) -> dict[str, str]:
    return {f"{ti.task_id} {ti.map_index}": str(ti.state) for ti in run.get_task_instances()}


def event_of(run: Any) -> AssetEvent:
    with create_session() as session:
        return session.query(AssetEvent).filter_by(source_dag_id=run.dag_id, source_run_id=run.run_id).one()


def test_a_run_creates_the_target_copies_proves_and_tells(source: str, run_of: Copy) -> None:
    run = run_of(description="Nightly copy")

    assert run.state == "success", states(run)
    assert items(source, TO) == items(source, FROM)
    event = event_of(run)
    assert event.asset.uri == f"dynamodb://{TO}/{source}"
    assert event.extra["items"] == ITEMS
    assert (event.extra["verdict"]["outcome"], event.extra["verdict"]["mode"]) == ("equal", "content")


def test_a_second_run_mirrors_what_is_gone_from_the_source(source: str, run_of: Copy) -> None:
    run_of()
    client(FROM).delete_item(TableName=source, Key={"id": {"S": "order-7"}})

    run = run_of(to_={"mirror": {"max_deletes": "5%"}})

    assert run.state == "success", states(run)
    assert items(source, TO) == items(source, FROM)
    assert event_of(run).extra["deleted"] == 1


def failure_texts(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join([record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR])


def test_a_missing_connection_fails_the_run_at_once_and_is_named(source: str, run_of: Copy) -> None:
    run = run_of(from_={"connection": "aws_absent"})

    assert run.state == "failed"
    assert tries(run, "prepare") == 1
    assert source not in client(TO).list_tables()["TableNames"]


def test_a_target_that_holds_somebody_elses_items_fails_the_run_at_once(source: str, run_of: Copy) -> None:
    create(source, TO)
    theirs = {"id": {"S": "order-1"}, "total": {"N": "1000000"}}
    client(TO).put_item(TableName=source, Item=theirs)

    run = run_of()

    assert run.state == "failed"
    assert tries(run, "prepare") == 1
    assert items(source, TO) == {"order-1": theirs}


def tries(run: Any, task_id: str) -> int:
    (found,) = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    assert found.state == "failed"
    return int(found.try_number)
