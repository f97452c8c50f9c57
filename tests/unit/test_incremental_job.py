from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dynamodb_copy.job import (
    Changes,
    IncrementalBackupJob,
    IncrementalJob,
    Index,
    Job,
    Keep,
    S3At,
    Share,
    Units,
    Unlimited,
)
from dynamodb_copy.model import TableRef
from job_texts import errors_of, kind_of

KINDS = (IncrementalJob, IncrementalBackupJob)
STAGING = "s3://staging/orders"
ATTRIBUTE = {"by": "attribute", "attribute": "updated_at", "format": "epoch_millis"}


def test_the_shortest_incremental_copy_has_sensible_defaults() -> None:
    job = kind_of(IncrementalJob)

    assert (job.copy_, job.base, job.staging, job.staged_at, job.bucket_owner) == (
        "incremental",
        "scan",
        None,
        None,
        None,
    )
    assert (job.read, job.write, job.consistent, job.segments) == (Share(0.25), Share(0.25), True, "auto")
    assert (job.verify, job.run_for, job.ttl) == ("changed", timedelta(hours=1), "mirror")
    assert (job.target.kms_key, job.target.existing, job.target.mirror) == (None, "refuse", False)


def test_the_shortest_incremental_backup_has_sensible_defaults() -> None:
    job = kind_of(IncrementalBackupJob)

    assert (job.copy_, job.base, job.full_every, job.keep) == ("incremental", "scan", None, None)
    assert (job.read, job.consistent, job.segments, job.bucket_owner) == (Share(0.25), True, "auto", None)
    assert job.target.kms_key is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_shortest_changes_have_sensible_defaults(kind: type[IncrementalJob | IncrementalBackupJob]) -> None:
    changes = kind_of(kind).changes

    assert (changes.by, changes.attribute, changes.format, changes.index) == ("stream", None, None, None)
    assert (changes.overlap, changes.enable, changes.on_gap) == (timedelta(minutes=5), False, "fail")


def test_incremental_jobs_name_their_places() -> None:
    copy, backup = kind_of(IncrementalJob), kind_of(IncrementalBackupJob)

    assert copy.source.ref == backup.source.ref == TableRef("orders", "us-east-1", "aws_virginia")
    assert copy.target.ref == TableRef("orders", "us-west-2", "aws_oregon")
    assert backup.target.where == "us-west-2/s3://dr-backups/orders"


def test_every_key_reaches_the_incremental_copy() -> None:
    job = kind_of(
        IncrementalJob,
        to_={"kms_key": "alias/orders", "existing": "allow"},
        changes={"by": "stream", "enable": True, "on_gap": "full"},
        base="export",
        staging=STAGING,
        bucket_owner="123456789012",
        read={"units": 500},
        write="unlimited",
        segments=16,
        verify="none",
        schedule="continuous",
        run_for="30m",
        ttl="skip",
    )

    assert (job.target.kms_key, job.target.existing) == ("alias/orders", "allow")
    assert job.changes == Changes(by="stream", enable=True, on_gap="full")
    assert (job.base, job.staging, job.bucket_owner) == ("export", STAGING, "123456789012")
    assert (job.read, job.write, job.segments, job.verify) == (Units(500.0), Unlimited(), 16, "none")
    assert (job.is_continuous, job.run_for, job.ttl) == (True, timedelta(minutes=30), "skip")


def test_every_key_reaches_the_incremental_backup() -> None:
    job = kind_of(
        IncrementalBackupJob,
        to_={"kms_key": "alias/backups"},
        changes={"by": "stream", "on_gap": "full"},
        base="export",
        full_every="7d",
        segments=16,
        keep={"full": 4, "days": 35},
        bucket_owner="123456789012",
    )

    assert job.changes == Changes(by="stream", on_gap="full")
    assert (job.target.kms_key, job.base, job.full_every) == ("alias/backups", "export", timedelta(days=7))
    assert (job.segments, job.keep) == (16, Keep(full=4, days=35))
    assert kind_of(IncrementalBackupJob, read={"units": 500}).read == Units(500.0)
    assert job.bucket_owner == "123456789012"


def test_every_key_reaches_the_changes_by_attribute() -> None:
    index = {"name": "by_update", "partitions": ["open", "paid"]}

    changes = kind_of(IncrementalJob, changes={**ATTRIBUTE, "index": index, "overlap": "10m"}).changes

    assert (changes.by, changes.attribute, changes.format) == ("attribute", "updated_at", "epoch_millis")
    assert changes.index == Index(name="by_update", partitions=("open", "paid"))
    assert changes.overlap == timedelta(minutes=10)


