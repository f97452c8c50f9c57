"""The fake of the service's incremental exports, before an emulator."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamodb_copy.formats.dynamodb_json import canonical_item
from integration.pair import SOURCE_REGION, Side, close_clients, impatient_client, item_of, key_of
from integration.service_jobs import switch_recovery
from stack.fault_proxy import FaultProxy
from stack.native_exports import NativeExports

pytestmark = pytest.mark.integration

QUARTER, DAY = 15 * 60, 24 * 3600
BOTH = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


class Increments:
    """A table with a stream and recovery, and a bucket; the fake's clock can be put forward."""

    def __init__(self, endpoint: str, name: str, **asked: int) -> None:
        self.ahead = 0.0
        self.exports = NativeExports(endpoint, now=self.now, **asked)
        self.proxy = FaultProxy(endpoint, *self.exports.rules())
        self.name, self.bucket = name, name.replace("table", "bucket")

    def now(self) -> float:
        """By the fake's clock, in epoch seconds."""
        return time.time() + self.ahead

    def create(self, **definition: Any) -> None:
        """Make the table and the bucket."""
        self.table.create(**{"StreamSpecification": BOTH, **definition})
        switch_recovery(self.table, on=True)
        self.start = int(self.now())
        self.s3.create_bucket(Bucket=self.bucket)

    @property
    def table(self) -> Side:
        """Behind the fake."""
        return Side(self.proxy.endpoint, SOURCE_REGION, self.name)

    @property
    def s3(self) -> Any:
        """A stock client."""
        return impatient_client(self.proxy.endpoint, SOURCE_REGION, "s3")

    def begun(self, start: float | None = None, end: float | None = None, **asked: Any) -> dict[str, Any]:
        """Ask for an export of a window, by default of everything until now."""
        ends = {"ExportFromTime": self.start if start is None else start, "ExportToTime": end}
        specification = {name: moment for name, moment in ends.items() if moment is not None}
        view = asked.pop("view", {})
        request = {
            "TableArn": self.table.description()["TableArn"],
            "S3Bucket": self.bucket,
            "ExportType": "INCREMENTAL_EXPORT",
            "IncrementalExportSpecification": {**specification, **view},
            **asked,
        }
        shown: dict[str, Any] = self.table.client.export_table_to_point_in_time(**request)["ExportDescription"]
        return shown

    def exported(self, start: float | None = None, end: float | None = None, **asked: Any) -> dict[str, Any]:
        """Ask for an export, and look until it has ended."""
        arn = self.begun(start, end, **asked)["ExportArn"]
        shown: dict[str, Any] = {}
        for _ in range(2):
            shown = self.table.client.describe_export(ExportArn=arn)["ExportDescription"]
        assert shown["ExportStatus"] == "COMPLETED"
        return shown

    def refusal(self, start: float | None = None, end: float | None = None, **asked: Any) -> tuple[str, str]:
        """The code and the text of the error."""
        with pytest.raises(ClientError) as caught:
            self.begun(start, end, **asked)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def read(self, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def changes(self, shown: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines of an export, by its manifests, in the order of the items' ids."""
        manifest = self.read(json.loads(self.read(shown["ExportManifest"]))["manifestFilesS3Key"])
        parts = [json.loads(line)["dataFileS3Key"] for line in manifest.splitlines()]
        lines = [json.loads(line) for part in parts for line in gzip.decompress(self.read(part)).splitlines()]
        return sorted(lines, key=lambda line: str(line["Keys"]["id"]["S"]))


def wire_item(number: int, **changes: Any) -> dict[str, Any]:
    """The item of that number as the wire has it."""
    packed = base64.b64encode(number.to_bytes(3, "big")).decode()
    return canonical_item(item_of(number, packed={"B": packed}, **changes))


def images(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what tells when."""
    shown = ("OldImage", "NewImage")
    return [{name: canonical_item(change[name]) for name in shown if name in change} for change in changes]


def at_the_next_second() -> int:
    """Wait for it, and return it."""
    turn = int(time.time()) + 1
    time.sleep(max(0.0, turn - time.time()))
    return turn


@pytest.fixture
def bare(ministack_endpoint: str, table_name: str) -> Iterator[Increments]:
    """Without a table."""
    made = Increments(ministack_endpoint, table_name, least_window_seconds=1)
    with made.proxy:
        yield made
        close_clients(made.proxy.endpoint)


@pytest.fixture
def strict(ministack_endpoint: str, table_name: str) -> Iterator[Increments]:
    """With a table whose windows must be as long as AWS has them."""
    made = Increments(ministack_endpoint, table_name)
    with made.proxy:
        made.create()
        yield made
        close_clients(made.proxy.endpoint)


@pytest.fixture
def made(bare: Increments) -> Increments:
    """With an empty one."""
    bare.create()
    return bare


def test_a_window_holds_what_was_written_in_it_and_the_next_one_what_followed(made: Increments) -> None:
    made.table.fill([0, 1, 2])
    turn = at_the_next_second()
    made.table.put(item_of(1, note={"S": "changed"}))
    made.table.delete(2)
    made.table.fill([3])
    made.table.delete(3)
    end = at_the_next_second()

    first, second = made.exported(made.start, turn), made.exported(turn, end)

    assert images(made.changes(first)) == [{"NewImage": wire_item(number)} for number in (0, 1, 2)]
    assert images(made.changes(second)) == [
        {"OldImage": wire_item(1), "NewImage": wire_item(1, note={"S": "changed"})},
        {"OldImage": wire_item(2)},
    ]
    assert (first["ItemCount"], second["ItemCount"]) == (3, 2)
    assert [change["Keys"] for change in made.changes(second)] == [key_of(1), key_of(2)]


def test_a_line_tells_when_its_item_was_written_within_the_window(made: Increments) -> None:
    made.table.fill([0])
    end = at_the_next_second()

    (change,) = made.changes(made.exported(made.start, end))

    assert list(change) == ["Metadata", "Keys", "NewImage"]
    micros = int(change["Metadata"]["WriteTimestampMicros"]["N"])
    assert made.start * 1_000_000 <= micros < end * 1_000_000


def test_new_images_alone_are_exported_as_asked(made: Increments) -> None:
    made.table.fill([0, 1])
    turn = at_the_next_second()
    made.table.put(item_of(0, note={"S": "changed"}))
    made.table.delete(1)
    made.ahead = 60

    shown = made.exported(turn, turn + 30, view={"ExportViewType": "NEW_IMAGE"})

    assert images(made.changes(shown)) == [{"NewImage": wire_item(0, note={"S": "changed"})}, {}]
    assert shown["IncrementalExportSpecification"]["ExportViewType"] == "NEW_IMAGE"
    assert json.loads(made.read(shown["ExportManifest"]))["outputView"] == "NEW_IMAGE"


def test_an_export_is_described_by_its_window(made: Increments) -> None:
    made.ahead = QUARTER

    shown = made.exported(made.start, made.start + 60, S3Prefix="changes", ClientToken="window-1")

    folder = shown["ExportArn"].rpartition("/")[2]
    assert shown["ExportType"] == "INCREMENTAL_EXPORT"
    assert shown["IncrementalExportSpecification"] == {
        "ExportFromTime": datetime.fromtimestamp(made.start, UTC),
        "ExportToTime": datetime.fromtimestamp(made.start + 60, UTC),
        "ExportViewType": "NEW_AND_OLD_IMAGES",
    }
    assert "ExportTime" not in shown
    assert shown["ExportManifest"] == f"changes/AWSDynamoDB/{folder}/manifest-summary.json"
    assert (shown["ItemCount"], shown["BilledSizeBytes"]) == (0, 10_000_000)


def test_the_objects_are_where_and_what_the_manifests_say(made: Increments) -> None:
    made.table.fill(range(5))
    made.ahead = QUARTER

    shown = made.exported(end=made.start + 60, S3Prefix="changes")

    summary = json.loads(made.read(shown["ExportManifest"]))
    lines = [json.loads(line) for line in made.read(summary["manifestFilesS3Key"]).splitlines()]
    assert (summary["version"], summary["itemCount"]) == ("2023-08-01", 5)
    assert sum(line["itemCount"] for line in lines) == 5
    for line in lines:
        assert re.fullmatch(r"changes/AWSDynamoDB/data/[a-z2-7]{26}\.json\.gz", line["dataFileS3Key"])
        content = made.read(line["dataFileS3Key"])
        assert base64.b64decode(line["md5Checksum"]) == hashlib.md5(content, usedforsecurity=False).digest()


def test_without_an_end_a_window_ends_now(made: Increments) -> None:
    made.ahead = QUARTER

    shown = made.exported()

    ends = shown["IncrementalExportSpecification"]
    assert made.start + QUARTER <= ends["ExportToTime"].timestamp() <= made.now()


def test_a_longer_stream_than_a_page_is_read_to_its_end(made: Increments) -> None:
    for number in range(4):
        made.table.put(item_of(number, note={"S": "x" * 390_000}))
    made.ahead = QUARTER

    assert made.exported()["ItemCount"] == 4


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (-DAY, DAY // 2, "cannot be less than the table creation time"),
        (0, 2 * DAY + 60, "to time cannot be greater than the current time"),
        (60, 60, "should not be greater or equal to"),
        (61, 60, "should not be greater or equal to"),
        (0, QUARTER - 1, "is less than 15 minutes"),
        (0, DAY + 1, "is greater than 24 hours"),
    ],
)
def test_a_window_that_the_service_does_not_take_is_refused(
    strict: Increments, start: int, end: int, text: str
) -> None:
    strict.ahead = 2 * DAY

    code, message = strict.refusal(strict.start + start, strict.start + end)

    assert (code, strict.exports.started) == ("InvalidExportTimeException", [])
    assert text in message


@pytest.mark.parametrize("length", [QUARTER, DAY])
def test_the_shortest_and_the_longest_window_are_taken(strict: Increments, length: int) -> None:
    strict.ahead = DAY

    assert strict.begun(end=strict.start + length)["ExportStatus"] == "IN_PROGRESS"


def test_recovery_that_was_switched_off_and_on_has_forgotten_what_was_before(made: Increments) -> None:
    made.ahead = 60
    switch_recovery(made.table, on=False)
    while_off = made.refusal(end=made.start + 30)
    switch_recovery(made.table, on=True)
    again = int(made.now())

    code, message = made.refusal(end=made.start + 30)

    made.ahead = 120
    assert while_off[0] == "PointInTimeRecoveryUnavailableException"
    assert (code, message) == (
        "InvalidExportTimeException",
        "Incremental export period from time is outside of the point in time recovery window",
    )
    assert made.begun(again, again + 30)["ExportStatus"] == "IN_PROGRESS"


def test_recovery_reaches_back_as_far_as_it_was_told(made: Increments) -> None:
    switch = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 2}
    made.table.client.update_continuous_backups(TableName=made.name, PointInTimeRecoverySpecification=switch)
    made.ahead = 3 * DAY

    backups = made.table.client.describe_continuous_backups(TableName=made.name)["ContinuousBackupsDescription"]

    shown = backups["PointInTimeRecoveryDescription"]
    assert shown["RecoveryPeriodInDays"] == 2
    assert shown["EarliestRestorableDateTime"].timestamp() == pytest.approx(made.now() - 2 * DAY, abs=2)
    assert made.refusal(end=made.start + 60)[0] == "InvalidExportTimeException"


@pytest.mark.parametrize("stream", [{"StreamEnabled": False}, {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}])
def test_a_table_without_a_stream_of_both_images_is_the_tests_mistake(bare: Increments, stream: dict[str, Any]) -> None:
    bare.create(StreamSpecification=stream)
    bare.ahead = 60

    code, message = bare.refusal(end=bare.start + 30)

    assert code == "ValidationException"
    assert "NEW_AND_OLD_IMAGES: the test has to enable it" in message
    assert bare.exports.started == []


def test_a_stream_that_was_enabled_within_the_window_is_the_tests_mistake_too(bare: Increments) -> None:
    bare.create(StreamSpecification={"StreamEnabled": False})
    at_the_next_second()
    bare.table.client.update_table(TableName=bare.name, StreamSpecification=BOTH)
    bare.ahead = 60

    assert "after the beginning of the window" in bare.refusal(end=bare.start + 30)[1]


@pytest.mark.parametrize(
    "asked",
    [
        {"IncrementalExportSpecification": {}},
        {"IncrementalExportSpecification": {"ExportViewType": "NEW_IMAGE"}},
        {"ExportType": "FULL_EXPORT"},
    ],
)
def test_a_request_that_contradicts_itself_is_refused(made: Increments, asked: dict[str, Any]) -> None:
    assert made.refusal(**asked)[0] == "ValidationException"
