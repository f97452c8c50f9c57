from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import stored_backups
from dynamodb_copy.errors import BackupRefusedError, TableError, TargetRefusedError
from dynamodb_copy.formats.manifest import TableSettings
from dynamodb_copy.job import DrillJob, RestoreJob
from dynamodb_copy.phases.forecasting_restores import RestoreForecast, forecast_drill, forecast_restore
from job_texts import OBJECTIVES, kind_of
from stored_backups import EXPORT, TABLE_ARN, item_of, write_backup
from unit.memory_bucket import MemoryBucket
from unit.phases.memory_context import MemoryContext, OneTable

PLACE = {"s3": "s3://backups/nightly"}
DESCRIPTION: dict[str, Any] = {
    "TableName": "orders",
    "TableArn": TABLE_ARN,
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 8},
}
KMS = {"SSEDescription": {"SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}}
LOCAL_INDEX = {"LocalSecondaryIndexes": [{"IndexName": "by_total"}]}
OTHER_KEY = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}]}
CONSISTENT = datetime(2025, 11, 25, 2, 0, 4, 120_000, tzinfo=UTC)


Backed = Callable[..., MemoryBucket]


@pytest.fixture
def backed(monkeypatch: pytest.MonkeyPatch) -> Backed:
    """Makes a bucket with a backup of some items, of a table like the one above but for this."""

    def made(items: int = 100, *, value: str = "", **description: Any) -> MemoryBucket:
        monkeypatch.setattr(stored_backups, "SETTINGS", TableSettings(DESCRIPTION | description, None, ()))
        bucket = MemoryBucket()
        write_backup(bucket, [[item_of(number, value) for number in range(items)]])
        return bucket

    return made


def context_of(job: RestoreJob | DrillJob, bucket: MemoryBucket, *, target: Any = None, age: int = 60) -> MemoryContext:
    moment = (CONSISTENT + timedelta(seconds=age)).timestamp()
    return MemoryContext(job, "cli/1", lambda *_: OneTable(target), wall=lambda: moment, stored=bucket)


def restore_of(
    bucket: MemoryBucket, *, target: Any = None, as_of: datetime | None = None, **job: Any
) -> RestoreForecast:
    made = kind_of(RestoreJob, from_=PLACE, **job)
    return forecast_restore(context_of(made, bucket, target=target), as_of)


def drill_of(bucket: MemoryBucket, *, age: int = 60, **objectives: str) -> RestoreForecast:
    made = kind_of(DrillJob, from_=PLACE, drill=OBJECTIVES | objectives)
    return forecast_drill(context_of(made, bucket, age=age))


def test_a_restore_is_forecast_by_what_its_backup_says(backed: Backed) -> None:
    bucket = backed()

    forecast = restore_of(bucket, write={"units": 50}, segments=3)

    size = sum(len(f'{{"id":{{"S":"{number:03}"}},"value":{{"S":""}}}}') for number in range(100))
    assert forecast == RestoreForecast(
        id=EXPORT.id,
        uri=f"s3://backups/{EXPORT.folder}",
        consistent=CONSISTENT.isoformat(),
        age_seconds=60.0,
        table=TABLE_ARN,
        items=100,
        bytes=size,
        target="us-west-2/orders",
        creates_target=True,
        segments=3,
        seconds=2.0,
        write_units=100.0,
        notes=["segments: 3, as the job says"],
    )


def test_a_table_that_would_be_created_is_as_fast_as_the_one_that_was_backed_up(backed: Backed) -> None:
    bucket = backed()

    assert restore_of(bucket, write={"share": 0.5}).seconds == 100 / 4
    assert restore_of(bucket, write="unlimited").seconds is None


def test_a_table_that_exists_is_as_fast_as_it_is(backed: Backed) -> None:
    bucket = backed()
    there = DESCRIPTION | {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 200}}

    forecast = restore_of(bucket, target=there, to_={"existing": "allow"}, write={"share": 0.5})

    assert (forecast.creates_target, forecast.seconds) == (False, 1.0)


