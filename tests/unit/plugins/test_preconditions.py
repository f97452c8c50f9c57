"""Preconditions say yes, not yet, or why it cannot be known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.aws.clients import Connect
from dynamodb_copy_airflow.runs import AnyJob
from dynamodb_copy_airflow.sensors import PreconditionSensor
from job_texts import KINDS, job_of, kind_of

CONNECTION = "aws_virginia"
REGION = "us-east-1"


@pytest.fixture(autouse=True)
def connection(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": {"endpoint_url": moto_endpoint}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_VIRGINIA", json.dumps(values))


@pytest.fixture
def table(table_name: str, connect: Connect) -> str:
    connect("dynamodb", REGION, CONNECTION).create_table(
        TableName=table_name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return table_name


@pytest.fixture
def bucket(table_name: str, connect: Connect) -> str:
    connect("s3", REGION, CONNECTION).create_bucket(Bucket=table_name)
    return table_name


def holds(context: Any, **precondition: Any) -> bool:
    """Ask the sensor of a job with this precondition once; `connection` may be left out."""
    ((kind, at),) = precondition.items()
    job = job_of(preconditions=[{kind: {"connection": CONNECTION, **at}}])
    return PreconditionSensor(task_id="check", job=job, precondition=job.preconditions[0]).poke(context)


def test_a_table_exists_or_not_yet(table: str, context: Any) -> None:
    assert holds(context, table_exists={"table": table, "region": REGION})
    assert not holds(context, table_exists={"table": f"{table}-absent", "region": REGION})
    assert not holds(context, table_exists={"table": table, "region": "us-west-2"})


def test_a_table_has_items_or_not_yet(table: str, context: Any, connect: Connect) -> None:
    assert not holds(context, table_has_items={"table": table, "region": REGION})

    connect("dynamodb", REGION, CONNECTION).put_item(TableName=table, Item={"id": {"S": "1"}})

    assert holds(context, table_has_items={"table": table, "region": REGION})


def test_an_object_exists_only_under_its_whole_key(bucket: str, context: Any, connect: Connect) -> None:
    connect("s3", REGION, CONNECTION).put_object(Bucket=bucket, Key="done/2026-12-01", Body=b"")

    assert holds(context, s3_key_exists={"s3": f"s3://{bucket}/done/2026-12-01"})
    assert not holds(context, s3_key_exists={"s3": f"s3://{bucket}/done/2026-12"})


def test_a_prefix_is_empty_or_not(bucket: str, context: Any, connect: Connect) -> None:
    connect("s3", REGION, CONNECTION).put_object(Bucket=bucket, Key="done/2026-12-01", Body=b"")

    assert holds(context, s3_prefix_not_empty={"s3": f"s3://{bucket}/done/"})
    assert not holds(context, s3_prefix_not_empty={"s3": f"s3://{bucket}/failed/"})


@pytest.mark.parametrize(
    "precondition",
    [
        {"table_has_items": {"table": "absent-table", "region": REGION}},
        {"s3_key_exists": {"s3": "s3://absent-bucket-of-nobody/done"}},
        {"s3_prefix_not_empty": {"s3": "s3://absent-bucket-of-nobody/done"}},
    ],
)
def test_what_cannot_be_known_is_an_error_not_a_wait(precondition: dict[str, Any], context: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"absent|not exist|not found"):
        holds(context, **precondition)


@pytest.mark.parametrize(
    "precondition",
    [
        {"table_exists": {"table": "orders", "region": REGION}},
        {"table_has_items": {"table": "orders", "region": REGION}},
        {"s3_key_exists": {"s3": "s3://bucket/done"}},
        {"s3_prefix_not_empty": {"s3": "s3://bucket/done"}},
    ],
)
def test_every_precondition_refuses_a_missing_connection(precondition: dict[str, Any], context: Any) -> None:
    ((_, at),) = precondition.items()
    at["connection"] = "aws_absent"

    with pytest.raises(AirflowFailException, match="no connection 'aws_absent'"):
        holds(context, **precondition)


@pytest.mark.parametrize("kind", KINDS)
def test_s3_is_asked_in_the_region_that_the_job_reads(
    kind: type[AnyJob], context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("dynamodb_copy_airflow.sensors.holds", lambda *_, s3_region: asked.append(s3_region))
    job = kind_of(kind, preconditions=[{"s3_key_exists": {"s3": "s3://bucket/done", "connection": CONNECTION}}])

    PreconditionSensor(task_id="check", job=job, precondition=job.preconditions[0]).poke(context)

    assert asked == [job.source.region]


def test_no_worker_is_held_while_a_precondition_does_not_hold() -> None:
    job = job_of(preconditions=[{"table_exists": {"table": "orders", "region": REGION, "connection": CONNECTION}}])

    sensor = PreconditionSensor(task_id="check", job=job, precondition=job.preconditions[0])

    assert sensor.reschedule
    assert sensor.timeout == job.timeout.total_seconds()
