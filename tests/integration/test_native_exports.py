"""The fake of the service's exports, before an emulator."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamodb_copy.formats.dynamodb_json import canonical_item
from fakes import StoppedClock
from integration.pair import item_of
from stack.emulators import boto_client
from stack.fault_proxy import FaultProxy
from stack.native_exports import NativeExports

pytestmark = pytest.mark.integration

REGION = "us-east-1"
NEIGHBOUR = "210987654321"
BEGINNING = 1_800_000_000.25  # epoch seconds
HOUR, DAY = 3600, 24 * 3600


class ExportedTable:
    """A table of three items whose exports end when one looks for the second time."""

    def __init__(self, exports: NativeExports, endpoint: str, name: str, clock: StoppedClock) -> None:
        self.exports, self.name, self.clock = exports, name, clock
        self.client = boto_client(endpoint, "dynamodb", REGION)
        self.client.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.description = self.client.describe_table(TableName=name)["Table"]
        self.put(0, 1, 2)

    def put(self, *numbers: int) -> None:
        """Put items of these numbers."""
        for number in numbers:
            self.client.put_item(TableName=self.name, Item=item_of(number))

    def switch_recovery(self, *, on: bool) -> None:
        """Switch point-in-time recovery."""
        switch = {"PointInTimeRecoveryEnabled": on}
        self.client.update_continuous_backups(TableName=self.name, PointInTimeRecoverySpecification=switch)

    def recovery(self) -> dict[str, Any]:
        """As DescribeContinuousBackups shows it."""
        backups = self.client.describe_continuous_backups(TableName=self.name)["ContinuousBackupsDescription"]
        shown: dict[str, Any] = backups["PointInTimeRecoveryDescription"]
        return shown

    def export(self, bucket: str, **asked: Any) -> dict[str, Any]:
        """Ask for an export."""
        request = {"TableArn": self.description["TableArn"], "S3Bucket": bucket, **asked}
        shown: dict[str, Any] = self.client.export_table_to_point_in_time(**request)["ExportDescription"]
        return shown

    def look(self, arn: str) -> dict[str, Any]:
        """As DescribeExport shows it."""
        shown: dict[str, Any] = self.client.describe_export(ExportArn=arn)["ExportDescription"]
        return shown

    def exported(self, bucket: str, **asked: Any) -> dict[str, Any]:
        """Ask for an export and look until it has ended."""
        arn = self.export(bucket, **asked)["ExportArn"]
        self.clock.pass_by(368)
        self.look(arn)
        return self.look(arn)

    def refusal(self, bucket: str, **asked: Any) -> str:
        """The code of the error."""
        with pytest.raises(ClientError) as caught:
            self.export(bucket, **asked)
        return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def unprotected(ministack_endpoint: str, table_name: str) -> Iterator[ExportedTable]:
    """A table without point-in-time recovery."""
    clock = StoppedClock()
    exports = NativeExports(ministack_endpoint, now=lambda: BEGINNING + clock.now())
    with FaultProxy(ministack_endpoint, *exports.rules()) as proxy:
        table = ExportedTable(exports, proxy.endpoint, table_name, clock)
        yield table
        table.client.close()


@pytest.fixture
def table(unprotected: ExportedTable) -> ExportedTable:
    """One whose recovery is on since a day."""
    unprotected.switch_recovery(on=True)
    unprotected.clock.pass_by(DAY)
    return unprotected


@pytest.fixture
def bucket(ministack_endpoint: str, table_name: str) -> Bucket:
    """An empty bucket."""
    return Bucket(ministack_endpoint, table_name.replace("table", "bucket"))


class Bucket:
    """A bucket at the emulator."""

    def __init__(self, endpoint: str, name: str, **account: str) -> None:
        self.client = boto_client(endpoint, "s3", REGION, **account)
        self.name = name
        self.client.create_bucket(Bucket=name)

    def all_keys(self) -> list[str]:
        """Of all objects."""
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def read(self, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def lines(self, summary_key: str) -> list[dict[str, Any]]:
        """Of the manifest that a summary leads to."""
        manifest = self.read(json.loads(self.read(summary_key))["manifestFilesS3Key"])
        return [json.loads(line) for line in manifest.splitlines()]

    def items(self, summary_key: str) -> list[dict[str, Any]]:
        """All that an export holds, in the order of the items' `id`."""
        contents = [gzip.decompress(self.read(line["dataFileS3Key"])) for line in self.lines(summary_key)]
        items = [json.loads(line)["Item"] for content in contents for line in content.splitlines()]
        return sorted(map(canonical_item, items), key=lambda item: str(item["id"]))


