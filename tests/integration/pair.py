"""A source and a target of their own for each test, and runs between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config

from dynamodb_copy.assembly import CopyRun, open_run
from dynamodb_copy.aws import scanning
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.job import CopyJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.report import Report
from integration.table_names import table_names
from job_texts import job_of
from stack.emulators import ACCOUNT
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule

SOURCE_REGION, TARGET_REGION = "us-east-1", "us-west-2"
TIMEOUTS = Timeouts(0.5, 1.5)
LEASE_SECONDS = 3 * TIMEOUTS.request_seconds

UNLIMITED = {"read": "unlimited", "write": "unlimited"}


_session: Any = boto3.session.Session()  # its type wants the service's name as a literal; it keeps the models
_clients: dict[tuple[str, str, str], Any] = {}


def impatient_client(endpoint: str, region: str, service: str = "dynamodb") -> Any:
    """A stock client that soon gives up; made once, for that takes longer than most tests."""
    known = (endpoint, region, service)
    if known not in _clients:
        _clients[known] = _session.client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="emulator",  # noqa: S106  emulators accept any
            config=Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}),
        )
    return _clients[known]


def close_clients(endpoint: str) -> None:
    """Hang up on an endpoint that is about to go."""
    for known in [known for known in _clients if known[0] == endpoint]:
        _clients.pop(known).close()


def unseen(_segment: Segment, _tally: Tally) -> None:
    """Nobody watches the progress."""


def item_of(number: int, **changes: Any) -> dict[str, Any]:
    """An item with an attribute of most types."""
    return {
        "id": {"S": f"item-{number:05}"},
        "number": {"N": str(number)},
        "note": {"S": "x" * 40},
        "labels": {"SS": ["red", f"label-{number}"]},
        "packed": {"B": number.to_bytes(3, "big")},
        "list": {"L": [{"BOOL": True}, {"NULL": True}]},
        **changes,
    }


def key_of(number: int) -> dict[str, Any]:
    """The key of that item."""
    return {"id": {"S": f"item-{number:05}"}}


class Hurried(Clock):
    """A clock on which nobody has to wait: sleeping moves it on."""

    slept: list[float]

    def __init__(self) -> None:
        slept: list[float] = []
        super().__init__(now=lambda: time.monotonic() + sum(slept), sleep=slept.append)
        object.__setattr__(self, "slept", slept)  # a Clock is frozen


class Side:
    """One of the two tables."""

    def __init__(self, endpoint: str, region: str, table: str) -> None:
        self.client = impatient_client(endpoint, region)
        self.region = region
        self.table = table

    def create(self, **definition: Any) -> None:
        """Create the table, with a key `id` and on demand unless said otherwise."""
        simple: dict[str, Any] = {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        self.client.create_table(TableName=self.table, **(simple | definition))

    def put(self, *items: dict[str, Any]) -> None:
        """Put these items."""
        requests = [{"PutRequest": {"Item": item}} for item in items]
        for at in range(0, len(requests), 25):
            reply = self.client.batch_write_item(RequestItems={self.table: requests[at : at + 25]})
            assert not reply["UnprocessedItems"]

    def fill(self, numbers: Iterable[int]) -> None:
        """Put items of these numbers."""
        self.put(*[item_of(number) for number in numbers])

    def delete(self, *numbers: int) -> None:
        """Delete items."""
        for number in numbers:
            self.client.delete_item(TableName=self.table, Key=key_of(number))

    def description(self) -> dict[str, Any]:
        """As DescribeTable shows it."""
        shown: dict[str, Any] = self.client.describe_table(TableName=self.table)["Table"]
        return shown

    def exists(self) -> bool:
        """Whether there is such a table."""
        return self.table in table_names(self.client)

    def tags(self) -> dict[str, str]:
        """Its tags."""
        arn = self.description()["TableArn"]
        return {tag["Key"]: tag["Value"] for tag in self.client.list_tags_of_resource(ResourceArn=arn)["Tags"]}

    def ttl(self) -> str | None:
        """The attribute that TTL looks at."""
        shown = self.client.describe_time_to_live(TableName=self.table)["TimeToLiveDescription"]
        return str(shown["AttributeName"]) if shown["TimeToLiveStatus"] == "ENABLED" else None

    def enable_ttl(self, attribute: str) -> None:
        """Switch TTL on."""
        specification = {"Enabled": True, "AttributeName": attribute}
        self.client.update_time_to_live(TableName=self.table, TimeToLiveSpecification=specification)

    def items(self) -> list[dict[str, Any]]:
        """All items, in the order of their keys, with their sets in order."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        found = [_sorted(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda item: repr(sorted(item.items(), key=lambda pair: pair[0])))


def _sorted(item: dict[str, Any]) -> dict[str, Any]:
    sets = {name: sorted(value["SS"]) for name, value in item.items() if "SS" in value}
    return dict(sorted({**item, **{name: {"SS": value} for name, value in sets.items()}}.items()))


class Pair:
    """A source in one region, a target in another, of a name that no other test has."""

    def __init__(self, endpoint: str, table: str) -> None:
        self.endpoint = endpoint
        self.table = table
        self.source = Side(endpoint, SOURCE_REGION, table)
        self.target = Side(endpoint, TARGET_REGION, table)
        self.endpoints = {"aws_virginia": endpoint, "aws_oregon": endpoint}  # by connection

    def connect(self, service: str, region: str, connection: str) -> Any:
        """Lead a connection to its endpoint."""
        return impatient_client(self.endpoints[connection], region, service)

    @contextmanager
    def observed(self, *connections: str, rules: Sequence[Rule] = ()) -> Iterator[FaultProxy]:
        """Put a proxy behind some connections for the length of the block."""
        before = dict(self.endpoints)
        with FaultProxy(self.endpoint, *rules) as proxy:
            self.endpoints |= dict.fromkeys(connections, proxy.endpoint)
            try:
                yield proxy
            finally:
                self.endpoints = before
                close_clients(proxy.endpoint)

    def job(self, **changes: Any) -> CopyJob:
        """A job from the source to the target."""
        source = {"table": self.table, **changes.pop("from_", {})}
        target = {"table": self.table, **changes.pop("to_", {})}
        return job_of(from_=source, to_=target, **{**UNLIMITED, "segments": 2, **changes})

    def run(
        self,
        run_id: str,
        *,
        connect: Callable[[str, str, str], Any] | None = None,
        clock: Clock | None = None,
        **job: Any,
    ) -> CopyRun:
        """Open a run of such a job, as one process does."""
        return open_run(
            self.job(**job), f"{self.table}/{run_id}", connect or self.connect, timeouts=TIMEOUTS, clock=clock
        )


def copied(run: CopyRun) -> CopyRun:
    """The run, after its copy."""
    run.prepare()
    for segment in run.plan().segments:
        run.copy(segment, unseen)
    return run


def whole(run: CopyRun, *, mirror: bool = False) -> Report:
    """All verbs of the run, one after the other."""
    copied(run)
    if mirror:
        run.mirror()
    run.verify()
    return run.seal()


@pytest.fixture
def pair(ministack_endpoint: str, table_name: str) -> Pair:
    """Two tables of the test's own, none of which exists yet."""
    return Pair(ministack_endpoint, table_name)


@pytest.fixture
def filled(pair: Pair) -> Pair:
    """A simple source of 300 items."""
    pair.source.create()
    pair.source.fill(range(300))
    return pair


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some fifty items a page."""
    monkeypatch.setattr(scanning, "_FIRST_LIMIT", 20)
    monkeypatch.setattr(scanning, "REQUEST_BYTES", 10_000)
