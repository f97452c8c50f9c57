"""The fake of the service's imports, before an emulator, and the golden export in S3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stack import golden
from stack.emulators import boto_client
from stack.fault_proxy import FaultProxy
from stack.golden import ATTRIBUTE_DEFINITIONS, EXPORT, KEY_SCHEMA, put_golden_export
from stack.native_imports import NativeImports

pytestmark = pytest.mark.integration

REGION = "us-east-1"
ITEM_LINE = b'{"Item":{"pk":{"S":"%s"},"sk":{"N":"1"}}}\n'


class ImportedTable:
    """A table that does not exist yet; its imports end when one looks for the second time."""

    def __init__(self, imports: NativeImports, endpoint: str, name: str) -> None:
        self.imports, self.name = imports, name
        self.client = boto_client(endpoint, "dynamodb", REGION)

    def start(self, bucket: str, prefix: str, *, run: int = 1, **parameters: Any) -> dict[str, Any]:
        """Ask for an import of gzip files."""
        table = {
            "TableName": self.name,
            "AttributeDefinitions": ATTRIBUTE_DEFINITIONS,
            "KeySchema": KEY_SCHEMA,
            "BillingMode": "PAY_PER_REQUEST",
            **parameters,
        }
        shown: dict[str, Any] = self.client.import_table(
            ClientToken=f"run-{run}",
            S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": prefix},
            InputFormat="DYNAMODB_JSON",
            InputCompressionType="GZIP",
            TableCreationParameters=table,
        )["ImportTableDescription"]
        return shown

    def look(self, arn: str) -> dict[str, Any]:
        """As DescribeImport shows it."""
        shown: dict[str, Any] = self.client.describe_import(ImportArn=arn)["ImportTableDescription"]
        return shown

    def imported(self, bucket: str, prefix: str, **parameters: Any) -> dict[str, Any]:
        """Ask for an import and look until it has ended."""
        arn = self.start(bucket, prefix, **parameters)["ImportArn"]
        self.look(arn)
        return self.look(arn)

    def description(self) -> dict[str, Any]:
        """As DescribeTable shows it."""
        shown: dict[str, Any] = self.client.describe_table(TableName=self.name)["Table"]
        return shown

    def keys(self) -> set[tuple[str, str]]:
        """Of all items."""
        items = self.client.scan(TableName=self.name)["Items"]
        return {(item["pk"]["S"], item["sk"]["N"]) for item in items}


@pytest.fixture
def table(ministack_endpoint: str, table_name: str) -> Iterator[ImportedTable]:
    imports = NativeImports(ministack_endpoint)
    with FaultProxy(ministack_endpoint, *imports.rules()) as proxy:
        table = ImportedTable(imports, proxy.endpoint, table_name)
        yield table
        table.client.close()


@pytest.fixture
def s3(ministack_endpoint: str) -> Any:
    return boto_client(ministack_endpoint, "s3", REGION)


@pytest.fixture
def bucket(s3: Any, table_name: str) -> str:
    name = table_name.replace("table", "bucket")
    s3.create_bucket(Bucket=name)
    return name


def counters(shown: dict[str, Any]) -> tuple[int, int, int]:
    return shown["ProcessedItemCount"], shown["ImportedItemCount"], shown["ErrorCount"]


def codes(shown: dict[str, Any]) -> tuple[str, str | None]:
    return shown["ImportStatus"], shown.get("FailureCode")


def test_the_golden_export_is_imported_whole(table: ImportedTable, s3: Any, bucket: str) -> None:
    folder = put_golden_export(s3, bucket, "nightly")

    shown = table.imported(bucket, f"{folder}/data/")

    assert codes(shown) == ("COMPLETED", None)
    assert counters(shown) == (12, 12, 0)
    assert shown["ProcessedSizeBytes"] == sum(
        len(gzip.decompress(content)) for key, content in golden.stored_files().items() if key.endswith(".gz")
    )
    assert table.keys() == {(item["pk"]["S"], item["sk"]["N"]) for item in golden.ITEMS}
    found = table.client.get_item(TableName=table.name, Key={"pk": {"S": "documents"}, "sk": {"N": "0"}})["Item"]
    assert found["binary"] == {"B": bytes([0, 1, 2, 3, 4, 255, 254])}


def test_until_it_ends_an_import_counts_nothing_and_its_table_is_being_created(
    table: ImportedTable, s3: Any, bucket: str
) -> None:
    started = table.start(bucket, put_golden_export(s3, bucket, None) + "/data/")
    looked = table.look(started["ImportArn"])
    meanwhile = table.description()
    ended = table.look(started["ImportArn"])

    assert started == looked
    assert (codes(looked), counters(looked)) == (("IN_PROGRESS", None), (0, 0, 0))
    assert looked.keys().isdisjoint({"EndTime", "ProcessedSizeBytes"})
    assert meanwhile["TableStatus"] == "CREATING"
    assert table.description()["TableStatus"] == "ACTIVE"
    assert ended["EndTime"] >= ended["StartTime"]
    assert ended["TableId"] == meanwhile["TableId"]


def test_the_table_gets_its_indexes(table: ImportedTable, s3: Any, bucket: str) -> None:
    index = {
        "IndexName": "by-sk",
        "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }

    table.imported(bucket, put_golden_export(s3, bucket, None) + "/data/", GlobalSecondaryIndexes=[index])

    assert table.description()["GlobalSecondaryIndexes"][0]["IndexName"] == "by-sk"


def test_an_existing_table_is_refused_whatever_the_token(table: ImportedTable, bucket: str) -> None:
    table.imported(bucket, "nothing/")

    for run in (1, 2):
        with pytest.raises(ClientError, match="ResourceInUseException"):
            table.start(bucket, "nothing/", run=run)
    assert len(table.imports.started) == 1


def test_the_same_token_while_it_runs_is_the_same_import(table: ImportedTable, bucket: str) -> None:
    first = table.start(bucket, "nothing/")
    again = table.start(bucket, "elsewhere/")

    assert again == first
    assert table.imports.started == [first["ImportArn"]]


def test_the_same_token_for_another_table_conflicts(table: ImportedTable, bucket: str) -> None:
    table.start(bucket, "nothing/")

    with pytest.raises(ClientError, match="ImportConflictException"):
        table.start(bucket, "nothing/", TableName=f"{table.name}-2")


def test_a_bad_line_abandons_the_rest_of_its_object_alone(table: ImportedTable, s3: Any, bucket: str) -> None:
    bad = ITEM_LINE % b"a" + b'{"NoItem":{}}\n' + ITEM_LINE % b"b"
    s3.put_object(Bucket=bucket, Key="x/1", Body=gzip.compress(bad))
    s3.put_object(Bucket=bucket, Key="x/2", Body=gzip.compress(b"\n" + ITEM_LINE % b"c"))

    shown = table.imported(bucket, "x/")

    assert codes(shown) == ("FAILED", "ItemValidationError")
    assert counters(shown) == (3, 2, 1)
    assert table.keys() == {("a", "1"), ("c", "1")}


def test_an_item_that_does_not_fit_the_table_is_skipped(table: ImportedTable, s3: Any, bucket: str) -> None:
    content = b'{"Item":{"pk":{"S":"no range key"}}}\n' + ITEM_LINE % b"a"
    s3.put_object(Bucket=bucket, Key="x/1", Body=gzip.compress(content))

    shown = table.imported(bucket, "x/")

    assert codes(shown) == ("FAILED", "ItemValidationError")
    assert counters(shown) == (2, 1, 1)


def test_the_folder_of_the_manifests_is_not_importable(table: ImportedTable, s3: Any, bucket: str) -> None:
    shown = table.imported(bucket, put_golden_export(s3, bucket, None))

    assert codes(shown) == ("FAILED", "ItemValidationError")
    assert counters(shown) == (16, 12, 4)


def test_a_missing_bucket_fails_the_import_and_leaves_no_table(table: ImportedTable) -> None:
    shown = table.imported("bucket-that-nobody-made", "x/")

    assert codes(shown) == ("FAILED", "S3NoSuchBucket")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        table.description()
    assert table.start("bucket-that-nobody-made", "x/") == shown


def test_a_prefix_without_objects_gives_an_empty_table(table: ImportedTable, bucket: str) -> None:
    shown = table.imported(bucket, "nothing/")

    assert (codes(shown), counters(shown)) == (("COMPLETED", None), (0, 0, 0))
    assert table.keys() == set()


def test_imports_that_ended_are_listed_page_by_page_the_newest_first(table: ImportedTable, bucket: str) -> None:
    arns = []
    for run in range(2):
        arns.append(table.start(bucket, "nothing/", run=run)["ImportArn"])
        table.look(arns[-1])
        table.look(arns[-1])
        table.client.delete_table(TableName=table.name)
    table.start(bucket, "nothing/", run=2)

    first = table.client.list_imports(PageSize=1)
    second = table.client.list_imports(PageSize=1, NextToken=first["NextToken"])

    summaries = [*first["ImportSummaryList"], *second["ImportSummaryList"]]
    assert [summary["ImportArn"] for summary in summaries] == arns[::-1]
    assert {summary["ImportStatus"] for summary in summaries} == {"COMPLETED"}
    assert "NextToken" not in second


def test_the_warm_throughput_of_an_index_is_refused(table: ImportedTable, bucket: str) -> None:
    index = {
        "IndexName": "by-sk",
        "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
        "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000},
    }

    with pytest.raises(ClientError, match="WarmThroughput is not supported on Global Secondary Indexes"):
        table.start(bucket, "nothing/", GlobalSecondaryIndexes=[index])

    assert table.imports.started == []


def test_an_unknown_import_is_refused(table: ImportedTable) -> None:
    with pytest.raises(ClientError, match="ImportNotFoundException"):
        table.look(f"arn:aws:dynamodb:{REGION}:123456789012:table/{table.name}/import/01772530200417-5d0c8a2e")


def test_a_moved_export_still_names_the_place_that_it_left(s3: Any, bucket: str) -> None:
    folder = put_golden_export(s3, bucket, "copied/to/here", moved=True)

    assert folder == f"copied/to/here/AWSDynamoDB/{EXPORT.id}"
    for path, content in golden.stored_files().items():
        assert s3.get_object(Bucket=bucket, Key=f"copied/to/here/{path}")["Body"].read() == content
    summary = json.loads(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest-summary.json")["Body"].read())
    assert summary["manifestFilesS3Key"].startswith("nightly/observations/")


def test_an_export_put_anywhere_names_its_own_place(s3: Any, bucket: str) -> None:
    folder = put_golden_export(s3, bucket, "anywhere")

    summary = json.loads(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest-summary.json")["Body"].read())
    manifest = s3.get_object(Bucket=bucket, Key=summary["manifestFilesS3Key"])["Body"].read()
    assert (summary["s3Bucket"], summary["s3Prefix"]) == (bucket, "anywhere")
    for line in map(json.loads, manifest.splitlines()):
        head = s3.head_object(Bucket=bucket, Key=line["dataFileS3Key"])
        assert head["ETag"] == f'"{line["etag"]}"'