def wire_item(number: int) -> dict[str, Any]:
    """The item of that number as the wire has it."""
    packed = base64.b64encode(number.to_bytes(3, "big")).decode()
    return canonical_item(item_of(number, packed={"B": packed}))


def test_without_recovery_there_is_no_export(unprotected: ExportedTable, bucket: Bucket) -> None:
    code = unprotected.refusal(bucket.name)

    assert code == "PointInTimeRecoveryUnavailableException"
    assert unprotected.exports.started == []
    assert bucket.all_keys() == []


def test_a_missing_table_is_named(table: ExportedTable, bucket: Bucket) -> None:
    assert table.refusal(bucket.name, TableArn=table.description["TableArn"] + "-gone") == "TableNotFoundException"


@pytest.mark.parametrize("seconds", [-DAY - 1, 1])
def test_a_time_outside_the_window_is_refused(table: ExportedTable, bucket: Bucket, seconds: int) -> None:
    moment = int(BEGINNING) + DAY + seconds

    assert table.refusal(bucket.name, ExportTime=moment) == "InvalidExportTimeException"


@pytest.mark.parametrize("seconds", [-DAY, 0])
def test_a_time_inside_the_window_is_that_of_the_export(table: ExportedTable, bucket: Bucket, seconds: int) -> None:
    moment = int(BEGINNING) + DAY + seconds

    shown = table.exported(bucket.name, ExportTime=moment)

    assert shown["ExportTime"] == datetime.fromtimestamp(moment, UTC)
    summary = json.loads(bucket.read(shown["ExportManifest"]))
    assert datetime.fromisoformat(summary["exportTime"]) == datetime.fromtimestamp(moment, UTC)


def test_the_window_is_shown_and_never_longer_than_35_days(unprotected: ExportedTable) -> None:
    assert "EarliestRestorableDateTime" not in unprotected.recovery()

    unprotected.switch_recovery(on=True)
    unprotected.clock.pass_by(HOUR)
    early = unprotected.recovery()
    unprotected.clock.pass_by(40 * DAY)
    late = unprotected.recovery()

    beginning = int(BEGINNING)
    assert early["EarliestRestorableDateTime"].timestamp() == beginning
    assert early["LatestRestorableDateTime"].timestamp() == beginning + HOUR - 300
    assert late["EarliestRestorableDateTime"].timestamp() == beginning + HOUR + 5 * DAY


def test_switching_recovery_off_and_on_begins_a_new_window(table: ExportedTable, bucket: Bucket) -> None:
    table.switch_recovery(on=False)
    table.switch_recovery(on=True)

    assert table.refusal(bucket.name, ExportTime=int(BEGINNING) + DAY - 1) == "InvalidExportTimeException"


def test_the_same_request_again_starts_nothing(table: ExportedTable, bucket: Bucket) -> None:
    first = table.export(bucket.name, ClientToken="run-1")
    again = table.export(bucket.name, ClientToken="run-1")
    table.look(first["ExportArn"])
    table.look(first["ExportArn"])
    late = table.export(bucket.name, ClientToken="run-1")

    assert first["ExportArn"] == again["ExportArn"] == late["ExportArn"]
    assert late["ExportStatus"] == "COMPLETED"
    assert table.exports.started == [first["ExportArn"]]


