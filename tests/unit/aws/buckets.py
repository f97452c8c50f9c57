"""Buckets of emulators, each with a name of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.objects import Bucket
from fakes import StoppedClock
from stack.emulators import ACCOUNT
from stack.proxy_faults import Forward, Rule
from stack.proxy_wire import Reply, Request

REGION = "us-east-1"
ONCE = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
"""Patience is ours alone: botocore would sleep in real time."""

_session: Any = boto3.session.Session()  # one for all: it keeps the service's model


def s3(endpoint: str, region: str = REGION) -> Any:
    """A stock client for that endpoint."""
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "emulator"}
    return _session.client("s3", region_name=region, endpoint_url=endpoint, config=ONCE, **keys)


def new_bucket(endpoint: str) -> str:
    """Make a bucket that no other test has; its name."""
    name = f"bucket-{uuid4().hex[:12]}"
    s3(endpoint).create_bucket(Bucket=name)
    return name


def bucket_at(endpoint: str, name: str, *, clock: Clock | None = None, **options: Any) -> Bucket:
    """The bucket, in time that passes only while somebody waits; `options` are those of `Bucket`."""
    return Bucket(s3(endpoint), name, clock=clock or StoppedClock(), **options)


@dataclass
class Requests:
    """Remembers what passes through a proxy."""

    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def rule(self) -> Rule:
        """The rule that makes a proxy tell."""

        async def remembered(request: Request, forward: Forward) -> Reply:
            self.heads.append(request.head.decode().lower())
            self.bodies.append(request.body)
            return await forward(request)

        return Rule(remembered)

    def lines(self) -> list[str]:
        """Method, path and query of each request."""
        return [head.partition(" http/")[0] for head in self.heads]
