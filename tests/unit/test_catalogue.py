"""Which backups there are, and what is refused before one is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from dynamodb_copy.catalogue import Backup, Entry, check_parts_are_there, entries, newest, open_backup
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats import manifest
from dynamodb_copy.formats.dynamodb_json import canonical_item
from dynamodb_copy.model import KeySchema, Put
from stack import golden
from stack.native_layout import Export, written_export
from stored_backups import EXPORT, SETTINGS, TABLE_ARN, item_of, read_back, source_of, write_backup
from unit.memory_bucket import MemoryBucket

FOLDER = EXPORT.folder
ITEMS = [item_of(number) for number in range(20)]
OTHER_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/customers"
DAY = 86_400
INCREMENTAL = {
    "version": "2023-08-01",
    "exportFromTime": "2026-11-25T02:00:00.000Z",
    "exportToTime": "2026-11-25T03:00:00.000Z",
    "outputView": "NEW_AND_OLD_IMAGES",
    "tableArn": TABLE_ARN,
    "tableId": "6f1f7a52",
    "itemCount": 5,
}
"""The summary of an export of changes."""


def export_of(day: int, **changes: Any) -> Export:
    """One that was made on that day."""
    at = EXPORT.exported_at + day * DAY
    made = replace(EXPORT, id=f"{int(at * 1000):014d}-efd1a093", exported_at=at, started_at=at, ended_at=at + 60)
    return replace(made, **changes)


def moment_of(day: int) -> datetime:
    return datetime.fromtimestamp(EXPORT.exported_at + day * DAY, UTC)


def backup_in_memory() -> tuple[MemoryBucket, str]:
    """A bucket with one backup of two parts, and the root hash that is remembered of it."""
    bucket = MemoryBucket()
    return bucket, write_backup(bucket, [ITEMS[:12], ITEMS[12:]]).root


def opened(bucket: MemoryBucket, root: str | None = None, folder: str = FOLDER) -> Backup:
    return open_backup(bucket, folder, lambda _: root)


def refusal_of(bucket: MemoryBucket, root: str | None = None, folder: str = FOLDER) -> str:
    with pytest.raises(BackupRefusedError) as refused:
        read_back(bucket, folder, root)
    return str(refused.value)


def edit(bucket: MemoryBucket, name: str, change: Callable[[bytes], bytes], *checksums: str) -> None:
    """Change one of a backup's files, and write these checksums anew."""
    key = f"{FOLDER}/{name}"
    bucket.contents[key] = content = change(bucket.contents[key])
    for checksum in checksums:
        made = manifest.sha256_of(content) if checksum.endswith("sha256") else manifest.md5_of(content)
        bucket.contents[f"{FOLDER}/{checksum}"] = made.encode()


def edit_json(bucket: MemoryBucket, name: str, *checksums: str, **values: Any) -> None:
    """Change values of one of a backup's files, and write these checksums anew."""
    edit(bucket, name, lambda content: orjson.dumps({**orjson.loads(content), **values}), *checksums)


def test_backups_and_exports_below_a_prefix_are_found_by_id() -> None:
    bucket = MemoryBucket()
    write_backup(bucket, [ITEMS], export_of(2))
    bucket.contents |= written_export(export_of(0), [ITEMS[:3], []])
    write_backup(bucket, [ITEMS], export_of(1, prefix="weekly"))

    found = entries(bucket, "nightly")

    assert [(entry.id, entry.kind, entry.items) for entry in found] == [
        (export_of(0).id, "full", 3),
        (export_of(2).id, "full", 20),
    ]
    assert [entry.consistent for entry in found] == [moment_of(0), moment_of(2)]
    assert {entry.table_arn for entry in found} == {TABLE_ARN}
    assert [entry.folder for entry in entries(bucket, "weekly")] == [export_of(1, prefix="weekly").folder]


def test_a_prefix_may_be_the_whole_bucket_or_hold_nothing() -> None:
    bucket = MemoryBucket()
    write_backup(bucket, [ITEMS], replace(EXPORT, prefix=None))

    assert [entry.id for entry in entries(bucket, "")] == [EXPORT.id]
    assert entries(bucket, "nightly") == []


def test_the_data_of_incremental_exports_beside_the_folders_is_no_backup() -> None:
    bucket = MemoryBucket({"nightly/AWSDynamoDB/data/abc.json.gz": b""})

    assert entries(bucket, "nightly") == []