def test_the_same_request_many_times_at_once_starts_one_export(table: ExportedTable, bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        exports = list(pool.map(lambda _: table.export(bucket.name, ClientToken="run-1"), range(8)))

    assert {export["ExportArn"] for export in exports} == set(table.exports.started)
    assert len(table.exports.started) == 1


def test_another_token_starts_another_export(table: ExportedTable, bucket: Bucket) -> None:
    arns = [table.export(bucket.name)["ExportArn"] for _ in range(2)]

    assert table.exports.started == arns
    assert len(set(arns)) == 2


def test_another_request_with_the_same_token_conflicts(table: ExportedTable, bucket: Bucket) -> None:
    table.export(bucket.name, ClientToken="run-1")

    assert table.refusal(bucket.name, ClientToken="run-1", S3Prefix="elsewhere") == "ExportConflictException"
    assert len(table.exports.started) == 1


def test_a_token_is_forgotten_after_eight_hours(table: ExportedTable, bucket: Bucket) -> None:
    table.export(bucket.name, ClientToken="run-1")
    table.clock.pass_by(8 * HOUR)
    table.export(bucket.name, ClientToken="run-1")

    assert len(table.exports.started) == 2


def test_a_refused_request_does_not_take_its_token(unprotected: ExportedTable, bucket: Bucket) -> None:
    assert unprotected.refusal(bucket.name, ClientToken="run-1") == "PointInTimeRecoveryUnavailableException"
    unprotected.switch_recovery(on=True)

    assert unprotected.export(bucket.name, ClientToken="run-1", S3Prefix="x")["ExportStatus"] == "IN_PROGRESS"


def test_an_export_in_progress_has_begun_and_promises_nothing(table: ExportedTable, bucket: Bucket) -> None:
    started = table.export(bucket.name, S3Prefix="nightly", ClientToken="run-1")
    looked = table.look(started["ExportArn"])

    folder = started["ExportArn"].rpartition("/")[2]
    assert re.fullmatch(r"\d{14}-[0-9a-f]{8}", folder)
    assert bucket.all_keys() == [f"nightly/AWSDynamoDB/{folder}/_started"]
    assert looked == {
        "ExportArn": f"{table.description['TableArn']}/export/{folder}",
        "ExportStatus": "IN_PROGRESS",
        "StartTime": datetime.fromtimestamp(BEGINNING + DAY, UTC),
        "TableArn": table.description["TableArn"],
        "TableId": table.description["TableId"],
        "ExportTime": datetime.fromtimestamp(BEGINNING + DAY, UTC),
        "ClientToken": "run-1",
        "S3Bucket": bucket.name,
        "S3Prefix": "nightly",
        "S3SseAlgorithm": "AES256",
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
    }


def test_a_completed_export_adds_its_end_and_its_manifest(table: ExportedTable, bucket: Bucket) -> None:
    shown = table.exported(bucket.name, S3Prefix="nightly")

    folder = shown["ExportArn"].rpartition("/")[2]
    assert shown["ExportStatus"] == "COMPLETED"
    assert shown["EndTime"] == datetime.fromtimestamp(BEGINNING + DAY + 368, UTC)
    assert shown["ExportManifest"] == f"nightly/AWSDynamoDB/{folder}/manifest-summary.json"
    assert shown["ItemCount"] == 3
    assert shown["BilledSizeBytes"] > 0


def test_a_completed_export_holds_the_table_as_it_was_at_the_start(table: ExportedTable, bucket: Bucket) -> None:
    arn = table.export(bucket.name)["ExportArn"]
    table.put(3)
    table.look(arn)
    shown = table.look(arn)

    assert bucket.items(shown["ExportManifest"]) == [wire_item(number) for number in (0, 1, 2)]


def test_the_objects_are_what_the_manifest_says(table: ExportedTable, bucket: Bucket) -> None:
    lines = bucket.lines(table.exported(bucket.name)["ExportManifest"])

    assert sorted(line["itemCount"] for line in lines) == [0, 1, 1, 1]
    for line in lines:
        content = bucket.read(line["dataFileS3Key"])
        assert base64.b64decode(line["md5Checksum"]) == hashlib.md5(content, usedforsecurity=False).digest()
        head = bucket.client.head_object(Bucket=bucket.name, Key=line["dataFileS3Key"])
        assert head["ETag"] == f'"{line["etag"]}"'


def test_a_table_of_several_pages_is_exported_whole(table: ExportedTable, bucket: Bucket) -> None:
    for number in range(3, 7):
        table.client.put_item(TableName=table.name, Item=item_of(number, note={"S": "x" * 390_000}))

    shown = table.exported(bucket.name)

    assert shown["ItemCount"] == 7
    assert len(bucket.items(shown["ExportManifest"])) == 7


def test_the_asked_encryption_is_that_of_all_objects(table: ExportedTable, bucket: Bucket) -> None:
    shown = table.exported(bucket.name, S3SseAlgorithm="KMS", S3SseKmsKeyId="alias/backups")

    heads = [bucket.client.head_object(Bucket=bucket.name, Key=key) for key in bucket.all_keys()]
    assert {(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads} == {("aws:kms", "alias/backups")}
    summary = json.loads(bucket.read(shown["ExportManifest"]))
    assert (summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == ("KMS", "alias/backups")
    assert (shown["S3SseAlgorithm"], shown["S3SseKmsKeyId"]) == ("KMS", "alias/backups")


def test_a_missing_bucket_fails_the_export_later(table: ExportedTable) -> None:
    started = table.export("bucket-that-nobody-made")
    shown = [table.look(started["ExportArn"]) for _ in range(2)]

    assert [look["ExportStatus"] for look in (started, *shown)] == ["IN_PROGRESS", "IN_PROGRESS", "FAILED"]
    assert shown[1]["FailureCode"] == "S3NoSuchBucket"
    assert "bucket does not exist" in shown[1]["FailureMessage"]
    assert "ExportManifest" not in shown[1]


def test_another_accounts_bucket_needs_its_owner(
    table: ExportedTable, ministack_endpoint: str, table_name: str
) -> None:
    bucket = Bucket(ministack_endpoint, table_name.replace("table", "neighbour"), account=NEIGHBOUR)

    without = table.exported(bucket.name)
    named = table.exported(bucket.name, S3BucketOwner=NEIGHBOUR)

    assert (without["ExportStatus"], without["FailureCode"]) == ("FAILED", "S3AccessDenied")
    assert (named["ExportStatus"], named["S3BucketOwner"]) == ("COMPLETED", NEIGHBOUR)
    assert len(bucket.items(named["ExportManifest"])) == 3


def test_one_export_fails_as_told(table: ExportedTable, bucket: Bucket) -> None:
    table.exports.fail_next("InternalServerError", "Try again")

    failed = table.exported(bucket.name)
    completed = table.exported(bucket.name)

    assert failed["ExportStatus"] == "FAILED"
    assert (failed["FailureCode"], failed["FailureMessage"]) == ("InternalServerError", "Try again")
    folder = failed["ExportArn"].rpartition("/")[2]
    assert [key for key in bucket.all_keys() if folder in key] == [f"AWSDynamoDB/{folder}/_started"]
    assert completed["ExportStatus"] == "COMPLETED"


def test_exports_are_listed_page_by_page_those_that_run_too(table: ExportedTable, bucket: Bucket) -> None:
    arns = [table.exported(bucket.name)["ExportArn"], *[table.export(bucket.name)["ExportArn"] for _ in range(2)]]
    asked = {"TableArn": table.description["TableArn"], "MaxResults": 2}

    first = table.client.list_exports(**asked)
    second = table.client.list_exports(**asked, NextToken=first["NextToken"])
    of_others = table.client.list_exports(TableArn=table.description["TableArn"] + "-2")

    summaries = [*first["ExportSummaries"], *second["ExportSummaries"]]
    assert len(first["ExportSummaries"]) == 2
    assert "NextToken" not in second
    assert [summary["ExportArn"] for summary in summaries] == sorted(arns)
    assert sorted(summary["ExportStatus"] for summary in summaries) == ["COMPLETED", "IN_PROGRESS", "IN_PROGRESS"]
    assert of_others["ExportSummaries"] == []


def test_an_unknown_export_is_refused(table: ExportedTable) -> None:
    with pytest.raises(ClientError, match="ExportNotFoundException"):
        table.look(f"{table.description['TableArn']}/export/01772530200417-5d0c8a2e")


@pytest.mark.parametrize("asked", [{"ExportFormat": "ION"}, {"ExportType": "INCREMENTAL_EXPORT"}])
def test_what_the_fake_does_not_know_is_refused(table: ExportedTable, bucket: Bucket, asked: dict[str, str]) -> None:
    assert table.refusal(bucket.name, **asked) == "ValidationException"
