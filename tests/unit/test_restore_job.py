from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dynamodb_copy.job import KeyAttribute, RestoreJob, Share, Unlimited, read_job
from dynamodb_copy.model import TableRef
from job_texts import errors_of, kind_of, text_of

HASH = {"name": "customer", "type": "S"}
RANGE = {"name": "ordered_at", "type": "N"}


def test_the_shortest_restore_has_sensible_defaults() -> None:
    job = kind_of(RestoreJob)

    assert (job.restore, job.engine, job.write, job.segments, job.verify) == (
        "latest",
        "load",
        Share(0.25),
        "auto",
        "content",
    )
    assert (job.target.kms_key, job.target.existing, job.target.table_keys) == (None, "refuse", None)
    assert job.bucket_owner is None


def test_a_restore_names_its_place_and_its_table() -> None:
    job = kind_of(RestoreJob)

    assert (job.source.bucket, job.source.prefix) == ("dr-backups", "orders")
    assert (job.source.region, job.source.connection) == ("us-west-2", "aws_oregon")
    assert job.target.ref == TableRef("orders", "us-west-2", "aws_oregon")


def test_every_key_reaches_the_restore() -> None:
    job = kind_of(
        RestoreJob,
        to_={"kms_key": "alias/orders", "existing": "allow", "keys": {"hash": HASH, "range": RANGE}},
        engine="load",
        write="unlimited",
        segments=16,
        verify="count",
        bucket_owner="123456789012",
    )

    assert (job.engine, job.write, job.segments, job.verify) == ("load", Unlimited(), 16, "count")
    assert (job.target.kms_key, job.target.existing) == ("alias/orders", "allow")
    assert job.target.table_keys is not None
    assert job.target.table_keys.hash_key == KeyAttribute(name="customer", type="S")
    assert job.target.table_keys.range_key == KeyAttribute(name="ordered_at", type="N")
    assert job.bucket_owner == "123456789012"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("latest", "latest"),
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T02:30:00Z", datetime(2026, 12, 1, 2, 30, tzinfo=UTC)),
        ("2026-12-01T02:30:00+05:30", datetime(2026, 11, 30, 21, 0, tzinfo=UTC)),
    ],
)
def test_a_restore_brings_back_the_latest_state_or_that_of_an_instant(written: str, meant: object) -> None:
    job = read_job("orders", text_of(RestoreJob).replace("restore: latest", f"restore: {written}"))

    assert isinstance(job, RestoreJob)
    assert job.restore == meant


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("newest", 'restore: found "newest"; allowed: latest, or a date or moment such as 2026-12-01T02:00:00Z'),
        ("full", "write one of these"),
        (None, "restore: found nothing; allowed: latest, or a date or moment"),
        (True, "restore: found true; allowed: latest, or a date or moment"),
        (20261201, "restore: found 20261201; allowed: latest, or a date or moment"),
        ("2026-13-01", "allowed: a date or moment such as 2026-12-01 or 2026-12-01T02:00:00Z; write it that way"),
        ("1026-12-01", "allowed: a moment from 2000 on; check the year"),
    ],
)
def test_other_points_in_time_are_refused(written: object, says: str) -> None:
    assert says in errors_of(RestoreJob, restore=written)


