"""Restores of chains, against an emulator: at any moment the table is what it was then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from chain_histories import (
    History,
    edit,
    history_of,
    meanings,
    moment,
    part_of,
    store_by_stream,
    store_by_windows,
)
from dynamodb_copy.assembly import Choice, RestoreRun
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import BackupRefusedError, ContentDiffersError, RunIncompleteError
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases.choosing import last_micros
from dynamodb_copy.sources import data_files
from dynamodb_copy.sources.chain_state import ChainState
from integration.backups import Store, contents, loaded
from integration.chains import bucket_of, replayed, restored
from integration.killing import KilledError, Process, living
from integration.pair import Hurried, unseen
from stored_chains import write_native_full

pytestmark = pytest.mark.integration

CUTS = [10, 20, 40]

Storing = Callable[[Bucket, History, Sequence[float]], None]


def restore_of(store: Store, run_id: str = "restore", **job: Any) -> RestoreRun:
    """A run that knows the table's key, of which the service's own exports do not tell."""
    keys = {"keys": {"hash": {"name": "id", "type": "S"}}}
    return store.restore(run_id, to_={**keys, **job.pop("to_", {})}, **job)


def stored(store: Store, storing: Storing = store_by_stream, *, seed: int = 1) -> History:
    """A history of forty minutes, stored as a full backup and three increments."""
    made = history_of(seed)
    storing(bucket_of(store), made, CUTS)
    return made


def mixed(bucket: Bucket, history: History, cuts: Sequence[float]) -> None:
    """As by stream, with a full export of the service's in between."""
    store_by_stream(bucket, history, cuts)
    write_native_full(bucket, history.at(15), 15)


@pytest.mark.parametrize("storing", [store_by_stream, store_by_windows, mixed])
def test_the_latest_is_the_end_of_the_last_increment(shelf: Store, storing: Storing) -> None:
    history = stored(shelf, storing)

    report = restored(restore_of(shelf))

    assert contents(shelf.pair.target) == meanings(history.at(40))
    assert report.verdict.outcome == "equal"
    assert [each.label for each in report.segments][-2:] == ["replay segment 1/2", "replay segment 2/2"]
    assert f"the state of {moment(40).isoformat()}" in report.notes


@pytest.mark.parametrize("storing", [store_by_stream, mixed])
@pytest.mark.parametrize("seed", [2, 3])
def test_any_second_comes_back_as_it_was(shelf: Store, storing: Storing, seed: int) -> None:
    history = stored(shelf, storing, seed=seed)
    minutes = Random(seed)  # noqa: S311  # a test's, to be had again

    for attempt in range(3):
        as_of = moment(round(minutes.uniform(2, 40), 3))
        shelf.pair.target.table = f"{shelf.pair.table}-{attempt}"

        restored(restore_of(shelf, f"{attempt}", to_={"table": shelf.pair.target.table}), as_of)

        assert contents(shelf.pair.target) == meanings(history.until(as_of)), as_of


@pytest.mark.parametrize("cut", CUTS)
def test_windows_come_back_at_their_ends(shelf: Store, cut: int) -> None:
    history = stored(shelf, store_by_windows)

    restored(restore_of(shelf), moment(cut))

    assert contents(shelf.pair.target) == meanings(history.at(cut))


@pytest.mark.parametrize(
    ("storing", "minute", "why"),
    [
        (store_by_stream, 1.9, "no full backup had ended by then"),
        (store_by_stream, 40.1, "no increment without a gap before it reaches it"),
        (store_by_windows, 15, "it lies within the window"),
        (store_by_windows, 41, "no increment without a gap before it reaches it"),
    ],
)
def test_a_moment_that_cannot_be_had_is_refused_with_those_that_can(
    shelf: Store, storing: Storing, minute: float, why: str
) -> None:
    stored(shelf, storing)

    with pytest.raises(BackupRefusedError, match=f"cannot be restored to .*{why}.*; available: .*2025-11-25T02:40:00"):
        restore_of(shelf).choose(moment(minute))

    assert not shelf.pair.target.exists()