@pytest.mark.parametrize(
    ("summary", "kind"),
    [
        (None, "unsealed"),
        ({"version": "2023-08-01", "exportFromTime": "2026-11-25T02:00:00.000Z"}, "damaged"),
        (INCREMENTAL, "incremental"),
        ({**INCREMENTAL, "outputView": "KEYS_ONLY"}, "damaged"),
        ({"version": "2023-08-01"}, "damaged"),
        ({"version": "2020-06-30", "outputFormat": "ION"}, "damaged"),
        ({"version": "2020-06-30"}, "damaged"),
        (b"", "damaged"),
        (b"{", "damaged"),
    ],
)
def test_a_folder_that_is_no_full_backup_hides_no_other(summary: Any, kind: str) -> None:
    bucket = MemoryBucket()
    write_backup(bucket, [ITEMS], export_of(1))
    folder = export_of(0).folder
    bucket.put(f"{folder}/_started", b"")
    if summary is not None:
        content = summary if isinstance(summary, bytes) else orjson.dumps(summary)
        bucket.put(f"{folder}/manifest-summary.json", content)

    found = entries(bucket, "nightly")

    assert [(entry.folder, entry.kind) for entry in found] == [(folder, kind), (export_of(1).folder, "full")]
    assert (f"s3://backups/{folder}/manifest-summary.json: " in found[0].problem) == (kind == "damaged")
    with pytest.raises(BackupRefusedError, match=f"{folder}: is {kind}; a full backup that is sealed is needed"):
        _ = found[0].items


def test_a_summary_that_cannot_be_read_hides_no_other_backup() -> None:
    bucket = MemoryBucket()
    for day in (0, 1):
        write_backup(bucket, [ITEMS], export_of(day))

    def archived(verb: str, key: str) -> None:
        if verb == "read" and key.startswith(export_of(0).folder):
            raise BackupRefusedError(f"s3://backups/{key}: InvalidObjectState: the object is archived")

    bucket.step = archived
    found = entries(bucket, "nightly")

    assert [entry.kind for entry in found] == ["damaged", "full"]
    assert "the object is archived" in found[0].problem


def test_a_summary_of_more_than_a_manifest_can_have_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamodb_copy.catalogue.FILE_BYTES", 1000)
    bucket = MemoryBucket({f"{FOLDER}/manifest-summary.json": b" " * 1001})

    assert [entry.kind for entry in entries(bucket, "nightly")] == ["damaged"]


def full(day: int, arn: str = TABLE_ARN) -> Entry:
    """An entry of the catalogue."""
    moment = moment_of(day).isoformat()
    return Entry(export_of(day).folder, "full", manifest.Summary(arn, "id", moment, 1, {}))


@pytest.mark.parametrize(
    ("until", "expected"),
    [(None, 3), (moment_of(3), 3), (moment_of(2), 1), (moment_of(1), 1), (moment_of(0), None)],
)
def test_the_newest_is_the_one_that_is_consistent_last_up_to_a_moment(
    until: datetime | None, expected: int | None
) -> None:
    found = newest([full(3), full(1)], until=until)

    assert (None if found is None else found.folder) == (None if expected is None else export_of(expected).folder)


def test_the_newest_is_the_latest_by_its_moment_and_not_by_its_name() -> None:
    late, early = replace(full(5), folder="a/0"), replace(full(1), folder="a/9")

    assert newest([late, early]) == late


def test_of_two_of_one_moment_the_later_id_is_the_newest() -> None:
    one, other = replace(full(1), folder="a/1"), replace(full(1), folder="a/2")

    assert newest([one, other]) == newest([other, one]) == other


def test_what_is_not_full_is_never_the_newest() -> None:
    assert newest([Entry("a/1", "unsealed"), Entry("a/2", "damaged"), Entry("a/3", "incremental")]) is None
    assert newest([]) is None


def test_backups_of_several_tables_below_one_prefix_are_refused_also_when_one_is_too_late() -> None:
    with pytest.raises(BackupRefusedError, match=r"backups of 2 tables .*customers, .*orders.*prefix of its own"):
        newest([full(1), full(9, OTHER_ARN)], until=moment_of(2))


def test_a_backup_is_opened_with_all_that_its_files_say() -> None:
    bucket, root = backup_in_memory()

    backup = opened(bucket, root)

    assert (backup.id, backup.uri, backup.root) == (EXPORT.id, f"s3://backups/{FOLDER}", root)
    assert backup.consistent == moment_of(0).replace(microsecond=120_000)
    assert [part.items for part in backup.files] == [12, 8]
    assert backup.details is not None
    assert (backup.details.items, backup.details.engine, backup.details.id) == (20, "scan", EXPORT.id)
    assert backup.table == SETTINGS


def test_the_parts_of_a_backup_have_the_sizes_that_it_says() -> None:
    bucket, _ = backup_in_memory()
    backup = opened(bucket)

    sizes = list(check_parts_are_there(backup))

    assert sizes == [len(bucket.contents[backup.key_of(part.name)]) for part in backup.files]


