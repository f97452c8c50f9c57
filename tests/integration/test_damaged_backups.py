"""Backups that are not what they were: each is refused with the file's name, and nothing of it is sealed."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import orjson
import pytest

from dynamodb_copy.assembly import RestoreRun
from dynamodb_copy.errors import BackupRefusedError, ContentDiffersError, RunIncompleteError
from dynamodb_copy.formats.manifest import md5_of, sha256_of
from integration.backups import Store, loaded, whole_backup, whole_restore
from integration.pair import Pair, item_of, unseen
from stack.golden import put_golden_export

pytestmark = pytest.mark.integration

GOLDEN_KEYS = {"hash": {"name": "pk", "type": "S"}, "range": {"name": "sk", "type": "N"}}

Damage = Callable[[Store, str], str]
"""Damages a backup, given its folder; returns the name of the file that is to be told of."""


def first_part(store: Store, folder: str) -> str:
    key: str = store.parts(folder)[0]["dataFileS3Key"]
    return key


def edit(store: Store, key: str, change: Callable[[bytes], bytes]) -> str:
    """Change an object; return its key."""
    store.write(key, change(store.read(key)))
    return key


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def flipped_part(store: Store, folder: str) -> str:
    return edit(store, first_part(store, folder), flipped)


def swapped_parts(store: Store, folder: str) -> str:
    """Both parts are there and whole, each under the other's name."""
    keys = [part["dataFileS3Key"] for part in store.parts(folder)[:2]]
    one, other = [store.read(key) for key in keys]
    store.write(keys[0], other)
    store.write(keys[1], one)
    return str(keys[0])


def truncated_part(store: Store, folder: str) -> str:
    return edit(store, first_part(store, folder), lambda content: content[:-7])


def missing_part(store: Store, folder: str) -> str:
    key = first_part(store, folder)
    store.delete(key)
    return key


def flipped_manifest(store: Store, folder: str) -> str:
    return edit(store, f"{folder}/manifest-files.json", flipped)


def swapped_names(store: Store, folder: str) -> str:
    """The manifest gives each part the other's name."""
    one, other = [part["dataFileS3Key"].encode() for part in store.parts(folder)]

    def swapped(content: bytes) -> bytes:
        return content.replace(one, b"?").replace(other, one).replace(b"?", other)

    return edit(store, f"{folder}/manifest-files.json", swapped)


def flipped_summary(store: Store, folder: str) -> str:
    return edit(
        store, f"{folder}/manifest-summary.json", lambda content: content.replace(b'"itemCount":3', b'"itemCount":2')
    )


def lost_checksum(store: Store, folder: str) -> str:
    store.delete(f"{folder}/manifest-summary.md5")
    return f"{folder}/manifest-summary.md5"


def flipped_details(store: Store, folder: str) -> str:
    return edit(store, f"{folder}/backup.json", flipped)


def edited_table(store: Store, folder: str) -> str:
    return edit(store, f"{folder}/table.json", lambda content: content.replace(b'"id"', b'"no"'))


def lost_table(store: Store, folder: str) -> str:
    store.delete(f"{folder}/table.json")
    return f"{folder}/table.json"


def foreign_details(store: Store, folder: str) -> str:
    """As a later release may write it."""
    key = edit(store, f"{folder}/backup.json", lambda content: content.replace(b'"version": 1', b'"version": 2'))
    store.write(f"{folder}/backup.sha256", sha256_of(store.read(key)).encode())
    return key


def foreign_summary(store: Store, folder: str) -> str:
    """As a later release of the service may write it."""
    key = edit(store, f"{folder}/manifest-summary.json", lambda content: content.replace(b"2020-06-30", b"2030-06-30"))
    store.write(f"{folder}/manifest-summary.md5", md5_of(store.read(key)).encode())
    return key


def rewritten(store: Store, folder: str, change: Callable[[bytes], bytes]) -> str:
    """Change the lines of the first part, and all that tells of it but the digest, so that everything agrees again."""
    (line, *others), key = store.parts(folder), first_part(store, folder)
    lines = change(gzip.decompress(store.read(key)))
    part, items = gzip.compress(lines, mtime=0), lines.count(b"\n")
    store.write(key, part)
    lost = line["itemCount"] - items
    line |= {"itemCount": items, "md5Checksum": md5_of(part)}
    files = b"".join([orjson.dumps(each) + b"\n" for each in (line, *others)])
    summary = store.summary(folder)
    with_md5(store, f"{folder}/manifest-files", files)
    with_md5(store, f"{folder}/manifest-summary", orjson.dumps(summary | {"itemCount": summary["itemCount"] - lost}))
    details = orjson.loads(store.read(f"{folder}/backup.json"))
    details["parts"][0] |= {"items": items, "bytes": len(part), "sha256": sha256_of(part)}
    details |= {"items": details["items"] - lost, "files": details["files"] | {"manifest-files.json": sha256_of(files)}}
    store.write(f"{folder}/backup.json", orjson.dumps(details))
    store.write(f"{folder}/backup.sha256", sha256_of(orjson.dumps(details)).encode())
    return folder


def with_md5(store: Store, stem: str, content: bytes) -> None:
    store.write(f"{stem}.json", content)
    store.write(f"{stem}.md5", md5_of(content).encode())


def without_its_first_item(store: Store, folder: str) -> str:
    return rewritten(store, folder, lambda content: content.partition(b"\n")[2])


def with_another_note(store: Store, folder: str) -> str:
    return rewritten(store, folder, lambda content: content.replace(b"xxxx", b"yyyy", 1))


