from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dynamodb_copy.catalogue import entries
from dynamodb_copy.errors import AccessError
from dynamodb_copy.model import Put
from dynamodb_copy.phases.listing import Listed, Listing, listed
from dynamodb_copy.state.rows import StateRows
from dynamodb_copy.state.seals import Proof, remember_proof, remember_root
from stack.golden import EXPORT as GOLDEN
from stack.golden import golden_files
from stored_backups import EXPORT, TABLE_ARN, item_of, write_backup
from stored_chains import Stretch, mark_at, micros_of, write_increment, write_window
from unit.memory_bucket import MemoryBucket
from unit.state.memory_rows import MemoryRows

PREFIX = "nightly"
INSTANTS = ("2025-11-25T02:00:00.000Z", "2025-11-25T02:20:00.000Z")
ITEMS = [item_of(number) for number in range(5)]


@pytest.fixture
def bucket() -> MemoryBucket:
    """Holds one backup of five items."""
    made = MemoryBucket()
    write_backup(made, [ITEMS[:3], ITEMS[3:]])
    return made


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows()


def the_one(bucket: MemoryBucket, rows: StateRows | None) -> Listed:
    (found,) = listed(bucket, entries(bucket, PREFIX), rows)
    return found


def test_a_backup_tells_what_it_holds_and_when_it_was_made(bucket: MemoryBucket, rows: MemoryRows) -> None:
    found = the_one(bucket, rows)

    assert found == Listed(
        id=EXPORT.id,
        kind="full",
        sealed=True,
        table=TABLE_ARN,
        consistent="2025-11-25T02:00:04.120Z",
        began="2025-11-25T02:00:04.120Z",
        ended="2025-11-25T02:11:40.002Z",
        items=5,
        bytes=sum(len(json.dumps(item, separators=(",", ":"))) for item in ITEMS),
        verified="never",
        problem="",
    )


def test_an_export_of_the_services_own_tells_what_it_was_billed_by(rows: MemoryRows) -> None:
    files = golden_files(prefix=PREFIX)

    found = the_one(MemoryBucket(files), rows)

    billed = json.loads(files[f"{PREFIX}/AWSDynamoDB/{GOLDEN.id}/manifest-summary.json"])["billedSizeBytes"]
    assert (found.kind, found.items, found.bytes) == ("full", 12, billed)
    assert (found.consistent, found.began, found.ended) == ("2026-03-03T09:30:00.000Z", None, None)


def test_the_last_drill_that_proved_a_backup_is_told(bucket: MemoryBucket, rows: MemoryRows) -> None:
    remember_proof(rows, EXPORT.id, Proof("cli/1", "2025-11-25T06:01:30+00:00"))

    assert the_one(bucket, rows).verified == "2025-11-25T06:01:30+00:00"


def test_without_a_state_table_it_is_unknown_whether_a_drill_proved_it(bucket: MemoryBucket) -> None:
    assert the_one(bucket, None).verified == "unknown"


def test_a_backup_that_is_not_sealed_yet_says_nothing_else(bucket: MemoryBucket, rows: MemoryRows) -> None:
    del bucket.contents[f"{EXPORT.folder}/manifest-summary.json"]

    found = the_one(bucket, rows)

    assert (found.kind, found.sealed) == ("unsealed", False)
    assert (found.table, found.consistent, found.began, found.items, found.bytes, found.verified) == (None,) * 6


def test_an_increment_tells_from_when_to_when_it_leads_and_what_it_holds(rows: MemoryRows) -> None:
    made, item = MemoryBucket(), item_of(1)
    written = write_increment(made, [[Put(item, micros_of(5))]], Stretch(mark_at(0, 0), mark_at(20, 20), 21))

    found = the_one(made, rows)

    assert found == Listed(
        id=written.folder.rpartition("/")[2],
        kind="incremental",
        sealed=True,
        table=TABLE_ARN,
        consistent="2025-11-25T02:20:00.000Z",
        began="2025-11-25T02:00:00.000Z",
        ended="2025-11-25T02:20:00.000Z",
        items=1,
        bytes=len(json.dumps(item, separators=(",", ":"))),
        verified=None,
        problem="",
    )