def test_a_backup_of_an_empty_table_is_whole() -> None:
    bucket = MemoryBucket()
    root = write_backup(bucket, [[], []]).root

    assert opened(bucket, root).files == ()
    assert read_back(bucket, FOLDER, root) == []


def test_the_root_hash_is_asked_for_by_the_backups_id() -> None:
    bucket, root = backup_in_memory()

    backup = open_backup(bucket, FOLDER, {EXPORT.id: root}.get)

    assert backup.root == root


@pytest.mark.parametrize("checksum", ["md5", "checksum"])
def test_a_native_export_is_opened_with_either_name_of_its_checksums(checksum: str) -> None:
    files = written_export(EXPORT, [ITEMS[:12], ITEMS[12:], []])
    bucket = MemoryBucket({key.replace(".md5", f".{checksum}"): content for key, content in files.items()})

    backup = opened(bucket)

    assert (backup.details, backup.table) == (None, None)
    assert sorted(read_back(bucket, FOLDER), key=str) == ITEMS


def test_the_golden_export_is_read_wherever_it_was_moved() -> None:
    bucket = MemoryBucket({f"moved/{path}": content for path, content in golden.stored_files().items()})
    (found,) = entries(bucket, "moved")

    backup = opened(bucket, folder=found.folder)

    assert len(list(check_parts_are_there(backup))) == 4
    source = source_of(backup, KeySchema("pk", "sk"), 3)
    pages = [page for segment in source.segments() for page in source.pages(segment, None)]
    items = [change.item for page in pages for change in page.changes if isinstance(change, Put)]
    assert sorted(map(canonical_item, items), key=repr) == sorted(map(canonical_item, golden.ITEMS), key=repr)


@pytest.mark.parametrize("prefix", ["", "archive/", "a/b/c/"])
def test_a_backup_that_was_moved_as_a_whole_is_read_unedited(prefix: str) -> None:
    here, root = backup_in_memory()
    there = MemoryBucket({prefix + key.removeprefix("nightly/"): content for key, content in here.contents.items()})
    folder = prefix + FOLDER.removeprefix("nightly/")

    assert sorted(read_back(there, folder, root), key=str) == ITEMS


def test_a_part_is_looked_for_beside_its_manifest_and_nowhere_else() -> None:
    bucket = MemoryBucket(written_export(EXPORT, [ITEMS]))
    (key,) = [key for key in bucket.contents if "/data/" in key]
    elsewhere = f"https://elsewhere.s3.amazonaws.com/../../other/data/{key.rpartition('/')[2]}".encode()
    edit(bucket, manifest.FILES, lambda content: content.replace(key.encode(), elsewhere), "manifest-files.md5")
    asked: list[str] = []
    bucket.step = lambda _, asked_key: asked.append(asked_key)

    assert sorted(read_back(bucket, FOLDER), key=str) == ITEMS
    assert all(each.startswith(f"{FOLDER}/") for each in asked)
    assert key in asked


OURS = ["manifest-summary.json", "manifest-files.json", "table.json", "backup.json"]
CHECKSUMS = ["manifest-summary.md5", "manifest-files.md5", "backup.sha256"]


@pytest.mark.parametrize("name", [*OURS, *CHECKSUMS])
def test_a_file_that_is_missing_is_refused_by_its_name(name: str) -> None:
    bucket, root = backup_in_memory()
    del bucket.contents[f"{FOLDER}/{name}"]

    assert name in refusal_of(bucket, root)


@pytest.mark.parametrize("name", [*OURS, *CHECKSUMS])
@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 2000, b"\xff"])
def test_a_file_that_is_another_is_refused_by_its_name(name: str, content: bytes) -> None:
    bucket, root = backup_in_memory()
    bucket.put(f"{FOLDER}/{name}", content)

    assert f"s3://backups/{FOLDER}/" in refusal_of(bucket, root)
    assert name in refusal_of(bucket, root)


@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
@pytest.mark.parametrize("checksum", ["md5", "checksum"])
def test_a_manifest_that_does_not_agree_with_its_checksum_is_refused_with_both_names(name: str, checksum: str) -> None:
    files = {k.replace(".md5", f".{checksum}"): content for k, content in written_export(EXPORT, [ITEMS]).items()}
    bucket = MemoryBucket(files)
    edit(bucket, f"{name}.json", lambda content: content + b"\n")

    assert refusal_of(bucket).startswith(
        f"s3://backups/{FOLDER}/{name}.json: does not agree with {name}.{checksum}; the backup is not sealed, or"
    )


def test_white_space_around_a_checksum_is_no_damage() -> None:
    bucket, root = backup_in_memory()
    for name in CHECKSUMS:
        bucket.contents[f"{FOLDER}/{name}"] += b"\n"

    assert len(read_back(bucket, FOLDER, root)) == 20


