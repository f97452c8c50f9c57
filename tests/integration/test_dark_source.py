"""The source's region is dark, in each way there is: what recovers a table neither needs it nor waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from dynamodb_copy.assembly import list_backups
from dynamodb_copy.aws.clients import CONTROL_PLANE
from dynamodb_copy.phases import drilling
from integration.backups import Store, contents, rehearsed, whole_restore
from integration.pair import SOURCE_REGION, impatient_client
from stack.emulators import ACCOUNT
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule, service_unavailable, swallowed

pytestmark = pytest.mark.integration

WAYS = ("refuses connections", "swallows packets", "answers 503")


@dataclass
class World:
    """One process's view: all regions answer but the source's, whose client is as patient as a real one."""

    endpoint: str
    dark: FaultProxy
    asked_for: list[tuple[str, str]] = field(default_factory=list)  # clients of the dark region: service, connection

    def connect(self, service: str, region: str, connection: str) -> Any:
        """Lead a connection to its endpoint."""
        if region != SOURCE_REGION:
            return impatient_client(self.endpoint, region, service)
        self.asked_for.append((service, connection))
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.dark.endpoint,
            region_name=region,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="emulator",  # noqa: S106  emulators accept any
            config=CONTROL_PLANE,
        )


@contextmanager
def darkness(way: str, endpoint: str) -> Iterator[World]:
    """The source's region is like this for the length of the block."""
    faults = {"swallows packets": swallowed(), "answers 503": service_unavailable()}
    rules = [Rule(faults[way])] if way in faults else []
    with FaultProxy(endpoint, *rules) as proxy, ExitStack() as stack:
        if not rules:
            stack.enter_context(proxy.refusing_connections())
        yield World(endpoint, proxy)


@pytest.fixture(params=WAYS)
def dark(request: pytest.FixtureRequest, backed_up: Store) -> Iterator[World]:
    """After the backup was made, the source's region went dark."""
    with darkness(request.param, backed_up.pair.endpoint) as world:
        yield world


def test_backups_are_listed_and_restored_without_a_word_to_it(backed_up: Store, dark: World) -> None:
    run = backed_up.restore(connect=dark.connect)

    listed = list_backups(run.job.source, dark.connect)
    forecast = run.forecast()
    report = whole_restore(run)

    assert [(each.kind, each.items) for each in listed.backups] == [("full", 300)]
    assert (forecast.items, forecast.creates_target) == (300, True)
    assert (report.verdict.outcome, report.items) == ("equal", 300)
    assert contents(backed_up.pair.target) == contents(backed_up.pair.source)
    assert (dark.asked_for, dark.dark.exchanges) == ([], [])


def test_a_drill_proves_the_recovery_and_asks_it_one_question_that_nobody_waits_for(
    backed_up: Store, dark: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = backed_up.drill(connect=dark.connect)
    assert run.there_is_a_backup()
    rehearsed(run).check_rows()
    run.check_content()
    assert (dark.asked_for, dark.dark.exchanges) == ([], [])

    if request.node.callspec.params["dark"] != "swallows packets":
        monkeypatch.setattr(drilling, "_SOURCE_SECONDS", 1.0)  # one of the three waits as long as it has to
    began = time.monotonic()
    report = run.report(datetime.now(UTC))
    took = time.monotonic() - began
    asked = [(exchange.operation, exchange.table) for exchange in dark.dark.exchanges]

    assert took < 6.5
    assert report.recovered
    assert report.source_now.startswith("us-east-1 ")
    assert dark.asked_for == [("dynamodb", "aws_oregon")]
    assert set(asked) <= {("DescribeTable", backed_up.pair.table)}
    assert run.drop()
    assert len(dark.dark.exchanges) <= 6  # tries of the one question
