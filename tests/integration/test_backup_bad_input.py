"""What must not be backed up, restored or rehearsed: one clear error, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from dynamodb_copy.errors import (
    AccessError,
    BackupRefusedError,
    BucketRefusedError,
    ConnectionMissingError,
    ContentDiffersError,
    CopyError,
    TableError,
    TargetRefusedError,
)
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import KeySchema
from integration.backups import Store, at, contents, loaded, whole_backup, whole_drill, whole_restore
from integration.pair import Pair, close_clients, impatient_client, item_of, key_of
from integration.table_names import table_names
from stack.proxy_faults import Fault, Forward, Rule
from stack.proxy_s3 import lines, s3_refuses
from stack.proxy_wire import Reply, Request
from unit.aws.buckets import Requests

pytestmark = pytest.mark.integration

OWNER = "210987654321"

VERBS: dict[str, Callable[[Store], Any]] = {
    "backup": lambda store: store.backup().prepare(),
    "forecast": lambda store: store.backup().forecast(),
    "restore": lambda store: store.restore().choose(),
    "drill": lambda store: store.drill().choose(),
    "wait for a backup": lambda store: store.drill().there_is_a_backup(),
}


@pytest.fixture(autouse=True)
def no_state_table_yet(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state table of the test's own."""
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", f"state-of-{pair.table}")


def message_of(verb: Callable[[], Any], error: type[CopyError]) -> str:
    with pytest.raises(error) as caught:
        verb()
    return str(caught.value)


@contextmanager
def nothing_written(store: Store) -> Iterator[None]:
    """Afterwards there are the same tables, but perhaps one for state, and the same objects."""
    tables, objects = tables_of(store.pair), store.all_keys()
    yield
    assert tables_of(store.pair) == tables
    assert store.all_keys() == objects


