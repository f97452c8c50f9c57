"""What must not be: one clear error that names the job's field, before anything is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dynamodb_copy.assembly import CopyRun
from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.errors import (
    AccessError,
    CopyError,
    ItemRefusedError,
    TableError,
    TargetBusyError,
    TargetRefusedError,
    TransientError,
)
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import KeySchema
from dynamodb_copy.phases.context import RunContext
from integration.pair import TIMEOUTS, Hurried, Pair, copied, item_of, key_of, unseen, whole
from integration.table_names import table_names
from stack.proxy_faults import (
    Fault,
    Forward,
    Rule,
    access_denied,
    cut_before_forwarding,
    matching,
    poisoned_by,
    service_unavailable,
    swallowed,
)
from stack.proxy_wire import Reply, Request

pytestmark = pytest.mark.integration

READS = {
    "DescribeContinuousBackups",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetItem",
    "ListTagsOfResource",
    "Query",
    "Scan",
}


def message_of(verb: Callable[[], Any], error: type[CopyError]) -> str:
    with pytest.raises(error) as caught:
        verb()
    return str(caught.value)


@contextmanager
def nothing_written(pair: Pair) -> Iterator[None]:
    """Whatever the block asks of the two regions, it only reads; afterwards no table is more or other than before."""
    tables = [table_names(side.client) for side in (pair.source, pair.target)]
    items = pair.target.items() if pair.target.exists() else None
    with pair.observed("aws_virginia", "aws_oregon") as proxy:
        yield
        asked = {exchange.operation for exchange in proxy.exchanges}
    assert asked <= READS
    assert [table_names(side.client) for side in (pair.source, pair.target)] == tables
    assert items == (pair.target.items() if pair.target.exists() else None)


@pytest.fixture(autouse=True)
def no_state_table_yet(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state table of the test's own."""
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", f"state-of-{pair.table}")