@pytest.mark.parametrize("written", ["epoch_seconds", "epoch_millis", "iso8601"])
def test_an_attribute_tells_the_time_in_three_formats(written: str) -> None:
    assert kind_of(IncrementalJob, changes={**ATTRIBUTE, "format": written}).changes.format == written


def test_a_run_need_not_go_back_behind_the_last_one() -> None:
    assert kind_of(IncrementalJob, changes={**ATTRIBUTE, "overlap": "0s"}).changes.overlap == timedelta(0)


@pytest.mark.parametrize("verify", ["none", "changed"])
def test_a_copy_is_checked_by_what_changed_by_all_or_not_at_all(verify: str) -> None:
    assert kind_of(IncrementalJob, verify=verify).verify == verify


@pytest.mark.parametrize(
    "changes",
    [{"changes": {"by": "export"}}, {"base": "export"}, {"base": "export", "changes": ATTRIBUTE}],
)
def test_exports_are_put_in_the_targets_region_over_its_connection(changes: dict[str, Any]) -> None:
    job = kind_of(IncrementalJob, staging=STAGING, **changes)

    assert job.staged_at == S3At(s3=STAGING, region="us-west-2", connection="aws_oregon")


@pytest.mark.parametrize(("by", "base"), [("stream", "scan"), ("stream", "export"), ("export", "export")])
def test_a_chain_by_stream_may_take_its_fulls_either_way(by: str, base: str) -> None:
    job = kind_of(IncrementalBackupJob, changes={"by": by}, base=base)

    assert (job.changes.by, job.base) == (by, base)