@pytest.mark.parametrize("kind", ["S", "N", "B"])
def test_a_key_may_have_a_hash_alone_of_any_type(kind: str) -> None:
    keys = kind_of(RestoreJob, to_={"keys": {"hash": {"name": "id", "type": kind}}}).target.table_keys

    assert keys is not None
    assert (keys.hash_key.name, keys.hash_key.type, keys.range_key) == ("id", kind, None)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "to.keys: found nothing; allowed: a mapping; fill it in, or delete the key"),
        ("id", 'to.keys: found "id"; allowed: a mapping with keys of hash, range'),
        ({}, "to.keys.hash: found nothing; allowed: a mapping with keys of name, type"),
        ({"range": RANGE}, "to.keys.hash: found nothing"),
        ({"hash": "id"}, 'to.keys.hash: found "id"; allowed: a mapping with keys of name, type'),
        ({"hash": {"name": "id"}}, "to.keys.hash.type: found nothing; allowed: S or N or B; write one of these"),
        ({"hash": {"name": "id", "type": "string"}}, 'to.keys.hash.type: found "string"; allowed: S or N or B'),
        ({"hash": {"type": "S"}}, "to.keys.hash.name: found nothing; allowed: an attribute's name"),
        ({"hash": {"name": 1, "type": "S"}}, "to.keys.hash.name: found 1; allowed: an attribute's name: 1 to 255"),
        ({"hash": {"name": "", "type": "S"}}, "to.keys.hash.name: found"),
        ({"hash": {"name": "x" * 256, "type": "S"}}, "to.keys.hash.name: found"),
        ({"hash": HASH, "range": None}, "to.keys.range: found nothing; allowed: a mapping; fill it in, or delete"),
        ({"hash": HASH, "range": HASH}, "to.keys.range: found {name: "),
        ({"hash": HASH, "range": {**HASH, "type": "N"}}, "allowed: another attribute than hash; name the table's sort"),
        ({"hash": HASH, "sort": RANGE}, "to.keys.sort: unknown key; allowed here: hash, range"),
        ({"hash": HASH, "hash_key": HASH}, "to.keys.hash_key: unknown key; allowed here: hash, range"),
    ],
)
def test_other_keys_of_the_table_are_refused(written: object, says: str) -> None:
    assert says in errors_of(RestoreJob, to_={"keys": written})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"engine": "scan"}, 'engine: found "scan"; allowed: load or import; write one of these'),
        ({"verify": "some"}, 'verify: found "some"; allowed: none or count or content'),
        ({"to_": {"existing": True}}, "to.existing: found true; allowed: refuse or allow"),
        ({"to_": {"table": "ab"}}, "to.table: found"),
        ({"to_": {"table_keys": {"hash": HASH}}}, "to.table_keys: unknown key"),
        ({"from_": {"region": "oregon"}}, 'from.region: found "oregon"; allowed: an AWS region'),
        ({"from_": {"table": "orders"}}, "from.table: unknown key; allowed here: s3, region, connection"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(changes: dict[str, Any], says: str) -> None:
    assert says in errors_of(RestoreJob, **changes)


@pytest.mark.parametrize(
    ("key", "value"), [("write", {"share": 0.25}), ("write", "unlimited"), ("segments", "auto"), ("segments", 4)]
)
def test_an_import_takes_no_keys_of_a_load(key: str, value: object) -> None:
    message = errors_of(RestoreJob, engine="import", **{key: value})

    assert message.startswith("orders: 1 error\n")
    assert f"{key}: found " in message
    assert "allowed: only with engine: load; an import has no rate and no segments: remove this key, or load" in message


def test_an_import_into_an_existing_table_is_refused() -> None:
    message = errors_of(RestoreJob, engine="import", to_={"existing": "allow"})

    assert message.startswith("orders: 1 error\n")
    assert 'engine: found "import"; allowed: load together with existing: allow' in message
    assert "an import only makes new tables: change one of the two" in message


def test_an_import_takes_all_other_keys() -> None:
    job = kind_of(
        RestoreJob,
        engine="import",
        verify="count",
        to_={"existing": "refuse", "keys": {"hash": HASH}, "kms_key": "alias/orders"},
    )

    assert (job.engine, job.write, job.segments, job.verify) == ("import", Share(0.25), "auto", "count")


def test_an_unreadable_engine_is_not_taken_for_an_import() -> None:
    message = errors_of(RestoreJob, engine="Import", write="unlimited", to_={"existing": "allow"})

    assert message.startswith("orders: 1 error\n")