SEEN_BEFORE: list[Damage] = [
    *(truncated_part, missing_part, swapped_parts, flipped_manifest, swapped_names, flipped_summary, lost_checksum),
    *(flipped_details, edited_table, lost_table, foreign_details, foreign_summary),
    *(without_its_first_item, with_another_note),
]


def refusal_of(run: RestoreRun) -> str:
    """Go on until the run is refused; what is said then."""
    with pytest.raises(BackupRefusedError) as caught:
        whole_restore(run)
    return str(caught.value)


@pytest.mark.parametrize("damage", SEEN_BEFORE)
def test_damage_that_can_be_seen_before_anything_is_read_is_named_and_creates_nothing(
    backed_up: Store, damage: Damage
) -> None:
    (folder,) = backed_up.folders()
    file = damage(backed_up, folder)

    message = refusal_of(backed_up.restore())

    assert f"s3://{backed_up.bucket}/{file}" in message
    assert not backed_up.pair.target.exists()


@pytest.mark.parametrize("damage", [missing_part, truncated_part, flipped_manifest, with_another_note])
def test_damage_that_comes_between_two_tasks_is_seen_by_the_second(backed_up: Store, damage: Damage) -> None:
    run = backed_up.restore()
    run.choose()
    (folder,) = backed_up.folders()
    file = damage(backed_up, folder)

    with pytest.raises(BackupRefusedError, match=f"s3://{backed_up.bucket}/{file}"):
        run.prepare()

    assert not backed_up.pair.target.exists()


def test_a_flipped_bit_in_a_part_is_found_before_the_first_of_its_items_is_loaded(backed_up: Store) -> None:
    (folder,) = backed_up.folders()
    file = flipped_part(backed_up, folder)
    run = backed_up.restore(segments=1)

    message = refusal_of(run)

    lost, whole = backed_up.parts(folder)
    assert f"s3://{backed_up.bucket}/{file}: its MD5 is" in message
    assert "use another backup" in message
    assert len(backed_up.pair.target.items()) in {0, whole["itemCount"]}
    assert lost["dataFileS3Key"] == file
    for verb in (run.verify, run.seal):
        with pytest.raises(RunIncompleteError, match="1 of 1 planned segments"):
            verb()


def test_swapped_data_files_of_a_native_export_are_found_when_they_are_read(pair: Pair, store: Store) -> None:
    folder = put_golden_export(store.client, store.bucket, store.prefix)
    swapped_parts(store, folder)

    assert ": its MD5 is" in refusal_of(store.restore(to_={"keys": GOLDEN_KEYS}, segments=1))

    assert pair.target.items() == []


def test_a_native_export_that_was_edited_after_it_was_chosen_is_refused(pair: Pair, store: Store) -> None:
    folder = put_golden_export(store.client, store.bucket, store.prefix)
    run = store.restore(to_={"keys": GOLDEN_KEYS})
    run.choose()
    with_md5(store, f"{folder}/manifest-files", store.read(f"{folder}/manifest-files.json").replace(b"\n", b" \n"))

    message = refusal_of(run)

    assert f"s3://{store.bucket}/{folder}: was changed since this run chose it" in message
    assert not pair.target.exists()


def test_a_count_that_is_not_the_files_is_found(pair: Pair, store: Store) -> None:
    folder = put_golden_export(store.client, store.bucket, store.prefix)
    files, summary = store.read(f"{folder}/manifest-files.json"), store.read(f"{folder}/manifest-summary.json")
    with_md5(store, f"{folder}/manifest-files", files.replace(b'"itemCount":4', b'"itemCount":5'))
    with_md5(store, f"{folder}/manifest-summary", summary.replace(b'"itemCount":12', b'"itemCount":15'))
    run = store.restore(to_={"keys": GOLDEN_KEYS}, segments=1)

    assert "its count is 4 items, and the manifest says 5" in refusal_of(run)

    with pytest.raises(RunIncompleteError):
        run.seal()
    assert pair.target.exists()


@pytest.mark.parametrize("damage", [without_its_first_item, with_another_note])
def test_an_edited_backup_that_no_state_table_knows_is_found_by_its_digest(
    backed_up: Store, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    (folder,) = backed_up.folders()
    damage(backed_up, folder)
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", f"state-of-{backed_up.pair.table}")
    run = loaded(backed_up.restore())

    with pytest.raises(ContentDiffersError, match=rf"{folder}: what was read has the digest .*, its backup\.json says"):
        run.verify()

    with pytest.raises(RunIncompleteError, match="was not verified"):
        run.seal()


def test_a_damaged_summary_is_passed_over_and_the_report_says_so(filled: Pair, backed_up: Store) -> None:
    filled.source.put(item_of(300))
    whole_backup(backed_up.backup("newer"))
    newer = backed_up.folders()[1]
    file = foreign_summary(backed_up, newer)

    report = whole_restore(backed_up.restore())

    assert report.items == 300
    assert any(f"passed over: s3://{backed_up.bucket}/{file}" in note for note in report.notes)


def test_a_backup_that_is_deleted_while_it_is_restored_is_missed_by_name(backed_up: Store) -> None:
    run = backed_up.restore()
    run.choose()
    run.prepare()
    segments = run.plan().segments
    run.copy(segments[0], unseen)
    (folder,) = backed_up.folders()
    backed_up.delete(*backed_up.all_keys())

    with pytest.raises(BackupRefusedError, match=rf"{folder}/manifest-summary\.json: is missing"):
        run.copy(segments[1], unseen)