def test_large_items_take_several_units_each(backed: Backed) -> None:
    bucket = backed(10, value="x" * 2000)

    assert restore_of(bucket).write_units == 20.0


def test_an_import_uses_no_capacity_and_has_no_segments(backed: Backed) -> None:
    bucket = backed()

    forecast = restore_of(bucket, engine="import")

    assert (forecast.segments, forecast.seconds, forecast.write_units) == (0, None, 0.0)
    assert forecast.notes == ["engine: import: the service makes the table, and no write capacity is used"]


def test_a_prefix_without_a_backup_is_refused() -> None:
    with pytest.raises(
        BackupRefusedError, match=r"from\.s3: s3://backups/nightly holds no sealed full backup; correct"
    ):
        restore_of(MemoryBucket())


def test_a_moment_before_the_first_backup_is_refused(backed: Backed) -> None:
    bucket = backed()

    with pytest.raises(
        BackupRefusedError, match=r"holds no full backup at or before 2025-11-25T02:00:03\.120000\+00:00"
    ):
        restore_of(bucket, as_of=CONSISTENT - timedelta(seconds=1))


def test_a_damaged_backup_that_is_passed_over_is_named(backed: Backed) -> None:
    bucket = backed()
    newer = replace(EXPORT, id="01768385939999-00000000")
    bucket.put(f"{newer.folder}/manifest-summary.json", b"{}")

    notes = restore_of(bucket).notes

    assert len(notes) == 2
    assert notes[1].startswith(f"passed over: s3://backups/{newer.folder}/manifest-summary.json: ")


def test_a_missing_part_is_refused(backed: Backed) -> None:
    bucket = backed()
    bucket.delete([key for key in bucket.contents if "/data/" in key])

    with pytest.raises(BackupRefusedError, match="is missing; use another backup"):
        restore_of(bucket)


@pytest.mark.parametrize(
    ("description", "target", "job", "message"),
    [
        (KMS, None, {}, "to.kms_key"),
        ({}, DESCRIPTION | OTHER_KEY, {}, "has the keys"),
        (LOCAL_INDEX, None, {"engine": "import"}, "no local secondary indexes"),
        ({}, DESCRIPTION, {"engine": "import"}, "ImportTable only makes new tables"),
    ],
)
def test_what_a_run_would_refuse_is_refused(
    backed: Backed, description: dict[str, Any], target: dict[str, Any] | None, job: dict[str, Any], message: str
) -> None:
    bucket = backed(**description)

    with pytest.raises((TableError, TargetRefusedError), match=message):
        restore_of(bucket, target=target, **job)


def test_a_drill_is_forecast_as_the_restore_into_its_scratch_table(backed: Backed) -> None:
    bucket = backed()

    forecast = drill_of(bucket)

    assert (forecast.id, forecast.items, forecast.creates_target) == (EXPORT.id, 100, True)
    assert forecast.target == "a scratch table in us-west-2"
    assert len(forecast.notes) == 1


def test_a_drill_of_more_than_it_may_restore_is_refused(backed: Backed) -> None:
    bucket = backed()

    with pytest.raises(BackupRefusedError, match=r"drill.max_bytes: .* holds 3,\d{3} bytes, allowed are 3,000; raise"):
        drill_of(bucket, max_bytes="3KB")


@pytest.mark.parametrize(("age", "notes"), [(3600, 1), (3601, 2)])
def test_a_backup_that_is_too_old_for_the_objective_is_noted(backed: Backed, age: int, notes: int) -> None:
    bucket = backed()

    forecast = drill_of(bucket, age=age, rpo="1h")

    assert len(forecast.notes) == notes
    assert ("drill.rpo: the backup is older than 1:00:00" in forecast.notes[-1]) is (notes == 2)


def test_nothing_is_written(backed: Backed) -> None:
    bucket = backed()
    before = dict(bucket.contents)
    context = context_of(kind_of(DrillJob, from_=PLACE), bucket)

    forecast_drill(context)

    assert bucket.contents == before
    assert set(context.remembered.requests) == {"get"}