def test_windows_of_exports_begin_with_an_export_unless_said_otherwise() -> None:
    assert kind_of(IncrementalBackupJob, changes={"by": "export"}).base == "export"
    assert kind_of(IncrementalJob, changes={"by": "export"}, staging=STAGING).base == "export"
    assert kind_of(IncrementalJob).base == "scan"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "changes: found nothing; allowed: a mapping with keys of by, attribute, format, index, overlap"),
        ("stream", 'changes: found "stream"; allowed: a mapping with keys of by, attribute'),
        ({}, "changes.by: found nothing; allowed: stream or export or attribute"),
        ({"by": "trigger"}, 'changes.by: found "trigger"; allowed: stream or export or attribute'),
        ({"by": "stream", "enable": "yes"}, 'changes.enable: found "yes"; allowed: true or false'),
        ({"by": "stream", "on_gap": "stop"}, 'changes.on_gap: found "stop"; allowed: fail or full'),
        ({"by": "stream", "on_gap": None}, "changes.on_gap: found nothing; allowed: fail or full"),
        ({"by": "stream", "attribut": "x"}, "changes.attribut: unknown key; allowed here: by, attribute, format"),
        ({"by": "stream", "attribute": None}, "changes.attribute: found nothing; allowed: an attribute's name"),
        ({**ATTRIBUTE, "attribute": 7}, "changes.attribute: found 7; allowed: an attribute's name"),
        ({**ATTRIBUTE, "format": "iso"}, 'changes.format: found "iso"; allowed: epoch_seconds or epoch_millis or'),
        ({**ATTRIBUTE, "overlap": 5}, "changes.overlap: found 5; allowed: a duration of 0s to 365d"),
        ({**ATTRIBUTE, "overlap": "-5m"}, 'changes.overlap: found "-5m"; allowed: a duration of 0s to 365d'),
        ({**ATTRIBUTE, "index": None}, "changes.index: found nothing; allowed: a mapping"),
        ({**ATTRIBUTE, "index": "by_update"}, "allowed: a mapping with keys of name, partitions"),
        ({**ATTRIBUTE, "index": {"name": "by_update"}}, "changes.index.partitions: found nothing; allowed: a list"),
        ({**ATTRIBUTE, "index": {"partitions": ["a"]}}, "changes.index.name: found nothing; allowed: an index's name"),
        (
            {**ATTRIBUTE, "index": {"name": "by_update", "partitions": []}},
            "changes.index.partitions: found []; allowed: at least one partition",
        ),
        (
            {**ATTRIBUTE, "index": {"name": "by_update", "partitions": ["a", 1]}},
            "changes.index.partitions[1]: found 1; allowed: a text",
        ),
        (
            {**ATTRIBUTE, "index": {"name": "by_update", "partitions": [""]}},
            'changes.index.partitions[0]: found ""; allowed: a text of 1 to 2048 characters',
        ),
    ],
)
def test_other_changes_are_refused_with_what_is_allowed(written: object, says: str) -> None:
    message = errors_of(IncrementalJob, changes=written)

    assert message.startswith("orders: 1 error\n")
    assert says in message


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        (IncrementalJob, {"base": "import"}, 'base: found "import"; allowed: scan or export'),
        (IncrementalJob, {"verify": "count"}, 'verify: found "count"; allowed: none or changed'),
        (IncrementalJob, {"ttl": "delete"}, 'ttl: found "delete"; allowed: mirror or skip'),
        (IncrementalJob, {"ttl": None}, "ttl: found nothing; allowed: mirror or skip"),
        (IncrementalJob, {"schedule": "continuous", "run_for": None}, "run_for: found nothing; allowed: a duration"),
        (IncrementalJob, {"schedule": "continuous", "run_for": 30}, "add the unit, as in 30s or 30m"),
        (IncrementalJob, {"base": "export", "staging": None}, "staging: found nothing; allowed: a bucket, or better"),
        (IncrementalJob, {"staging": None}, "staging: found nothing; allowed: a bucket, or better a prefix"),
        (IncrementalJob, {"base": "export", "staging": "staging/orders"}, 'staging: found "staging/orders"'),
        (IncrementalJob, {"base": "export", "staging": STAGING, "bucket_owner": 1}, "bucket_owner: found 1"),
        (IncrementalJob, {"to_": {"existing": True}}, "to.existing: found true; allowed: refuse or allow"),
        (IncrementalBackupJob, {"base": None}, "base: found nothing; allowed: scan or export"),
        (IncrementalBackupJob, {"full_every": 7}, "full_every: found 7; allowed: a duration of 1s to 365d"),
        (IncrementalBackupJob, {"full_every": "0s"}, 'full_every: found "0s"; allowed: a duration of 1s'),
        (IncrementalBackupJob, {"keep": {}}, "keep: found {}; allowed: at least one of full and days"),
        (IncrementalBackupJob, {"keep": None}, "keep: found nothing; allowed: a mapping"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(kind: type[Job], changes: dict[str, Any], says: str) -> None:
    message = errors_of(kind, **changes)

    assert message.startswith("orders: 1 error\n")
    assert says in message


@pytest.mark.parametrize(
    "changes",
    [
        {"changes": {"by": "strem"}, "staging": STAGING, "ttl": "skip", "schedule": "continuous"},
        {"changes": {"by": "strem", "attribute": "a", "index": {"name": "by_update", "partitions": ["a"]}}},
        {"base": "dump", "staging": STAGING, "bucket_owner": "123456789012"},
        {"schedule": "sometimes", "run_for": "2h"},
        {"schedule": "continuous", "timeout": "always", "run_for": "9h"},
        {"base": "export", "staging": "staging", "bucket_owner": "123456789012"},
    ],
)
def test_what_cannot_be_known_for_an_unreadable_key_is_not_complained_about(changes: dict[str, Any]) -> None:
    assert errors_of(IncrementalJob, **changes).startswith("orders: 1 error\n")


@pytest.mark.parametrize("run_for", ["1m", "119m"])
def test_a_run_without_pause_ends_before_it_is_stopped(run_for: str) -> None:
    job = kind_of(IncrementalJob, schedule="continuous", timeout="2h", run_for=run_for)

    assert job.run_for < job.timeout


def test_a_run_with_an_end_of_its_own_may_have_any_timeout() -> None:
    assert kind_of(IncrementalJob, schedule="@daily", timeout="5m").timeout == timedelta(minutes=5)


def test_a_run_without_pause_may_begin_and_end_once_and_lag_only_so_much() -> None:
    job = kind_of(IncrementalJob, schedule="continuous", start="2026-12-01", end="2027-12-01", late_after="2m")

    assert (job.schedule, job.every, job.is_continuous) == ("continuous", None, True)
    assert job.late_after == timedelta(minutes=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", ["manual", "every 15m", "@hourly", "0 2 * * *"])
def test_all_other_schedules_have_a_pause(kind: type[IncrementalJob | IncrementalBackupJob], schedule: str) -> None:
    assert not kind_of(kind, schedule=schedule).is_continuous


@pytest.mark.parametrize("kind", KINDS)
def test_not_to_catch_up_may_be_written(kind: type[Job]) -> None:
    assert not kind_of(kind, schedule="@daily", catch_up=False).catch_up