def tables_of(pair: Pair) -> list[str]:
    names = [name for side in (pair.source, pair.target) for name in table_names(side.client)]
    return [name for name in names if not name.startswith("state-of-")]


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_connection_is_named(filled: Pair, store: Store, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    def connect(_service: str, _region: str, connection: str) -> Any:
        raise ConnectionMissingError(f"connection {connection!r}: there is none of that name")

    monkeypatch.setattr(Pair, "connect", staticmethod(connect))

    with nothing_written(store):
        message = message_of(lambda: VERBS[verb](store), ConnectionMissingError)

    assert "connection 'aws_" in message
    assert filled.source.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_bucket_is_named(filled: Pair, verb: str) -> None:
    message = message_of(lambda: VERBS[verb](Store(filled, "bucket-that-nobody-made")), BucketRefusedError)

    for part in ("s3://bucket-that-nobody-made", "us-west-2", "create the bucket or correct its name"):
        assert part in message


def test_a_missing_source_is_named_by_a_backup(store: Store) -> None:
    with nothing_written(store):
        message = message_of(store.backup().prepare, TableError)

    for part in ("from.table", store.pair.table, "does not exist in us-east-1", "correct from.table"):
        assert part in message


@pytest.fixture
def at_moto(filled: Pair, moto_endpoint: str) -> Iterator[Store]:
    """A bucket in an emulator that knows policies and access control lists."""
    filled.endpoints["aws_oregon"] = moto_endpoint
    made = Store(filled, filled.table.replace("table", "bucket"))
    client = impatient_client(moto_endpoint, "us-west-2", "s3")
    client.create_bucket(Bucket=made.bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    yield made
    close_clients(moto_endpoint)


def test_a_bucket_with_a_public_policy_is_refused(at_moto: Store, moto_endpoint: str) -> None:
    client = impatient_client(moto_endpoint, "us-west-2", "s3")
    resource = f"arn:aws:s3:::{at_moto.bucket}/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_bucket_policy(Bucket=at_moto.bucket, Policy=policy)

    for verb in (at_moto.backup().prepare, at_moto.backup().forecast):
        assert "its bucket policy makes it public" in message_of(verb, BucketRefusedError)

    assert "Contents" not in client.list_objects_v2(Bucket=at_moto.bucket)


def test_a_bucket_that_is_granted_to_everybody_is_refused(at_moto: Store, moto_endpoint: str) -> None:
    client = impatient_client(moto_endpoint, "us-west-2", "s3")
    client.put_bucket_acl(Bucket=at_moto.bucket, ACL="public-read")

    message = message_of(at_moto.backup().prepare, BucketRefusedError)

    for part in (f"s3://{at_moto.bucket}", "grants access to everybody", "remove the grant"):
        assert part in message
    assert "Contents" not in client.list_objects_v2(Bucket=at_moto.bucket)
    assert impatient_client(moto_endpoint, "us-west-2").list_tables()["TableNames"] == []


def owned_by(account: str) -> Fault:
    """Refuse who expects another owner, as S3 does."""

    async def fault(request: Request, forward: Forward) -> Reply:
        head = request.head.lower()
        if b"x-amz-expected-bucket-owner:" in head and f"owner: {account}".encode() not in head:
            return await s3_refuses("AccessDenied", HTTPStatus.FORBIDDEN, "Access Denied")(request, forward)
        return await forward(request)

    return fault


@pytest.mark.parametrize("verb", ["backup", "restore", "drill"])
def test_a_bucket_of_another_owner_is_refused(filled: Pair, store: Store, verb: str) -> None:
    verbs: dict[str, Callable[[], Any]] = {
        "backup": lambda: store.backup(bucket_owner=OWNER).prepare(),
        "restore": lambda: store.restore(bucket_owner=OWNER).choose(),
        "drill": lambda: store.drill(bucket_owner=OWNER).choose(),
    }

    with filled.observed("aws_oregon", rules=[Rule(owned_by("123456789012"))]), nothing_written(store):
        message = message_of(verbs[verb], AccessError)

    for part in (f"s3://{store.bucket}", f"owner {OWNER}", "where another account owns the bucket"):
        assert part in message


def test_every_request_to_the_bucket_says_who_must_own_it(filled: Pair, store: Store) -> None:
    requests = Requests()

    with filled.observed("aws_oregon", rules=[requests.rule(), Rule(owned_by(OWNER))]):
        whole_backup(store.backup(bucket_owner=OWNER))
        assert whole_restore(store.restore(bucket_owner=OWNER)).verdict.outcome == "equal"
        assert whole_drill(store.drill(bucket_owner=OWNER)).recovered

    of_s3 = [head for head in requests.heads if "x-amz-target" not in head]
    assert len(of_s3) > 50
    assert all(f"x-amz-expected-bucket-owner: {OWNER}" in head for head in of_s3)


@pytest.mark.parametrize(
    ("pattern", "action"),
    [("PUT .*/_started", "s3:PutObject"), (r"GET [^ ]*\?policyStatus", "s3:GetBucketPolicyStatus")],
)
def test_a_permission_that_a_backup_misses_is_named(filled: Pair, store: Store, pattern: str, action: str) -> None:
    denied = Rule(s3_refuses("AccessDenied", HTTPStatus.FORBIDDEN, "Access Denied"), when=lines(pattern))

    with filled.observed("aws_oregon", rules=[denied]):
        message = message_of(store.backup().prepare, AccessError)

    for part in (f"s3://{store.bucket}", f"{action} is not permitted"):
        assert part in message
    assert store.all_keys() == []


@pytest.mark.parametrize(
    ("pattern", "action"), [(r"GET [^ ]*list-type=2", "s3:ListBucket"), ("GET .*manifest-summary.json", "s3:GetObject")]
)
def test_a_permission_that_a_restore_misses_is_named(filled: Pair, backed_up: Store, pattern: str, action: str) -> None:
    denied = Rule(s3_refuses("AccessDenied", HTTPStatus.FORBIDDEN, "Access Denied"), when=lines(pattern))

    with filled.observed("aws_oregon", rules=[denied]):
        message = message_of(backed_up.restore().choose, AccessError)

    assert f"{action} is not permitted" in message


def test_a_place_without_a_sealed_backup_says_what_is_there(filled: Pair, store: Store) -> None:
    store.backup().prepare()
    for unsealed, others in ((Store(filled, store.bucket, "elsewhere"), ""), (store, " (but 1 unsealed)")):
        with nothing_written(store):
            message = message_of(unsealed.restore().choose, BackupRefusedError)
            assert not unsealed.drill().there_is_a_backup()
        for part in ("from.s3", f"holds no sealed full backup{others};", "above AWSDynamoDB/", "let a backup job seal"):
            assert part in message


def test_a_moment_before_the_first_backup_says_which_there_are(backed_up: Store) -> None:
    consistent = datetime.fromisoformat(backed_up.summary(backed_up.folders()[0])["exportTime"])
    before = consistent - timedelta(seconds=1)

    messages = [
        message_of(lambda: backed_up.restore("1").choose(before), BackupRefusedError),
        message_of(backed_up.restore("2", restore=before.isoformat()).choose, BackupRefusedError),
        message_of(lambda: backed_up.drill("3").choose(before), BackupRefusedError),
    ]

    for message in messages:
        for part in (f"no full backup at or before {before.isoformat()}", "there are 1", consistent.isoformat()):
            assert part in message
    assert backed_up.restore("4").choose(consistent).consistent == consistent.isoformat()


def test_the_newest_backup_up_to_the_asked_moment_is_chosen(filled: Pair, store: Store) -> None:
    day = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    for number in range(3):
        whole_backup(at((day + timedelta(days=number)).timestamp(), store.backup(f"night {number}")))
        filled.source.fill([300 + number])

    choices = {
        hours: store.restore(f"{hours}").choose(day + timedelta(hours=hours)).items
        for hours in (0, 23, 24, 25, 47, 500)
    }

    assert choices == {0: 300, 23: 300, 24: 301, 25: 301, 47: 301, 500: 302}
    assert store.restore("latest").choose().items == 302


def test_a_prefix_with_backups_of_two_tables_is_refused_with_both_names(filled: Pair, store: Store) -> None:
    other = Pair(filled.endpoint, f"{filled.table}-2")
    other.source.create()
    whole_backup(store.backup())
    whole_backup(Store(other, store.bucket).backup())

    with nothing_written(store):
        for verb in (store.restore().choose, store.drill().choose):
            message = message_of(verb, BackupRefusedError)
            for part in ("backups of 2 tables", f"table/{filled.table}", f"table/{other.table}", "prefix of its own"):
                assert part in message


def test_a_target_with_other_keys_is_refused(filled: Pair, backed_up: Store) -> None:
    filled.target.create(
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    run = backed_up.restore()
    run.choose()

    with nothing_written(backed_up):
        message = message_of(run.prepare, TableError)

    for part in ("to.table", "has the keys id (N), the source has id (S)", "name a table with the same keys"):
        assert part in message


def test_a_target_that_holds_items_is_refused_and_keeps_them(filled: Pair, backed_up: Store) -> None:
    filled.target.create()
    filled.target.fill([7, 10_000])
    held = filled.target.items()
    run = backed_up.restore()
    run.choose()

    with nothing_written(backed_up):
        message = message_of(run.prepare, TargetRefusedError)

    for part in ("to.table", "holds items", "name another table, empty it, or say `existing: allow`"):
        assert part in message
    assert filled.target.items() == held


def test_a_target_that_another_restore_filled_is_refused(filled: Pair, backed_up: Store) -> None:
    whole_restore(backed_up.restore("first"))
    run = backed_up.restore("second")
    run.choose()

    assert "holds items" in message_of(run.prepare, TargetRefusedError)

    assert contents(filled.target) == contents(filled.source)


def test_a_target_with_items_of_its_own_becomes_a_superset(filled: Pair, backed_up: Store) -> None:
    filled.target.create()
    filled.target.put(item_of(7, note={"S": "older"}), *[item_of(number) for number in range(10_000, 10_005)])

    report = whole_restore(backed_up.restore(to_={"existing": "allow"}))

    assert (report.verdict.outcome, report.verdict.extra) == ("superset", 5)
    assert contents(filled.source) < contents(filled.target)
    assert len(filled.target.items()) == 305


def test_wrong_items_are_found_among_those_of_its_own(filled: Pair, backed_up: Store) -> None:
    filled.target.create()
    filled.target.fill(range(10_000, 10_005))
    run = loaded(backed_up.restore(to_={"existing": "allow"}))
    filled.target.put(item_of(7, note={"S": "tampered"}))
    filled.target.delete(8)

    message = message_of(run.verify, ContentDiffersError)

    hashes = [key_hash(key_of(number), KeySchema("id")).hex() for number in (7, 8)]
    for part in ("1 missing, 1 changed", *hashes):
        assert part in message
    assert "item-00007" not in message


def described_as(**changes: Any) -> Fault:
    """DescribeTable answers with these changes."""

    async def fault(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        return reply.with_json({"Table": reply.json["Table"] | changes})

    return fault


def test_a_table_under_a_customers_key_needs_a_key_for_its_restore(filled: Pair, store: Store) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1234"
    encrypted = described_as(SSEDescription={"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key})
    with filled.observed("aws_virginia", rules=[Rule(encrypted, "DescribeTable")]):
        whole_backup(store.backup())
    run, drill = store.restore(), store.drill()
    run.choose()
    drill.choose()

    with nothing_written(store):
        messages = [message_of(run.prepare, TableError), message_of(drill.create, TableError)]

    for message in messages:
        for part in ("to.kms_key", key, "name a key of us-west-2, or alias/aws/dynamodb"):
            assert part in message
    assert whole_restore(store.restore("2", to_={"kms_key": "alias/aws/dynamodb"})).verdict.outcome == "equal"


def test_an_import_of_a_table_with_local_indexes_is_refused(pair: Pair, store: Store) -> None:
    keys = [{"AttributeName": "id", "KeyType": "HASH"}]
    by_number = [*keys, {"AttributeName": "number", "KeyType": "RANGE"}]
    pair.source.create(
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in {"id": "S", "at": "S", "number": "N"}.items()
        ],
        KeySchema=[*keys, {"AttributeName": "at", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {"IndexName": "by_number", "KeySchema": by_number, "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    whole_backup(store.backup())
    run = store.restore(engine="import")
    run.choose()

    with nothing_written(store):
        message = message_of(run.start_import, TableError)

    for part in ("engine", "no local secondary indexes", "say engine: load"):
        assert part in message


def test_a_backup_that_is_larger_than_a_drill_may_restore_is_refused(backed_up: Store) -> None:
    objectives = {"rto": "30m", "rpo": "24h", "max_bytes": "10KB"}

    with nothing_written(backed_up):
        message = message_of(backed_up.drill(drill=objectives).choose, BackupRefusedError)

    for part in ("drill.max_bytes", "bytes, allowed are 10,000", "raise max_bytes"):
        assert part in message
