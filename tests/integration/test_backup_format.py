"""What lies in S3: a backup is a native export to all who read those, and they are backups to us."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from typing import Any

import orjson
import pytest

from arbitrary_items import meaning
from dynamodb_copy.errors import BackupRefusedError, TableError
from dynamodb_copy.formats.manifest_writer import instant
from integration.backups import Store, contents, on_wire, stored, whole_backup, whole_restore
from integration.pair import Pair, item_of
from stack import golden
from stack.golden import put_golden_export
from unit.aws.buckets import Requests

pytestmark = pytest.mark.integration

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def md5_of(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def test_the_summary_has_the_fields_of_a_native_full_export(filled: Pair, store: Store) -> None:
    run = store.backup()
    whole_backup(run)

    (folder,) = store.folders()
    summary, table = store.summary(folder), filled.source.description()
    golden_summary = next(
        orjson.loads(content) for key, content in golden.stored_files().items() if "summary.json" in key
    )
    assert list(summary) == list(golden_summary)
    assert {name: type(value) for name, value in summary.items() if value is not None} == {
        name: type(golden_summary[name]) for name, value in summary.items() if value is not None
    }
    assert re.fullmatch(r"nightly/orders/AWSDynamoDB/\d{14}-[0-9a-f]{8}", folder)
    assert summary["exportArn"] == f"{table['TableArn']}/export/{folder.rpartition('/')[2]}"
    assert (summary["tableArn"], summary["tableId"]) == (table["TableArn"], table["TableId"])
    assert (summary["s3Bucket"], summary["s3Prefix"]) == (store.bucket, store.prefix)
    assert (summary["version"], summary["outputFormat"], summary["itemCount"]) == ("2020-06-30", "DYNAMODB_JSON", 300)
    assert summary["manifestFilesS3Key"] == f"{folder}/manifest-files.json"
    assert all(MOMENT.fullmatch(summary[name]) for name in ("startTime", "endTime", "exportTime"))
    assert summary["exportTime"] == summary["startTime"] == instant(run.plan().planned_at)


@pytest.mark.usefixtures("small_pages")
def test_the_parts_are_what_the_manifest_says_and_nothing_else_lies_beside_them(filled: Pair, store: Store) -> None:
    whole_backup(store.backup(segments=3))

    (folder,) = store.folders()
    parts = store.parts(folder)
    assert [part["dataFileS3Key"] for part in parts] == store.all_keys(f"{folder}/data/")
    assert sum(part["itemCount"] for part in parts) == 300
    held = []
    for part in parts:
        content = store.read(part["dataFileS3Key"])
        head = store.client.head_object(Bucket=store.bucket, Key=part["dataFileS3Key"])
        lines = gzip.decompress(content).splitlines(keepends=True)
        assert list(part) == ["itemCount", "md5Checksum", "etag", "dataFileS3Key"]
        assert (part["md5Checksum"], part["etag"]) == (md5_of(content), head["ETag"].strip('"'))
        assert len(lines) == part["itemCount"]
        assert all(line.startswith(b'{"Item":{') and line.endswith(b"}}\n") for line in lines)
        held += [orjson.loads(line)["Item"] for line in lines]
    assert {meaning(item) for item in held} == contents(filled.source)


def test_the_files_agree_with_their_checksums(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())

    (folder,) = store.folders()
    files = store.contents(folder)
    details, table = orjson.loads(files["backup.json"]), orjson.loads(files["table.json"])
    for name in ("manifest-files", "manifest-summary"):
        assert files[f"{name}.md5"].decode() == md5_of(files[f"{name}.json"])
    assert files["backup.sha256"].decode() == hashlib.sha256(files["backup.json"]).hexdigest()
    assert details["files"] == {
        name: hashlib.sha256(files[name]).hexdigest() for name in ("manifest-files.json", "table.json")
    }
    assert [(part["bytes"], part["sha256"]) for part in details["parts"]] == [
        (len(files[f"data/{part['name']}"]), hashlib.sha256(files[f"data/{part['name']}"]).hexdigest())
        for part in details["parts"]
    ]
    assert (details["id"], details["engine"], details["items"]) == (folder.rpartition("/")[2], "scan", 300)
    assert (table["table"]["TableArn"], table["timeToLive"], table["tags"]) == (
        filled.source.description()["TableArn"],
        None,
        [],
    )


def written_by(requests: Requests, folder: str) -> list[str]:
    """The names of what was put, in the order of the requests."""
    puts = [line.partition("?")[0] for line in requests.lines() if line.startswith("put ")]
    return [put.partition(f"{folder.lower()}/")[2] for put in puts]


def test_the_summary_is_written_last_and_the_parts_before_all_that_tells_of_them(filled: Pair, store: Store) -> None:
    requests = Requests()

    with filled.observed("aws_oregon", rules=[requests.rule()]):
        run = stored(store.backup())
        before_the_seal = len(requests.lines())
        run.seal()

    (folder,) = store.folders()
    names = written_by(requests, folder)
    assert names[:2] == ["_started", "table.json"]
    assert [name.partition("-")[0] for name in names[2:4]] == ["data/0000", "data/0001"]
    assert names[4:] == [
        "manifest-files.json",
        "manifest-files.md5",
        "backup.sha256",
        "backup.json",
        "manifest-summary.md5",
        "manifest-summary.json",
    ]
    of_s3 = [line for line in requests.lines()[before_the_seal:] if line != "post /"]
    assert of_s3[-1].endswith("/manifest-summary.json")
    parts = [head for head in requests.heads if "/data/" in head.partition("\r\n")[0] and head.startswith("put ")]
    assert all("if-none-match: *" in head for head in parts)


def test_import_table_reads_a_backup_as_it_lies_there(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())
    (folder,) = store.folders()
    names = ("KeySchema", "AttributeDefinitions")

    made = filled.target.client.import_table(
        S3BucketSource={"S3Bucket": store.bucket, "S3KeyPrefix": f"{folder}/data/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": filled.table,
            "BillingMode": "PAY_PER_REQUEST",
            **{name: filled.source.description()[name] for name in names},
        },
    )["ImportTableDescription"]

    shown: dict[str, Any] = {}
    while shown.get("ImportStatus", "IN_PROGRESS") == "IN_PROGRESS":
        shown = filled.target.client.describe_import(ImportArn=made["ImportArn"])["ImportTableDescription"]
    assert (shown["ImportStatus"], shown["ImportedItemCount"], shown["ErrorCount"]) == ("COMPLETED", 300, 0)
    assert contents(filled.target) == contents(filled.source)


KEYS = {"hash": {"name": "pk", "type": "S"}, "range": {"name": "sk", "type": "N"}}


@pytest.mark.parametrize("moved", [False, True], ids=["where it was written", "moved"])
def test_a_native_export_is_restored_with_every_type(pair: Pair, store: Store, *, moved: bool) -> None:
    put_golden_export(store.client, store.bucket, store.prefix, moved=moved)

    report = whole_restore(store.restore(to_={"keys": KEYS}))

    assert (report.verdict.outcome, report.items, report.verdict.target_items) == ("equal", 12, 12)
    assert contents(pair.target) == {meaning(item) for item in golden.ITEMS}
    assert pair.target.description()["KeySchema"] == golden.KEY_SCHEMA


def test_a_native_export_fills_a_table_that_exists_without_saying_its_keys(pair: Pair, store: Store) -> None:
    put_golden_export(store.client, store.bucket, store.prefix)
    pair.target.create(AttributeDefinitions=golden.ATTRIBUTE_DEFINITIONS, KeySchema=golden.KEY_SCHEMA)

    assert whole_restore(store.restore()).verdict.outcome == "equal"

    assert len(on_wire(pair.target).items) == 12


def test_a_native_export_needs_the_keys_of_a_table_that_does_not_exist(pair: Pair, store: Store) -> None:
    put_golden_export(store.client, store.bucket, store.prefix)
    run = store.restore()
    run.choose()

    with pytest.raises(TableError, match=r"to\.keys: .*does not describe its table.*give its key: \{hash"):
        run.prepare()

    assert not pair.target.exists()


def test_a_key_that_the_items_do_not_have_is_refused_with_file_and_line(pair: Pair, store: Store) -> None:
    put_golden_export(store.client, store.bucket, store.prefix)
    keys = {"hash": {"name": "gone", "type": "S"}}

    with pytest.raises(BackupRefusedError, match=r"data/[a-z0-9]+\.json\.gz, line 1: .*with the key of the table"):
        whole_restore(store.restore(to_={"keys": keys}))

    assert pair.target.items() == []


def moved_to(other: Store, store: Store) -> None:
    """Copy the only backup, its folder as a whole."""
    (folder,) = store.folders()
    for key in store.all_keys(f"{folder}/"):
        other.write(key.replace(store.prefix, other.prefix, 1), store.read(key))


def test_a_backup_that_was_moved_to_another_bucket_and_prefix_is_restored_unedited(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())
    other = Store(filled, f"{store.bucket}-2", prefix="after/the/move")
    other.create()
    moved_to(other, store)
    store.delete(*store.all_keys())

    report = whole_restore(other.restore())

    assert report.verdict.outcome == "equal"
    assert contents(filled.target) == contents(filled.source)
    assert report.source.startswith(f"s3://{other.bucket}/after/the/move/AWSDynamoDB/")


def test_a_moved_backup_never_reads_parts_of_the_place_that_it_left(filled: Pair, store: Store) -> None:
    whole_backup(store.backup())
    other = Store(filled, store.bucket, prefix="after/the/move")
    moved_to(other, store)
    (folder,) = other.folders()
    other.delete(*other.all_keys(f"{folder}/data/")[:1])

    with pytest.raises(BackupRefusedError, match=rf"{folder}/data/.*is missing"):
        whole_restore(other.restore())

    assert not filled.target.exists()


def test_the_newest_of_native_exports_and_backups_is_restored(filled: Pair, store: Store) -> None:
    whole_backup(store.backup("older"))
    filled.source.put(item_of(300))
    whole_backup(store.backup("newer"))
    store.write(f"{store.prefix}/AWSDynamoDB/99999999999999-00000000/_started", b"")  # an export that has not ended
    store.write(f"{store.prefix}/AWSDynamoDB/data/part-of-an-incremental.json.gz", b"")
    incremental = orjson.dumps({"version": "2023-08-01", "exportFromTime": "2026-01-01T00:00:00.000Z"})
    store.write(f"{store.prefix}/AWSDynamoDB/99999999999999-00000001/manifest-summary.json", incremental)

    assert whole_restore(store.restore()).items == 301
