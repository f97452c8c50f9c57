"""Drills of chains, against an emulator: proven by figures that never come from the loader."""

from __future__ import annotations

import os

import orjson
import pytest

from arbitrary_items import KEYS
from chain_histories import History, history_of, moment, store_by_stream, store_by_windows
from dynamodb_copy.assembly import DrillRun
from dynamodb_copy.errors import BackupRefusedError, ContentDiffersError
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.formats.increment_manifest import TableState
from integration.backups import Store, at, rehearsed
from integration.chains import bucket_of, drilled
from integration.pair import unseen
from job_texts import OBJECTIVES
from stored_chains import Stretch, mark_at, second_of, write_increment

pytestmark = pytest.mark.integration


@pytest.fixture
def history(shelf: Store) -> History:
    """Of forty minutes, stored as a full backup and three increments of a stream."""
    made = history_of(1)
    store_by_stream(bucket_of(shelf), made, [10, 20, 40])
    return made


def seal_of(store: Store, folder: str) -> dict[str, dict[str, str]]:
    """What is remembered of a full backup or an increment."""
    reply = store.pair.target.client.get_item(TableName=os.environ["DYNAMODB_COPY_STATE_TABLE"], Key=seal_key(folder))
    found: dict[str, dict[str, str]] = reply.get("Item", {})
    return found


def seal_key(folder: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"backup#{folder.rpartition('/')[2]}"}, "sk": {"S": "seal"}}


def drill_of(store: Store, run_id: str = "drill") -> DrillRun:
    """A drill a minute after the history ended."""
    return at(second_of(43), store.drill(run_id))


def state_at(history: History, minute: float) -> TableState:
    counted = Fingerprints(KEYS).tally(history.at(minute))
    return TableState(counted.items, counted.digest)


def test_a_drill_proves_the_whole_chain(shelf: Store, history: History) -> None:
    report = drilled(drill_of(shelf))

    state = state_at(history, 40)
    assert report.problems == ()
    assert (report.increments, report.until) == (3, None)
    assert report.consistent == moment(40).isoformat()
    assert report.replayed_changes == len(history.changes)
    assert report.expected_items == report.scratch_items == state.items
    assert report.backup_digest == report.scratch_digest == state.digest.hex
    assert list(report.phases)[4:6] == ["restore", "replay"]
    assert "and 3 increments, all of their changes" in report.render()


def test_a_proven_chain_lets_later_increments_carry_its_figures_on(shelf: Store, history: History) -> None:
    drilled(drill_of(shelf))

    *_, last = history.folders
    remembered, (full, *_) = seal_of(shelf, last), shelf.folders()
    assert orjson.loads(remembered["state"]["S"])["items"] == state_at(history, 40).items
    assert "proof" in remembered
    assert "proof" in seal_of(shelf, full)


def test_a_drill_of_a_moment_before_the_end_remembers_no_figures(shelf: Store, history: History) -> None:
    report = drilled(drill_of(shelf), moment(33))

    assert report.recovered
    assert (report.until, report.rpo_seconds) == (moment(33).isoformat(), 0)
    assert f"and 3 increments, changes up to {moment(33).isoformat()}" in report.render()
    assert "state" not in seal_of(shelf, history.folders[-1])


def test_figures_that_the_chain_carries_must_be_met(shelf: Store, history: History) -> None:
    state = state_at(history, 40)
    right = Stretch(mark_at(40, 3), mark_at(41, 4), sealed=41.1, state=state)
    write_increment(bucket_of(shelf), [[]], right)
    assert drilled(drill_of(shelf, "right")).recovered
    wrong = Stretch(mark_at(41, 4), mark_at(42, 5), sealed=42.1, state=state._replace(items=state.items + 1))
    write_increment(bucket_of(shelf), [[]], wrong)

    with pytest.raises(ContentDiffersError, match=f"has {state.items + 1} items by the figures .* {state.items} by"):
        drilled(drill_of(shelf, "wrong"))


def test_figures_that_a_drill_remembered_must_be_met_by_the_next(shelf: Store, history: History) -> None:
    drilled(drill_of(shelf, "first"))
    packed = orjson.loads(seal_of(shelf, history.folders[-1])["state"]["S"])
    digest = "B" + packed["digest"][1:] if packed["digest"][0] != "B" else "C" + packed["digest"][1:]
    shelf.pair.target.client.update_item(
        TableName=os.environ["DYNAMODB_COPY_STATE_TABLE"],
        Key=seal_key(history.folders[-1]),
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": orjson.dumps({**packed, "digest": digest}).decode()}},
    )

    with pytest.raises(ContentDiffersError, match=r"has the digest .* by the figures that the chain carries"):
        drilled(drill_of(shelf, "second"))


def test_a_scratch_table_that_lost_an_item_of_the_replay_fails_the_count(shelf: Store, history: History) -> None:
    run = drill_of(shelf)
    rehearsed(run)
    for segment in run.hand_over().segments:
        run.apply(segment, unseen)
    scratch = run.plan().target_arn.rpartition("/")[2]
    shelf.pair.target.client.delete_item(TableName=scratch, Key={"id": history.at(40)[0]["id"]})

    with pytest.raises(ContentDiffersError, match="come of the full backup and its increments; the restore lost"):
        run.check_rows()

    assert run.report(moment(41)).problems[0] == "the counts of rows differ"
    assert run.drop()


def test_the_increments_count_towards_what_a_drill_may_restore(shelf: Store, history: History) -> None:
    del history
    with pytest.raises(BackupRefusedError, match=r"with 3 increments holds [\d,]+ bytes, allowed are 3,000"):
        shelf.drill(drill={**OBJECTIVES, "max_bytes": "3KB"}).choose()


def test_windows_of_the_service_are_drilled_too(shelf: Store) -> None:
    history = history_of(5)
    store_by_windows(bucket_of(shelf), history, [10, 20, 40], native_full=False)

    report = drilled(drill_of(shelf))

    assert report.recovered
    assert report.expected_items == state_at(history, 40).items