VERBS: dict[str, Callable[[CopyRun], Any]] = {
    "prepare": lambda run: run.prepare(),
    "forecast": lambda run: run.forecast(),
    "compare": lambda run: run.compare(),
    "repair": lambda run: run.repair(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_source_is_named(pair: Pair, verb: str) -> None:
    with nothing_written(pair):
        message = message_of(lambda: VERBS[verb](pair.run("1")), TableError)

    field = "to" if verb == "repair" else "from"  # repair looks for its target first
    for part in (f"{field}.table", pair.table, "does not exist in us-", f"correct {field}.table, {field}.region"):
        assert part in message


@pytest.mark.parametrize("verb", ["compare", "repair"])
def test_what_compares_needs_a_target(filled: Pair, verb: str) -> None:
    with nothing_written(filled):
        message = message_of(lambda: VERBS[verb](filled.run("1")), TableError)

    assert f"to.table: '{filled.table}' does not exist in us-west-2 for connection 'aws_oregon'" in message


def described_as(**changes: Any) -> Fault:
    """DescribeTable answers with these changes."""

    async def fault(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        return reply.with_json({"Table": reply.json["Table"] | changes})

    return fault


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED"])
def test_a_source_that_cannot_be_read_now_is_refused(filled: Pair, status: str) -> None:
    rule = Rule(described_as(TableStatus=status), "DescribeTable")

    with nothing_written(filled), filled.observed("aws_virginia", rules=[rule]):
        message = message_of(filled.run("1").prepare, TableError)

    for part in ("from.table", filled.table, f"is {status}", "must be ACTIVE"):
        assert part in message


def test_a_target_that_is_being_deleted_is_refused(filled: Pair) -> None:
    filled.target.create()
    rule = Rule(described_as(TableStatus="DELETING"), "DescribeTable")

    with nothing_written(filled), filled.observed("aws_oregon", rules=[rule]):
        message = message_of(filled.run("1").prepare, TableError)

    for part in ("to.table", "is DELETING", "wait until it is ACTIVE, or name another table"):
        assert part in message


def test_a_plan_waits_for_a_target_and_its_indexes(filled: Pair) -> None:
    filled.run("1").prepare()
    rule = Rule(described_as(TableStatus="CREATING"), "DescribeTable")

    with filled.observed("aws_oregon", rules=[rule]):
        run = filled.run("1")
        message = message_of(run.plan, TableError)
        assert not run.target_is_active()

    assert "is CREATING; wait until it and its indexes are ACTIVE" in message


def test_a_table_is_not_copied_onto_itself_under_another_connections_name(filled: Pair) -> None:
    with nothing_written(filled):
        message = message_of(filled.run("1", to_={"region": "us-east-1"}).prepare, TargetRefusedError)

    for part in ("to:", filled.table, "is the source itself", "name another table, region or account"):
        assert part in message


@pytest.mark.parametrize(
    ("names", "kinds", "shown"),
    [
        (["key"], "S", "key (S)"),
        (["id"], "N", "id (N)"),
        (["id", "order"], "SS", "id (S), order (S)"),
    ],
)
def test_a_target_with_other_keys_is_refused(filled: Pair, names: list[str], kinds: str, shown: str) -> None:
    filled.target.create(
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in zip(names, kinds, strict=True)
        ],
        KeySchema=[
            {"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"), strict=False)
        ],
    )

    for verb in ("prepare", "forecast", "compare"):
        with nothing_written(filled):
            message = message_of(lambda verb=verb: VERBS[verb](filled.run("1")), TableError)  # type: ignore[misc]
        for part in ("to.table", f"has the keys {shown}, the source has id (S)", "name a table with the same keys"):
            assert part in message


def test_a_target_that_holds_items_and_was_never_the_jobs_is_refused(filled: Pair) -> None:
    filled.target.create()
    filled.target.fill([10_000])

    with nothing_written(filled):
        message = message_of(filled.run("1").prepare, TargetRefusedError)

    for part in ("to.table", "holds items and was never this job's target", "empty it, or say `existing: allow`"):
        assert part in message


def test_an_empty_target_that_was_never_the_jobs_is_taken(filled: Pair) -> None:
    filled.target.create()

    assert whole(filled.run("1")).verdict.outcome == "equal"


def test_a_target_that_was_replaced_by_one_with_items_is_no_longer_the_jobs(filled: Pair) -> None:
    whole(filled.run("1"))
    filled.target.client.delete_table(TableName=filled.table)
    filled.target.create()
    filled.target.fill([10_000])

    with nothing_written(filled):
        assert "never this job's target" in message_of(filled.run("2").prepare, TargetRefusedError)


@pytest.fixture
def elsewhere(filled: Pair) -> Pair:
    """Another source."""
    other = Pair(filled.endpoint, f"{filled.table}-2")
    other.source.create()
    other.source.fill(range(300, 310))
    return other


def test_a_target_that_another_source_fills_is_refused(filled: Pair, elsewhere: Pair) -> None:
    whole(filled.run("1"))
    into = {"table": filled.table}

    with nothing_written(filled), nothing_written(elsewhere):
        elsewhere.endpoints = filled.endpoints
        message = message_of(elsewhere.run("1", to_=into).prepare, TargetRefusedError)

    for part in ("to.table", f"is filled from arn:aws:dynamodb:us-east-1:123456789012:table/{filled.table} by job"):
        assert part in message
    clock = Hurried()
    filled.run("2", clock=clock).prepare()
    assert clock.slept == []  # the refused run does not keep the target


def test_two_sources_fill_one_target_only_when_both_say_so(filled: Pair, elsewhere: Pair) -> None:
    whole(filled.run("1"))
    whole(elsewhere.run("1", to_={"table": filled.table, "existing": "allow"}))

    assert "is filled from" in message_of(filled.run("2").prepare, TargetRefusedError)

    assert whole(filled.run("3", to_={"existing": "allow"})).verdict.outcome == "superset"


PREPARE, COPY = "prepare", "copy"
ACTIONS = [
    (PREPARE, "aws_virginia", "DescribeTable"),
    (PREPARE, "aws_virginia", "Scan"),
    (PREPARE, "aws_virginia", "DescribeTimeToLive"),
    (PREPARE, "aws_virginia", "ListTagsOfResource"),
    (PREPARE, "aws_oregon", "DescribeTable"),
    (PREPARE, "aws_oregon", "CreateTable"),
    (COPY, "aws_virginia", "Scan"),
    (COPY, "aws_oregon", "BatchWriteItem"),
    (COPY, "aws_oregon", "GetItem"),
    (COPY, "aws_oregon", "UpdateItem"),
]


@pytest.mark.parametrize(("phase", "connection", "action"), ACTIONS)
def test_a_missing_permission_is_named_and_nothing_is_written(
    filled: Pair, phase: str, connection: str, action: str
) -> None:
    if phase == COPY:
        filled.run("1").prepare()
    segments = filled.run("1").plan().segments if phase == COPY else []

    with filled.observed(connection, rules=[Rule(access_denied(), action)]):
        run = filled.run("1")
        message = message_of(run.prepare if phase == PREPARE else lambda: run.copy(segments[0], unseen), AccessError)

    for part in (f"dynamodb:{action} is not permitted", "allow this action to the connection's user or role"):
        assert part in message
    assert filled.target.exists() == (phase == COPY)
    assert phase == PREPARE or filled.target.items() == []


def test_a_missing_permission_for_the_new_state_table_leaves_no_target(filled: Pair) -> None:
    rule = Rule(access_denied(), "CreateTable", matching(lambda request: request.json["TableName"].startswith("state")))

    with filled.observed("aws_oregon", rules=[rule]):
        message = message_of(filled.run("1").prepare, AccessError)

    assert "dynamodb:CreateTable is not permitted" in message
    assert not filled.target.exists()


KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/1234"


def test_a_source_under_a_customers_key_needs_a_key_for_its_target(filled: Pair) -> None:
    encrypted = described_as(SSEDescription={"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": KMS_KEY})

    for verb in ("prepare", "forecast"):
        with nothing_written(filled), filled.observed("aws_virginia", rules=[Rule(encrypted, "DescribeTable")]):
            message = message_of(lambda verb=verb: VERBS[verb](filled.run("1")), TableError)  # type: ignore[misc]
        for part in ("to.kms_key", KMS_KEY, "name a key of us-west-2, or alias/aws/dynamodb"):
            assert part in message


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("alias/backups", {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/backups"}),
        ("alias/aws/dynamodb", {"Enabled": True, "SSEType": "KMS"}),
    ],
)
def test_a_target_is_encrypted_as_the_job_says(filled: Pair, key: str, asked: dict[str, Any]) -> None:
    creations: list[dict[str, Any]] = []

    def noted(request: Request) -> bool:
        creations.append(request.json)
        return False

    with filled.observed("aws_oregon", rules=[Rule(swallowed(), "CreateTable", matching(noted))]):
        filled.run("1", to_={"kms_key": key}).prepare()

    (creation,) = [creation for creation in creations if creation["TableName"] == filled.table]
    assert creation["SSESpecification"] == asked


def test_an_item_that_the_target_refuses_fails_the_task_by_its_key_hash_and_never_disappears(filled: Pair) -> None:
    filled.source.put(item_of(7, bad={"S": "x"}), item_of(8, bad={"S": "x"}))
    run = filled.run("1", segments=1)
    run.prepare()
    (segment,) = run.plan().segments

    with filled.observed("aws_oregon", rules=[Rule(poisoned_by("bad"), "BatchWriteItem")]):
        message = message_of(lambda: filled.run("1", segments=1).copy(segment, unseen), ItemRefusedError)

    hashes = [key_hash(key_of(number), KeySchema("id")).hex() for number in (7, 8)]
    for part in ("segment 1/1: the target refuses 2 items", *hashes, "Type mismatch for Index Key", "--show-keys"):
        assert part in message
    assert "item-00007" not in message
    assert run.copy(segment, unseen).items == 300  # once the target takes them
    assert run.verify().outcome == "equal"


@contextmanager
def at_work(pair: Pair, run_id: str) -> Iterator[None]:
    """Another run holds the target, and shows signs of life."""
    stop = threading.Event()
    context = RunContext(pair.job(), run_id, pair.connect, TIMEOUTS)
    lease = context.run_lease(pair.target.description()["TableArn"])

    def live() -> None:
        while not stop.wait(0.1):
            lease.renew()

    with context.opened:
        lease.acquire(wait_while_alive=False)
        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def test_a_target_whose_run_lease_another_run_holds_is_refused_to_every_verb_that_writes(filled: Pair) -> None:
    mine = copied(filled.run("1"))

    with at_work(filled, "other/1"), nothing_written(filled):
        for verb in (filled.run("2").prepare, mine.verify):
            message = message_of(verb, TargetBusyError)
            for part in ("to.table", "run 'other/1", "is at work there", "wait for its end or stop it"):
                assert part in message
        assert filled.run("4").compare().outcome == "equal"  # reading harms nobody


@pytest.mark.parametrize("connection", ["aws_virginia", "aws_oregon"])
@pytest.mark.parametrize("verb", ["prepare", "forecast", "compare"])
def test_a_region_that_refuses_connections_ends_a_call_soon_and_leaves_nothing_behind(
    filled: Pair, connection: str, verb: str
) -> None:
    with filled.observed(connection) as proxy, proxy.refusing_connections():
        began = time.monotonic()
        message = message_of(lambda: VERBS[verb](filled.run("1")), TransientError)

    assert time.monotonic() - began < 30.0
    assert proxy.endpoint in message
    assert not filled.target.exists()


DARK = {"cuts": cut_before_forwarding(), "swallows": swallowed(), "answers 503": service_unavailable()}


@pytest.mark.parametrize("connection", ["aws_virginia", "aws_oregon"])
@pytest.mark.parametrize("dark", DARK)
def test_a_region_that_goes_dark_during_the_copy_fails_the_task_and_its_retry_goes_on(
    filled: Pair, monkeypatch: pytest.MonkeyPatch, connection: str, dark: str
) -> None:
    monkeypatch.setattr(Patience, "total_seconds", 1.0)
    run = filled.run("1", segments=1)
    run.prepare()
    (segment,) = run.plan().segments
    operation = {"aws_virginia": "Scan", "aws_oregon": "BatchWriteItem"}[connection]

    with filled.observed(connection, rules=[Rule(DARK[dark], operation)]):
        message = message_of(lambda: filled.run("1", segments=1).copy(segment, unseen), TransientError)

    assert operation in message
    assert run.copy(segment, unseen).items == 300
    assert run.verify().outcome == "equal"
