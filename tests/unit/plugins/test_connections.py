"""Clients come from the named connection alone."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.errors import AccessError, ConnectionMissingError, ServiceUnavailableError
from dynamodb_copy_airflow.connections import NamedSnsHook, airflow_clients

OTHER_ACCOUNT = "222222222222"
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/copier"
KEYS = {"login": "testing", "password": "testing"}


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Any:
    def define(**values: Any) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_PRODUCTION", json.dumps({"conn_type": "aws", **values}))
        return "aws_production"

    return define


def test_a_missing_connection_is_an_error_that_says_how_to_create_it(connect: Connect) -> None:
    with pytest.raises(ConnectionMissingError, match="airflow connections add aws_absent --conn-type aws"):
        connect("dynamodb", "us-east-1", "aws_absent")


def test_a_nameless_connection_is_an_error(connect: Connect) -> None:
    with pytest.raises(ConnectionMissingError, match="no connection is named"):
        connect("dynamodb", "us-east-1", "")


def test_a_notifier_s_hook_refuses_a_missing_connection_too() -> None:
    with pytest.raises(ConnectionMissingError, match="aws_absent"):
        _ = NamedSnsHook("aws_absent", "us-east-1").conn


def test_a_connection_of_another_type_is_an_error(connection: Any, connect: Connect) -> None:
    with pytest.raises(ConnectionMissingError, match="of type 'postgres'"):
        connect("dynamodb", "us-east-1", connection(conn_type="postgres"))


@pytest.mark.parametrize(
    "half",
    [{"login": "AKIA"}, {"password": "secret"}, {"extra": {"aws_access_key_id": "AKIA"}}],
)
def test_half_a_key_pair_is_an_error_because_default_credentials_would_be_used(
    half: dict[str, Any], connection: Any, connect: Connect
) -> None:
    with pytest.raises(AccessError, match="half a key pair"):
        connect("dynamodb", "us-east-1", connection(**half))


def test_a_setting_that_the_provider_ignores_is_an_error(connection: Any, connect: Connect) -> None:
    with pytest.raises(AccessError, match="use 'profile_name'"):
        connect("dynamodb", "us-east-1", connection(extra={"profile": "production"}))


def test_an_existing_connection_without_credentials_means_the_workers_own_role(
    connection: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-worker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    client = connect("dynamodb", "us-east-1", connection())

    assert client._request_signer._credentials.access_key == "of-the-worker"  # noqa: SLF001 -- botocore shows it nowhere else


def test_the_region_asked_for_wins_over_the_connections_own(connection: Any, connect: Connect) -> None:
    name = connection(**KEYS, extra={"region_name": "eu-west-1"})

    assert connect("dynamodb", "us-west-2", name).meta.region_name == "us-west-2"


def test_the_connections_client_settings_are_kept(connection: Any, connect: Connect) -> None:
    name = connection(**KEYS, extra={"config_kwargs": {"max_pool_connections": 33}})

    assert connect("dynamodb", "us-west-2", name).meta.config.max_pool_connections == 33


def test_a_role_of_another_account_is_assumed(
    connection: Any, connect: Connect, moto_endpoint: str, table_name: str
) -> None:
    extra = {"endpoint_url": moto_endpoint, "service_config": {"sts": {"endpoint_url": moto_endpoint}}}
    here = connect("dynamodb", "us-west-2", connection(**KEYS, extra=extra))
    there = connect("dynamodb", "us-west-2", connection(**KEYS, extra={**extra, "role_arn": ROLE}))

    created = there.create_table(
        TableName=table_name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    assert created["TableDescription"]["TableArn"] == f"arn:aws:dynamodb:us-west-2:{OTHER_ACCOUNT}:table/{table_name}"
    assert table_name not in here.list_tables()["TableNames"]


def test_a_token_service_that_does_not_answer_is_worth_a_retry(connection: Any, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    extra = {
        "service_config": {"sts": {"endpoint_url": nobody}},
        "role_arn": ROLE,
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    }

    with pytest.raises(ServiceUnavailableError, match="connection 'aws_production'"):
        connect("dynamodb", "us-west-2", connection(**KEYS, extra=extra))


def test_assumed_credentials_are_refreshed_while_a_task_runs(
    connection: Any, connect: Connect, moto_endpoint: str
) -> None:
    extra = {
        "service_config": {"sts": {"endpoint_url": moto_endpoint}},
        "role_arn": ROLE,
        "assume_role_kwargs": {"DurationSeconds": 900},  # botocore renews within the last 15 minutes: at each use here
    }
    client = connect("dynamodb", "us-west-2", connection(**KEYS, extra=extra))
    credentials = client._request_signer._credentials  # noqa: SLF001 -- botocore shows it nowhere else

    assert credentials.get_frozen_credentials().access_key != credentials.get_frozen_credentials().access_key


def test_clients_are_closed_after_use(connection: Any, moto_endpoint: str) -> None:
    name = connection(**KEYS, extra={"endpoint_url": moto_endpoint})

    with airflow_clients() as connect:
        client = connect("dynamodb", "us-west-2", name)
        client.list_tables()
        pools = list(client._endpoint.http_session._manager.pools._container.values())  # noqa: SLF001 -- shown nowhere else

    assert pools
    assert client._endpoint.http_session._manager.pools._container == {}  # noqa: SLF001 -- as above
