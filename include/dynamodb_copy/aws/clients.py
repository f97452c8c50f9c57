"""Stock clients for the control plane, each from a connection that must exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from dynamodb_copy.aws.faults import translated
from dynamodb_copy.errors import ConnectionMissingError

Connect = Callable[[str, str, str], Any]
"""(service, region, connection) to a stock client; raises ConnectionMissingError."""

CONTROL_PLANE = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 6},
    max_pool_connections=32,  # as many threads as ever share one client
)


def profile_client(service: str, region: str, connection: str) -> Any:
    """A `Connect` for the command line: a connection is the name of an AWS profile.

    A named profile is never completed from environment credentials (botocore leaves them out of its chain).
    """
    try:
        session: Any = boto3.Session(profile_name=connection)
        return session.client(service, region_name=region, config=CONTROL_PLANE)
    except ProfileNotFound as error:
        raise ConnectionMissingError(
            f"connection {connection!r}: there is no such AWS profile; add [profile {connection}] to the AWS "
            "config file"
        ) from error
    except (ClientError, BotoCoreError) as error:
        raise translated(error, f"connection {connection!r}") from error


def control(client: Any, operation: str, **request: Any) -> dict[str, Any]:
    """Call an operation of a stock client, by its service name; raises our errors only."""
    try:
        reply: dict[str, Any] = getattr(client, xform_name(operation))(**request)
    except (ClientError, BotoCoreError) as error:
        raise translated(error, operation) from error
    return reply