def test_a_window_of_the_services_own_is_told_like_an_increment(rows: MemoryRows) -> None:
    made = MemoryBucket()
    write_window(made, [Put(item_of(1), micros_of(5))], 0, 20)

    found = the_one(made, rows)

    assert (found.kind, found.began, found.ended) == ("incremental", *INSTANTS)
    assert (found.items, found.bytes, found.problem) == (1, 0, "")


def test_an_increment_whose_files_do_not_agree_is_damaged(rows: MemoryRows) -> None:
    made = MemoryBucket()
    written = write_increment(made, [[]], Stretch(mark_at(0, 0), mark_at(20, 20), 21))
    made.contents[f"{written.folder}/backup.json"] += b" "

    found = the_one(made, rows)

    assert (found.kind, found.consistent, found.bytes) == ("damaged", INSTANTS[1], None)
    assert "backup.json: does not agree with backup.sha256" in found.problem


def test_a_summary_that_cannot_be_read_is_damage(bucket: MemoryBucket, rows: MemoryRows) -> None:
    bucket.contents[f"{EXPORT.folder}/manifest-summary.json"] = b"{}"

    found = the_one(bucket, rows)

    assert (found.kind, found.sealed, found.items) == ("damaged", True, None)
    assert f"s3://backups/{EXPORT.folder}/manifest-summary.json: found version None" in found.problem


@pytest.mark.parametrize("name", ["manifest-files.json", "table.json", "backup.json"])
def test_files_that_do_not_agree_are_damage_and_what_the_summary_says_is_still_told(
    bucket: MemoryBucket, rows: MemoryRows, name: str
) -> None:
    bucket.contents[f"{EXPORT.folder}/{name}"] += b" "

    found = the_one(bucket, rows)

    assert (found.kind, found.table, found.items, found.bytes) == ("damaged", TABLE_ARN, 5, None)
    assert f"s3://backups/{EXPORT.folder}/{name}: does not agree" in found.problem


def test_a_backup_that_is_not_the_one_that_was_sealed_is_damaged(bucket: MemoryBucket, rows: MemoryRows) -> None:
    remember_root(rows, EXPORT.id, "s3://backups", "another root hash")

    found = the_one(bucket, rows)

    assert found.kind == "damaged"
    assert "somebody edited the backup" in found.problem


def test_backups_are_told_in_the_order_of_their_ids(bucket: MemoryBucket, rows: MemoryRows) -> None:
    names = ["01768385930621-ffffffff", "01768385930623-00000000"]
    for name in names:
        write_backup(bucket, [[]], replace(EXPORT, id=name))

    found = listed(bucket, entries(bucket, PREFIX), rows)

    assert [each.id for each in found] == [names[0], EXPORT.id, names[1]]


def test_nothing_is_written(bucket: MemoryBucket, rows: MemoryRows) -> None:
    before = dict(bucket.contents)

    the_one(bucket, rows)

    assert bucket.contents == before
    assert set(rows.requests) == {"get"}


def test_a_bucket_that_may_not_be_read_is_no_damage(bucket: MemoryBucket, rows: MemoryRows) -> None:
    def denying(verb: str, key: str) -> None:
        if (verb, key) == ("read", f"{EXPORT.folder}/backup.json"):
            raise AccessError("s3:GetObject is not permitted")

    bucket.step = denying

    with pytest.raises(AccessError, match="not permitted"):
        the_one(bucket, rows)


def test_a_listing_is_plain_json(bucket: MemoryBucket, rows: MemoryRows) -> None:
    found = the_one(bucket, rows)

    told = Listing("s3://backups/nightly", (found,), ("a note",)).as_dict()

    assert json.loads(json.dumps(told)) == told
    assert told["backups"][0]["id"] == EXPORT.id
