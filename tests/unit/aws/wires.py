"""Wires to servers of the tests' own, from stock clients."""

from __future__ import annotations

from typing import Any

import boto3

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.raw_json import Wire
from stack.emulators import ACCOUNT

SECRET = "not a secret at all/+"  # noqa: S105  signs requests to servers on this machine
SHORT = Timeouts(connect_seconds=2.0, read_seconds=0.3)
PATIENT = Timeouts(connect_seconds=5.0, read_seconds=20.0)

_session: Any = boto3.session.Session()  # one for all: it keeps the service's model


def dynamodb(endpoint: str, **options: Any) -> Any:
    """A stock client for that endpoint; `options` are those of boto3's `client`."""
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": SECRET}
    return _session.client("dynamodb", **{"region_name": "us-east-1", "endpoint_url": endpoint, **keys, **options})


def wire_to(endpoint: str, timeouts: Timeouts = PATIENT, **options: Any) -> Wire:
    """A wire to that endpoint."""
    return Wire(dynamodb(endpoint, **options), timeouts, Clock())
