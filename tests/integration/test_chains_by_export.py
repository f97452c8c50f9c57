"""Chains of the service's own exports: a full backup, then windows of what changed."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.chain import end_of
from dynamodb_copy.errors import BackupRefusedError, ChangesLostError
from integration.chains import restored
from integration.changes import next_second
from integration.exports import (
    BY_EXPORT,
    Exporting,
    assert_same,
    brought_up,
    change,
    moment,
    windowed,
)
from integration.pair import item_of
from integration.service_jobs import ITEMS, dies, killed, of_file

pytestmark = pytest.mark.integration

DAY = 86_400


def test_a_chain_begins_with_its_full_backup_and_goes_on_with_windows(exporting: Exporting) -> None:
    first = brought_up(exporting.chain("1", base="export"))
    full = exporting.stored()
    change(exporting.pair.source)
    exporting.pass_by(minutes=50 * 60)

    report = brought_up(exporting.chain("2", base="export"))

    chain = exporting.stored()
    cut = exporting.windows()
    assert full.increments == ()
    assert chain.full.id == full.full.id
    assert [(each.start.moment.timestamp(), each.end.moment.timestamp()) for each in chain.increments] == cut
    assert [each.details is not None for each in chain.increments] == [True] * 3
    assert (cut[0][0], cut[-1][1]) == (moment(first), moment(report))
    assert (first.items, report.items) == (ITEMS, 4)
    assert_same(exporting, "chain")


def test_a_chains_run_that_finds_no_ended_window_does_nothing(exporting: Exporting) -> None:
    brought_up(exporting.chain("1"))
    before = exporting.native.store.all_keys()

    report = brought_up(exporting.chain("2"))

    assert exporting.native.store.all_keys() == before
    assert any("nothing to read yet" in note for note in report.notes)


@pytest.mark.usefixtures("short_windows")
def test_each_end_of_a_window_can_be_restored(exporting: Exporting) -> None:
    source, target = exporting.pair.source, exporting.pair.target
    brought_up(exporting.chain("1", base="export"))
    states_then = []
    for number, run_id in enumerate(("2", "3")):
        source.put(item_of(5, note={"S": run_id}))
        source.delete(number)
        next_second()
        states_then.append(source.items())
        brought_up(exporting.chain(run_id, base="export"))

    for number, (end, then) in enumerate(zip(exporting.stored().ends[-2:], states_then, strict=True)):
        restored(exporting.native.store.restore(f"restore-{number}", restore="latest"), end)
        assert target.items() == then
        target.client.delete_table(TableName=target.table)


@pytest.mark.usefixtures("short_windows")
def test_an_unsealed_window_of_a_dead_run_is_sealed_by_the_next(exporting: Exporting) -> None:
    brought_up(exporting.chain("1"))
    exporting.pair.source.put(item_of(5, note={"S": "first"}))
    next_second()
    windowed(exporting.chain("2"))
    exporting.pair.source.delete(6)
    next_second()

    report = brought_up(exporting.chain("3"))

    assert exporting.exported_once()
    assert len(exporting.windows()) == len(exporting.stored().increments)
    assert report.items == 2
    assert_same(exporting, "chain")


@pytest.mark.usefixtures("short_windows")
def test_a_new_full_backup_does_not_interrupt_the_windows(exporting: Exporting) -> None:
    brought_up(exporting.chain("1", base="export"))
    next_second()
    last = brought_up(exporting.chain("2", base="export"))
    first_full = exporting.stored().full
    exporting.pair.source.put(item_of(5, note={"S": "between"}))
    next_second()
    next_second()

    brought_up(exporting.chain("3", base="export", full_every="1s"))
    next_second()
    brought_up(exporting.chain("4", base="export"))

    chain = exporting.stored()
    assert chain.full.id != first_full.id
    assert end_of(chain.full).timestamp() == moment(last)
    assert exporting.exported_once()
    assert len(chain.increments) == 2
    assert chain.increments[0].details is not None
    assert chain.increments[0].details.previous is not None
    assert_same(exporting, "chain")


def test_a_gap_of_recovery_begins_a_new_chain(exporting: Exporting) -> None:
    brought_up(exporting.chain("1", base="export"))
    exporting.pass_by()
    exporting.renew_recovery()

    with pytest.raises(ChangesLostError, match="stays restorable"):
        exporting.chain("2", base="export").prepare()
    exporting.pass_by(minutes=5)
    on_gap = {**BY_EXPORT, "on_gap": "full"}
    brought_up(exporting.chain("3", base="export", changes=on_gap))

    assert len(exporting.native.store.folders()) == 2
    assert exporting.stored().increments == ()
    assert exporting.problems() == []


@pytest.mark.usefixtures("short_windows")
@pytest.mark.parametrize("name", ["table.json", "backup.sha256", "backup.json"])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_a_window_is_sealed_is_made_good_by_the_next_run(
    exporting: Exporting, name: str, *, after: bool
) -> None:
    brought_up(exporting.chain("1"))
    next_second()
    windowed(exporting.chain("2"))
    connect = exporting.native.meeting(killed, "put_object", of_file(name), after=after)
    dies(exporting.chain("2", connect=connect).seal)
    exporting.pair.source.delete(6)
    next_second()

    brought_up(exporting.chain("3"))

    assert exporting.exported_once()
    assert len(exporting.windows()) == len(exporting.stored().increments)
    assert_same(exporting, "chain")


@pytest.mark.usefixtures("short_windows")
def test_sealing_twice_changes_nothing(exporting: Exporting) -> None:
    brought_up(exporting.chain("1"))
    next_second()
    brought_up(exporting.chain("2"))
    keys = exporting.native.store.all_keys()
    before = {key: exporting.native.store.read(key) for key in keys}

    exporting.chain("2").seal()

    assert {key: exporting.native.store.read(key) for key in exporting.native.store.all_keys()} == before


def test_a_window_with_a_missing_part_is_not_sealed(exporting: Exporting) -> None:
    brought_up(exporting.chain("1"))
    change(exporting.pair.source)
    exporting.pass_by()
    run = windowed(exporting.chain("2"))
    part = next(key for key in exporting.native.store.all_keys() if "/AWSDynamoDB/data/" in key)
    exporting.native.store.delete(part)

    with pytest.raises(BackupRefusedError, match=f"{part}: is missing"):
        run.seal()

    assert [each.details for each in exporting.stored().increments] == [None]
    assert [problem.partition(" ")[0] for problem in exporting.problems()] == ["part"]


@pytest.mark.usefixtures("short_windows")
def test_files_beside_an_export_are_encrypted_as_the_job_says(exporting: Exporting) -> None:
    keyed: dict[str, Any] = {"base": "export", "to_": {"kms_key": "alias/chain"}}
    brought_up(exporting.chain("1", **keyed))
    next_second()
    brought_up(exporting.chain("2", **keyed))

    store = exporting.native.store
    ours = [key for key in store.all_keys() if key.endswith(("table.json", "backup.json", "backup.sha256"))]
    shown = [store.client.head_object(Bucket=store.bucket, Key=key).get("SSEKMSKeyId") for key in ours]
    assert len(shown) == 3 * len(exporting.exports)
    assert all(key and key.endswith("alias/chain") for key in shown)