def test_the_moment_of_a_full_export_takes_it_alone(shelf: Store) -> None:
    history = stored(shelf, mixed)

    choice = restore_of(shelf).choose(moment(15))
    report = restored(restore_of(shelf))

    assert (choice.increments, choice.until, choice.consistent) == ((), None, moment(15).isoformat())
    assert contents(shelf.pair.target) == meanings(history.at(15))
    assert report.verdict.outcome == "equal"


def test_a_run_keeps_to_its_increments_when_more_are_sealed(shelf: Store) -> None:
    history = history_of(1)
    store_by_stream(bucket_of(shelf), history, CUTS[:2])
    loaded(restore_of(shelf))
    store_by_stream(bucket_of(shelf), history, CUTS)

    restored(restore_of(shelf))

    assert contents(shelf.pair.target) == meanings(history.at(20))


def test_a_replay_that_is_killed_at_each_of_its_requests_ends_as_one_that_was_not(
    shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "PAGE_BYTES", 1000)
    history = stored(shelf)
    as_of, kills = moment(33.5), 0
    loaded(restore_of(shelf, segments=1), as_of)
    (segment,) = restore_of(shelf, segments=1).hand_over().segments

    for dies_at in range(10, 400):
        try:
            with living(Process(dies_at, after_sending=dies_at % 2 == 0), shelf.pair.endpoint, monkeypatch):
                restore_of(shelf, segments=1, clock=Hurried()).apply(segment, unseen)
                break
        except KilledError:
            kills += 1

    restored(restore_of(shelf, segments=1))
    assert kills > 5
    assert contents(shelf.pair.target) == meanings(history.until(as_of))


def test_of_two_tasks_that_replay_one_segment_at_once_the_second_waits_and_replays_nothing(
    shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "PAGE_BYTES", 1000)
    history = stored(shelf)
    loaded(restore_of(shelf, segments=1))
    (segment,) = restore_of(shelf, segments=1).hand_over().segments
    told: list[int] = []

    def slowly(_: Segment, tally: Tally) -> None:
        told.append(tally.items)
        time.sleep(0.02)

    with ThreadPoolExecutor(2) as tasks:
        replays = [tasks.submit(restore_of(shelf, segments=1).apply, segment, slowly) for _ in range(2)]
        tallies = [each.result(60) for each in replays]

    assert tallies[0] == tallies[1]
    assert told == sorted(told)
    assert tallies[0].items == len(history.changes)
    assert restored(restore_of(shelf, segments=1)).verdict.outcome == "equal"


def test_nothing_is_replayed_before_the_full_backup_is_loaded(shelf: Store) -> None:
    stored(shelf)
    run = restore_of(shelf)
    run.choose()
    run.prepare()
    first, _ = run.plan().segments
    run.copy(first, unseen)

    with pytest.raises(RunIncompleteError, match="1 of 2 planned segments"):
        run.hand_over()


def test_nothing_is_verified_before_all_increments_are_replayed(shelf: Store) -> None:
    stored(shelf)
    run = loaded(restore_of(shelf))

    with pytest.raises(RunIncompleteError, match="nothing is planned"):
        run.verify()
    first, _ = run.hand_over().segments
    run.apply(first, unseen)
    with pytest.raises(RunIncompleteError, match="1 of 2 planned segments"):
        run.verify()
    with pytest.raises(RunIncompleteError, match="1 of 2 planned segments"):
        run.seal()


@pytest.mark.parametrize("storing", [store_by_stream, store_by_windows])
def test_a_damaged_increment_is_refused_with_its_files_name(shelf: Store, storing: Storing) -> None:
    history = stored(shelf, storing)
    run = loaded(restore_of(shelf, segments=1))
    key = part_of(bucket_of(shelf), history.folders[1])
    shelf.write(key, shelf.read(key)[:-1] + b"!")
    (segment,) = run.hand_over().segments

    with pytest.raises(BackupRefusedError, match=f"{key}: its MD5 is"):
        run.apply(segment, unseen)


