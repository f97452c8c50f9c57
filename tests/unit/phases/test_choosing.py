"""What a run restores: chosen once, opened again by each task, and refused when it was changed since."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
import pytest

from chain_histories import History, edit, history_of, moment, store_by_stream, store_by_windows
from dynamodb_copy.catalogue import open_increment
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.job import RestoreJob
from dynamodb_copy.phases.choosing import Choice, backup_of, choose, chosen, increments_of
from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.state.seals import remember_root
from job_texts import kind_of
from stored_backups import item_of
from stored_chains import id_at, second_of, write_full
from unit.memory_bucket import MemoryBucket
from unit.phases.memory_context import MemoryContext, OneTable

CUTS = [10, 20, 40]
MANY = 8_000
"""Increments of a chain: every minute of five days, and more."""


@pytest.fixture
def history() -> History:
    return history_of(1)


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


def context_of(bucket: MemoryBucket, **job: Any) -> MemoryContext:
    made = kind_of(RestoreJob, from_={"s3": "s3://backups/nightly"}, **job)
    return MemoryContext(made, "cli/1", lambda *_: OneTable(), stored=bucket)


def test_without_increments_the_newest_full_backup_up_to_a_moment_is_chosen(bucket: MemoryBucket) -> None:
    for minute in (0, 30, 60):
        write_full(bucket, [item_of(minute)], minute)

    latest, earlier = choose(context_of(bucket), None), choose(context_of(bucket), moment(45))

    assert [choice.folder.rpartition("/")[2] for choice in (latest, earlier)] == [id_at(60, "f"), id_at(30, "f")]
    assert (earlier.consistent, earlier.increments, earlier.until) == (moment(30).isoformat(), (), None)
    assert earlier.wanted(moment(99)) == moment(45)
    assert latest.wanted(moment(99)) == moment(99)


def test_a_moment_takes_the_increments_up_to_it_and_counts_its_whole_second(
    bucket: MemoryBucket, history: History
) -> None:
    store_by_stream(bucket, history, CUTS)

    choice = choose(context_of(bucket), moment(15) + timedelta(milliseconds=250))

    assert [folder for folder, _ in choice.increments] == history.folders[:2]
    assert choice.consistent == choice.until == moment(15).isoformat()
    assert choice.until_micros == int(second_of(15)) * 1_000_000 + 999_999


def test_the_latest_takes_all_increments_whole(bucket: MemoryBucket, history: History) -> None:
    store_by_stream(bucket, history, CUTS)

    choice = choose(context_of(bucket), None)

    assert [folder for folder, _ in choice.increments] == history.folders
    assert (choice.consistent, choice.until, choice.until_micros) == (moment(40).isoformat(), None, None)


def test_a_moment_through_whose_second_the_next_increment_goes_on_takes_that_too(
    bucket: MemoryBucket, history: History
) -> None:
    store_by_stream(bucket, history, CUTS)

    choice = choose(context_of(bucket), moment(20))

    assert [folder for folder, _ in choice.increments] == history.folders


def test_a_second_call_returns_the_first_choice(bucket: MemoryBucket, history: History) -> None:
    store_by_stream(bucket, history, CUTS)
    context = context_of(bucket)

    first = choose(context, moment(15))

    assert choose(context, None) == chosen(context) == chosen(replace(context, stage="changes")) == first
    assert [each.folder for each in increments_of(context)] == history.folders[:2]


def test_a_choice_that_was_stored_before_there_were_increments_is_read(bucket: MemoryBucket) -> None:
    full = write_full(bucket, [item_of(1)], 0)
    context = context_of(bucket)
    values: dict[str, Any] = {
        "uri": f"s3://backups/{full.folder}",
        "folder": full.folder,
        "root": full.root,
        "items": 1,
    }
    values |= {"items": 1, "consistent": moment(0).isoformat(), "table_arn": "arn", "as_of": None, "notes": ["one"]}
    context.rows.put(RowKey(context.run, "choice"), {"choice": {"S": orjson.dumps(values).decode()}})

    assert chosen(context) == Choice(**{**values, "notes": ("one",)})
    assert increments_of(context) == ()
    assert backup_of(context).folder == full.folder


def test_a_choice_of_thousands_of_increments_fits_into_a_row(
    bucket: MemoryBucket, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_by_stream(bucket, history, CUTS)
    context, hashes = context_of(bucket), [sha256(b"%d" % number).hexdigest() for number in range(MANY)]
    many = tuple([(f"{id_at(number)[:15]}{root[:8]}", root) for number, root in enumerate(hashes)])
    made = replace(choose(context_of(bucket), None), increments=many)
    monkeypatch.setattr("dynamodb_copy.phases.choosing._choice", lambda *_: made)

    choose(context, None)

    row = context.rows.get(RowKey(context.run, "choice"))
    assert row is not None
    assert len(orjson.dumps(row)) < 400_000 * 4 / 3  # base64 takes four characters for three bytes
    assert asdict(chosen(context)) == asdict(made)


def test_an_increment_that_was_changed_since_it_was_chosen_is_refused(bucket: MemoryBucket, history: History) -> None:
    store_by_stream(bucket, history, CUTS)
    context = context_of(bucket)
    choose(context, None)
    edit(bucket, history.folders[1], lambda lines: lines.replace(b"change", b"chance"))

    with pytest.raises(BackupRefusedError, match=f"{history.folders[1]}: was changed since this run chose it"):
        increments_of(context)


def test_an_increment_that_was_edited_and_given_new_checksums_is_not_restored(
    bucket: MemoryBucket, history: History
) -> None:
    store_by_stream(bucket, history, CUTS)
    context, edited = context_of(bucket), history.folders[1]
    root = open_increment(bucket, edited, lambda _: None).root
    remember_root(context.rows, edited.rpartition("/")[2], f"s3://backups/{edited}", root)
    edit(bucket, edited, lambda lines: lines.replace(b"change", b"chance"))

    choice = choose(context, None)

    assert [folder for folder, _ in choice.increments] == history.folders[:1]
    assert any(note.startswith("passed over: ") and edited in note for note in choice.notes)
    with pytest.raises(BackupRefusedError, match=f"no increment without a gap before it reaches it; .*{edited}"):
        choose(replace(context, run_id="cli/2"), moment(30))


def test_an_import_refuses_increments_and_names_the_moment_that_it_can_have(
    bucket: MemoryBucket, history: History
) -> None:
    store_by_stream(bucket, history, CUTS)
    context = context_of(bucket, engine="import")

    for as_of in (None, moment(15)):
        with pytest.raises(BackupRefusedError, match=rf"engine: load, or restore: {moment(0).isoformat()[:10]}"):
            choose(context, as_of)
    choice = choose(context, moment(0))

    assert (choice.increments, choice.consistent) == ((), moment(0).isoformat())


def test_windows_are_chosen_at_their_ends_alone(bucket: MemoryBucket, history: History) -> None:
    store_by_windows(bucket, history, CUTS)

    assert len(choose(context_of(bucket), moment(20)).increments) == 2
    with pytest.raises(
        BackupRefusedError, match=r"within the window of .* nearest ends are .*02:10:00.* and .*02:20:00"
    ):
        choose(context_of(bucket), moment(15))
    assert choose(context_of(bucket), datetime.fromtimestamp(second_of(0), UTC)).increments == ()
