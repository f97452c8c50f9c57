"""Airflow connections as AWS clients; nothing falls back to default credentials.

The amazon provider goes on without a connection that it cannot find, and then uses the worker's own credentials. Here:

- A missing connection, one of another type, and half a key pair are errors.
- Settings that older providers read and this one ignores are errors: default credentials would be used instead.
- A connection that exists and names no credentials is somebody's decision: the worker's own role, as on MWAA or EKS.
- `role_arn` in the connection's extra is assumed, and its credentials are refreshed while a task runs. STS is then
  AWS's own unless the extra's `service_config` has an endpoint for `sts`: the provider leaves `endpoint_url` out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.hooks.sns import SnsHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from botocore.exceptions import BotoCoreError, ClientError

from dynamodb_copy.aws.clients import CONTROL_PLANE, Connect
from dynamodb_copy.aws.faults import translated
from dynamodb_copy.errors import AccessError, ConnectionMissingError

_IGNORED_EXTRAS = {
    "profile": "profile_name",
    "s3_config_file": "profile_name",
    "aws_account_id": "role_arn",
    "aws_iam_role": "role_arn",
}


class _NamedConnection:
    """Makes a hook of the provider refuse what it would replace by default credentials."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return the connection of that name; the provider swallows AirflowNotFoundException alone."""
        try:
            connection: Connection = Connection.get(conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionMissingError(
                f"Airflow has no connection {conn_id!r}, which the job file names as `connection:` (or its secrets"
                f" backend does not answer); create it: airflow connections add {conn_id} --conn-type aws …"
            ) from error
        _refuse_fallbacks(conn_id, connection)
        return connection


class _ClientHook(_NamedConnection, AwsGenericHook[Any]):
    """Any service's client."""


class NamedSnsHook(_NamedConnection, SnsHook):
    """Publishes to SNS by a connection that must exist."""

    def __init__(self, connection: str | None, region: str | None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # the provider gives it no types
            aws_conn_id=_named(connection), region_name=region
        )


@contextmanager
def airflow_clients() -> Iterator[Connect]:
    """Yield a function that makes clients (service, region, name of an Airflow connection); close them after.

    The function raises:
        ConnectionMissingError: there is no AWS connection of that name.
        AccessError: the connection's credentials are incomplete, or its role may not be assumed.
        ServiceUnavailableError: STS does not answer.
    """
    with ExitStack() as opened:

        def connect(service: str, region: str, connection: str) -> Any:
            client = _client(service, region, connection)
            opened.callback(client.close)
            return client

        yield connect


def _client(service: str, region: str, connection: str) -> Any:
    hook = _ClientHook(aws_conn_id=_named(connection), region_name=region, client_type=service)
    try:
        return hook.get_client_type(region_name=region, config=CONTROL_PLANE.merge(hook.config))
    except (ClientError, BotoCoreError) as error:
        raise translated(error, f"connection {connection!r}") from error


def _named(connection: str | None) -> str:
    if not connection:
        raise ConnectionMissingError("no connection is named, which would mean default credentials; name one")
    return connection


def _refuse_fallbacks(conn_id: str, connection: Connection) -> None:
    if connection.conn_type != "aws":
        raise ConnectionMissingError(
            f"connection {conn_id!r} is of type {connection.conn_type!r}; a connection of type 'aws' is needed"
        )
    extra = connection.extra_dejson
    for access_key, secret_key in (
        (connection.login, connection.password),
        (extra.get("aws_access_key_id"), extra.get("aws_secret_access_key")),
    ):
        if bool(access_key) != bool(secret_key):
            raise AccessError(
                f"connection {conn_id!r} holds half a key pair; give both the access key and the secret key, or neither"
            )
    for ignored in sorted(_IGNORED_EXTRAS.keys() & extra.keys()):
        raise AccessError(
            f"connection {conn_id!r} sets {ignored!r} in its extra, which the amazon provider ignores;"
            f" use {_IGNORED_EXTRAS[ignored]!r}"
        )