def test_an_edit_of_all_checksums_is_refused_by_the_root_hash() -> None:
    bucket, root = backup_in_memory()
    edit_json(bucket, manifest.SUMMARY, "manifest-summary.md5", exportTime="2027-01-01T00:00:00Z")

    assert opened(bucket).consistent == datetime(2027, 1, 1, tzinfo=UTC)
    message = refusal_of(bucket, root)
    assert "manifest-summary.json, manifest-files.json, table.json, backup.json" in message
    assert "their root hash is" in message


@pytest.mark.parametrize("names", [["backup.json"], ["backup.json", "table.json", "backup.sha256"]])
def test_our_files_cannot_be_taken_away_where_the_root_hash_is_known(names: list[str]) -> None:
    bucket, root = backup_in_memory()
    for name in names:
        del bucket.contents[f"{FOLDER}/{name}"]

    assert len(read_back(bucket, FOLDER, None)) == 20
    assert "their root hash is" in refusal_of(bucket, root)


@pytest.mark.parametrize("name", ["manifest-files.json", "table.json"])
def test_a_file_that_backup_json_tells_of_must_be_that_one(name: str) -> None:
    bucket, _ = backup_in_memory()
    edit(bucket, name, lambda content: content + b"\n", *(["manifest-files.md5"] if "manifest" in name else []))

    assert refusal_of(bucket).startswith(f"s3://backups/{FOLDER}/{name}: does not agree with backup.json; ")


def test_backup_json_that_tells_of_no_files_is_refused_by_what_it_does_not_tell_of() -> None:
    bucket, _ = backup_in_memory()
    edit_json(bucket, manifest.DETAILS, "backup.sha256", files={})

    assert refusal_of(bucket).startswith(f"s3://backups/{FOLDER}/manifest-files.json: does not agree with backup.json")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"id": "01768385930622-00000000"}, "tells of the backup 01768385930622-00000000"),
        ({"items": 19}, "does not tell of the 20 items of manifest-summary.json"),
        ({"parts": []}, "tells of other parts than manifest-files.json, first data/0000-5f0c11d2-000000.json.gz"),
    ],
)
def test_backup_json_must_tell_of_this_backup(values: dict[str, Any], says: str) -> None:
    bucket, _ = backup_in_memory()
    edit_json(bucket, manifest.DETAILS, "backup.sha256", **values)

    assert refusal_of(bucket).startswith(f"s3://backups/{FOLDER}/backup.json: {says}")


def test_counts_that_do_not_add_up_are_refused() -> None:
    bucket = MemoryBucket(written_export(EXPORT, [ITEMS]))
    edit_json(bucket, manifest.SUMMARY, "manifest-summary.md5", itemCount=21)

    says = f"s3://backups/{FOLDER}/manifest-files.json: does not add up to the 21 items of manifest-summary.json"
    assert refusal_of(bucket).startswith(says)


def test_an_incremental_export_is_not_opened() -> None:
    bucket = MemoryBucket(written_export(EXPORT, [ITEMS]))
    edit_json(bucket, manifest.SUMMARY, "manifest-summary.md5", version="2023-08-01", exportFromTime="2026-11-25")

    assert f"s3://backups/{FOLDER}/manifest-summary.json: this is an incremental export" in refusal_of(bucket)


def test_a_part_that_is_missing_is_refused_by_its_name_before_anything_is_read() -> None:
    bucket, root = backup_in_memory()
    missing = opened(bucket).key_of(opened(bucket).files[1].name)
    del bucket.contents[missing]
    downloads: list[str] = []
    bucket.step = lambda verb, key: downloads.append(key) if verb == "download" else None

    assert refusal_of(bucket, root) == f"s3://backups/{missing}: is missing; use another backup"
    assert downloads == []


def test_a_part_of_another_size_is_refused_by_its_name_before_anything_is_read() -> None:
    bucket, root = backup_in_memory()
    longer = opened(bucket).key_of(opened(bucket).files[1].name)
    bucket.contents[longer] += b"x"
    size = len(bucket.contents[longer])
    downloads: list[str] = []
    bucket.step = lambda verb, key: downloads.append(key) if verb == "download" else None

    assert refusal_of(bucket, root).startswith(
        f"s3://backups/{longer}: has {size} bytes, not the {size - 1} of backup.json; use"
    )
    assert downloads == []


def test_what_lies_beside_the_parts_is_of_no_account() -> None:
    bucket, root = backup_in_memory()
    bucket.put(f"{FOLDER}/data/0000-77b0a1e4-000000.json.gz", b"of a dead attempt")
    bucket.put(f"{FOLDER}/drills/2026-11-26.json", b"{}")

    assert sorted(read_back(bucket, FOLDER, root), key=str) == ITEMS