def test_a_missing_part_of_an_increment_is_refused_before_anything_is_written(shelf: Store) -> None:
    history = stored(shelf)
    shelf.delete(part_of(bucket_of(shelf), history.folders[1]))
    run = restore_of(shelf)
    run.choose()

    with pytest.raises(BackupRefusedError, match="is missing; use another backup"):
        run.prepare()

    assert not shelf.pair.target.exists()


def test_an_increment_that_was_edited_and_given_new_checksums_is_refused(shelf: Store) -> None:
    history = stored(shelf)
    run = loaded(restore_of(shelf))
    first, _ = run.hand_over().segments
    edit(bucket_of(shelf), history.folders[1], lambda lines: lines.replace(b"change", b"chance"))

    with pytest.raises(BackupRefusedError, match=f"{history.folders[1]}: was changed since this run chose it"):
        run.apply(first, unseen)


def test_an_item_that_the_replay_lost_fails_the_verdict(shelf: Store) -> None:
    history = stored(shelf)
    run = replayed(restore_of(shelf))
    lost = history.at(40)[0]
    shelf.pair.target.client.delete_item(TableName=shelf.pair.table, Key={"id": lost["id"]})

    with pytest.raises(ContentDiffersError, match=r"differs \(1 missing\)"):
        run.verify()


@pytest.mark.parametrize("verify", ["count", "content"])
def test_a_loader_that_passes_over_changes_is_found_out(
    verify: str, shelf: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = stored(shelf)
    late = sum((change.written_at or 0) > last_micros(moment(39)) for change in history.changes)
    with monkeypatch.context() as patched:
        patched.setattr(Choice, "until_micros", last_micros(moment(39)))
        run = replayed(restore_of(shelf, verify=verify))

    everything = len(history.changes)
    with pytest.raises(
        ContentDiffersError, match=f"{everything - late} changes were replayed, .* hold {everything} that"
    ):
        run.verify()


def test_a_restore_without_a_verdict_works_out_nothing(shelf: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    history = stored(shelf)
    monkeypatch.setattr(ChainState, "segments", None)

    report = restored(restore_of(shelf, verify="none"))

    assert report.verdict.outcome == "not verified"
    assert contents(shelf.pair.target) == meanings(history.at(40))


def test_a_table_is_compared_with_any_moment_of_a_chain(shelf: Store) -> None:
    stored(shelf)
    as_of = moment(30)
    restored(restore_of(shelf), as_of)

    same = restore_of(shelf, "later").compare(as_of)
    latest = restore_of(shelf, "later").compare()

    assert same.outcome == "equal"
    assert "with 3 increments, consistent at 2025-11-25T02:30:00" in same.statement
    assert latest.outcome != "equal"


def test_the_whole_second_of_a_moment_comes_back(shelf: Store) -> None:
    history = stored(shelf)
    last = history.changes[-1]
    as_of = datetime.fromtimestamp((last.written_at or 0) // 1_000_000, moment(0).tzinfo)

    restored(restore_of(shelf), as_of)

    before = as_of - timedelta(seconds=1)
    assert contents(shelf.pair.target) == meanings(history.until(as_of)) != meanings(history.until(before))


def test_an_import_takes_a_full_backup_alone_and_says_so(shelf: Store) -> None:
    stored(shelf, store_by_windows)

    with pytest.raises(BackupRefusedError, match=r"3 increments lead from .*restore: 2025-11-25T02:00:00"):
        restore_of(shelf, engine="import").choose()
    with pytest.raises(BackupRefusedError, match="engine: import takes full backups only, and 1 increments"):
        restore_of(shelf, engine="import").choose(moment(10))
    choice = restore_of(shelf, engine="import").choose(moment(0))

    assert choice.increments == ()


def test_a_forecast_counts_the_changes_and_touches_nothing(shelf: Store) -> None:
    history = stored(shelf)
    before = shelf.all_keys()

    forecast = restore_of(shelf).forecast()

    assert (forecast.increments, forecast.consistent) == (3, moment(40).isoformat())
    assert forecast.changes == len(history.changes)
    assert f"then {len(history.changes)} changes of 3 increments are replayed" in forecast.notes
    assert shelf.all_keys() == before
