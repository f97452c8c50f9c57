from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.job import BackupJob, Keep, Share, Units
from dynamodb_copy.model import TableRef
from job_texts import errors_of, kind_of


def test_the_shortest_backup_has_sensible_defaults() -> None:
    job = kind_of(BackupJob)

    assert (job.copy_, job.engine, job.read, job.consistent, job.segments) == (
        "full",
        "scan",
        Share(0.25),
        False,
        "auto",
    )
    assert (job.keep, job.bucket_owner, job.target.kms_key) == (None, None, None)


def test_a_backup_names_its_table_and_its_place() -> None:
    job = kind_of(BackupJob)

    assert job.source.ref == TableRef("orders", "us-east-1", "aws_virginia")
    assert (job.target.bucket, job.target.prefix) == ("dr-backups", "orders")
    assert (job.target.region, job.target.connection) == ("us-west-2", "aws_oregon")


def test_every_key_reaches_the_backup() -> None:
    job = kind_of(
        BackupJob,
        to_={"kms_key": "alias/backups"},
        engine="scan",
        read={"units": 500},
        consistent=True,
        segments=16,
        keep={"full": 14, "days": 35},
        bucket_owner="123456789012",
    )

    assert (job.engine, job.read, job.consistent, job.segments) == ("scan", Units(500.0), True, 16)
    assert (job.keep, job.bucket_owner) == (Keep(full=14, days=35), "123456789012")
    assert job.target.kms_key == "alias/backups"


@pytest.mark.parametrize(
    ("written", "full", "days"),
    [({"full": 1}, 1, None), ({"days": 1}, None, 1), ({"full": 10_000, "days": 36_500}, 10_000, 36_500)],
)
def test_what_stays_is_said_by_number_by_age_or_by_both(written: object, full: int | None, days: int | None) -> None:
    keep = kind_of(BackupJob, keep=written).keep

    assert keep is not None
    assert (keep.full, keep.days) == (full, days)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({}, "keep: found {}; allowed: at least one of full and days; add one, or delete keep"),
        (None, "keep: found nothing; allowed: a mapping; fill it in, or delete the key"),
        (14, "keep: found 14; allowed: a mapping with keys of full, days"),
        ({"full": 0}, "keep.full: found 0; allowed: a whole number, 1 to 10000"),
        ({"full": -1}, "keep.full: found -1"),
        ({"full": 1.5}, "keep.full: found 1.5"),
        ({"full": "14"}, 'keep.full: found "14"; allowed: a whole number, 1 to 10000; remove the quotes'),
        ({"full": True}, "keep.full: found true"),
        ({"full": None}, "keep.full: found nothing"),
        ({"days": 0}, "keep.days: found 0; allowed: a whole number, 1 to 36500"),
        ({"days": 36_501}, "keep.days: found 36501"),
        ({"days": "35d"}, 'keep.days: found "35d"'),
        ({"day": 35}, "keep.day: unknown key; allowed here: full, days; did you mean days?"),
    ],
)
def test_other_ways_to_keep_backups_are_refused(written: object, says: str) -> None:
    assert says in errors_of(BackupJob, keep=written)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"engine": "dump"}, 'engine: found "dump"; allowed: scan or export; write one of these'),
        ({"engine": None}, "engine: found nothing; allowed: scan or export"),
        ({"copy": "whole"}, 'copy: found "whole"; allowed: full or incremental; write one of these'),
        ({"to_": {"region": None}}, "to.region: found nothing; allowed: an AWS region"),
        ({"to_": {"connection": None}}, "to.connection: found nothing; allowed: the name of a connection"),
        ({"to_": {"kms_key": "my key"}}, "to.kms_key: found"),
        ({"to_": {"s3": None}}, "to.s3: found nothing; allowed: a bucket, or better a prefix in it"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(changes: dict[str, Any], says: str) -> None:
    assert says in errors_of(BackupJob, **changes)


@pytest.mark.parametrize(
    ("key", "value"),
    [("read", {"share": 0.25}), ("read", "unlimited"), ("consistent", False), ("segments", "auto"), ("segments", 4)],
)
def test_an_export_takes_no_keys_of_a_scan(key: str, value: object) -> None:
    message = errors_of(BackupJob, engine="export", **{key: value})

    assert message.startswith("orders: 1 error\n")
    assert f"{key}: found " in message
    assert "allowed: only with engine: scan; an export reads no capacity: remove this key, or scan" in message


def test_all_keys_that_an_export_cannot_use_are_named_at_once() -> None:
    message = errors_of(BackupJob, engine="export", read="unlimited", consistent=True, segments=2)

    assert message.startswith("orders: 3 errors\n")


def test_an_export_takes_all_other_keys() -> None:
    job = kind_of(BackupJob, engine="export", keep={"days": 35}, to_={"kms_key": "alias/b"}, parallel=1)

    assert (job.engine, job.read, job.consistent, job.segments) == ("export", Share(0.25), False, "auto")


def test_an_unreadable_engine_is_not_taken_for_an_export() -> None:
    message = errors_of(BackupJob, engine="Export", read="unlimited")

    assert message.startswith("orders: 1 error\n")
