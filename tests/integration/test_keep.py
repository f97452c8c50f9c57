"""How long backups stay: what `keep` no longer keeps goes as a whole, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest

from dynamodb_copy.assembly import BackupRun
from dynamodb_copy.errors import BackupRefusedError, ExpirySuspendedError
from integration.backups import Store, at, contents, whole_backup, whole_drill, whole_restore
from integration.killing import KilledError, Process, living
from integration.pair import Hurried, Pair
from stack.golden import put_golden_export
from unit.aws.buckets import Requests

pytestmark = pytest.mark.integration

FIRST = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def night(number: int, hours: float = 0.0) -> float:
    """Epoch seconds of that night's run, or of so many hours later."""
    return (FIRST + timedelta(days=number, hours=hours)).timestamp()


@pytest.fixture
def store(pair: Pair, store: Store) -> Store:
    """A bucket, and a table of ten items to be backed up night after night."""
    pair.source.create()
    pair.source.fill(range(10))
    return store


def nightly(store: Store, *numbers: int) -> list[str]:
    """Back up in these nights; the folders."""
    before = set(store.folders())
    for number in numbers:
        whole_backup(at(night(number), store.backup(f"night {number}", segments=1, clock=Hurried())))
    return [folder for folder in store.folders() if folder not in before]


def expiring(store: Store, number: int, **keep: int) -> BackupRun:
    """The run of a night, one hour later."""
    return at(night(number, hours=1), store.backup(f"night {number}", keep=keep))


def addresses(store: Store, folders: list[str]) -> list[str]:
    return [f"s3://{store.bucket}/{folder}" for folder in folders]


def test_the_oldest_go_as_a_whole_when_there_are_more_than_are_kept(store: Store) -> None:
    folders = nightly(store, 0, 1, 2, 3)
    kept = {folder: store.contents(folder) for folder in folders[2:]}

    gone = expiring(store, 3, full=2).expire()

    assert sorted(gone) == addresses(store, folders[:2])
    assert store.folders() == folders[2:]
    assert {folder: store.contents(folder) for folder in store.folders()} == kept
    assert whole_restore(store.restore()).items == 10


@pytest.mark.parametrize(
    ("keep", "stay"),
    [
        ({"days": 1}, [4]),
        ({"full": 1}, [4]),
        ({"full": 4, "days": 2}, [1, 2, 3, 4]),
        ({"full": 1, "days": 3}, [2, 3, 4]),
    ],
)
def test_a_backup_stays_as_long_as_full_or_days_keeps_it(store: Store, keep: dict[str, int], stay: list[int]) -> None:
    folders = nightly(store, 0, 1, 2, 3, 4)

    told = expiring(store, 4, **keep).forecast().would_delete
    gone = expiring(store, 4, **keep).expire()

    assert store.folders() == [folders[number] for number in stay]
    assert gone == told
    assert expiring(store, 4, **keep).expire() == []


def test_without_keep_nothing_goes(store: Store) -> None:
    folders = nightly(store, 0, 1)
    run = at(night(900), store.backup("night 1"))

    assert (run.forecast().would_delete, run.expire()) == ([], [])

    assert store.folders() == folders


def test_the_newest_stays_however_old_it_is(store: Store) -> None:
    folders = nightly(store, 0, 1)

    at(night(900), store.backup("much later", keep={"days": 1})).expire()

    assert store.folders() == folders[1:]
    assert whole_restore(store.restore()).items == 10


def test_the_newest_that_a_drill_proved_stays(store: Store) -> None:
    oldest, proven, unproven, newest = nightly(store, 0, 1, 2, 3)
    for number in (0, 1):
        as_of = FIRST + timedelta(days=number)
        run = store.drill(f"drill of {number}", drill={"rto": "30m", "rpo": "365d", "max_bytes": "1GB"})
        run.choose(as_of)
        assert whole_drill(run).recovered

    gone = expiring(store, 3, full=1).expire()

    assert sorted(gone) == addresses(store, [oldest, unproven])
    assert store.folders() == [proven, newest]


def test_a_backup_whose_drill_missed_its_objective_is_not_proven(store: Store) -> None:
    nightly(store, 0, 1)
    run = store.drill(drill={"rto": "30m", "rpo": "5m", "max_bytes": "1GB"})
    assert not whole_drill(run, triggered=FIRST + timedelta(days=1, hours=1)).recovered
    (newest,) = nightly(store, 2)

    expiring(store, 2, full=1).expire()

    assert store.folders() == [newest]


def test_nothing_goes_while_the_newest_holds_less_than_half(store: Store) -> None:
    folders = nightly(store, 0, 1)
    store.pair.source.delete(*range(6))
    folders += nightly(store, 2)

    with pytest.raises(ExpirySuspendedError) as caught:
        expiring(store, 2, full=1).expire()

    shrunk, before = [folder.rpartition("/")[2] for folder in (folders[2], folders[1])]
    for part in (
        f"keep: {shrunk} holds 4 items, {before} before it held 10",
        "nothing is deleted",
        "delete backups by",
    ):
        assert part in str(caught.value)
    assert store.folders() == folders
    assert expiring(store, 2, full=1).forecast().would_delete == []

    store.pair.source.fill(range(6))
    folders += nightly(store, 3)
    expiring(store, 3, full=1).expire()
    assert store.folders() == folders[3:]


def test_half_of_the_one_before_is_enough(store: Store) -> None:
    nightly(store, 0)
    store.pair.source.delete(*range(5))
    (newest,) = nightly(store, 1)

    expiring(store, 1, full=1).expire()

    assert store.folders() == [newest]


def test_what_the_job_did_not_make_is_left_alone(store: Store) -> None:
    other = Pair(store.pair.endpoint, f"{store.pair.table}-2")
    other.source.create()
    put_golden_export(store.client, store.bucket, store.prefix)
    whole_backup(at(night(-9), Store(other, store.bucket).backup()))
    at(night(-8), store.backup("never sealed")).prepare()
    parent = f"{store.prefix}/AWSDynamoDB"
    incremental = orjson.dumps({"version": "2023-08-01", "exportFromTime": "2026-01-01T00:00:00.000Z"})
    store.write(f"{parent}/00000000000000-00000001/manifest-summary.json", incremental)
    store.write(f"{parent}/00000000000000-00000002/manifest-summary.json", b"{}")
    store.write(f"{store.prefix}/notes.txt", b"of a person")
    foreign = {key: store.read(key) for key in store.all_keys()}
    folders = nightly(store, 0, 1)

    gone = expiring(store, 1, full=1).expire()

    assert gone == addresses(store, folders[:1])
    assert {key: store.read(key) for key in store.all_keys() if not key.startswith(folders[1])} == foreign


def test_an_export_of_the_same_table_that_others_made_is_left_alone(store: Store) -> None:
    """It has no backup.json beside it."""
    native, *_ = nightly(store, 0)
    store.delete(f"{native}/backup.json", f"{native}/backup.sha256", f"{native}/table.json")
    folders = nightly(store, 1, 2)

    expiring(store, 2, full=1).expire()

    assert store.folders() == [native, folders[1]]


def test_the_summary_goes_before_all_else(store: Store) -> None:
    folders = nightly(store, 0, 1)
    requests = Requests()

    with store.pair.observed("aws_oregon", rules=[requests.rule()]):
        expiring(store, 1, full=1).expire()

    deletions = [body.decode() for body in requests.bodies if b"<Delete" in body]
    assert deletions[0].count("<Key>") == 1
    assert f"<Key>{folders[0]}/manifest-summary.json</Key>" in deletions[0]


def test_an_expiry_that_is_killed_at_each_of_its_requests_leaves_nothing_half(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = nightly(store, 0, 1, 2)
    kept = store.contents(folders[2])
    opened = partial(store.backup, "night 2", keep={"full": 1}, clock=Hurried())
    kills = 0

    for dies_at in range(1, 100):
        try:
            with living(Process(dies_at, after_sending=True), store.pair.endpoint, monkeypatch):
                at(night(2), opened()).expire()
            break
        except KilledError:
            kills += 1
        choosable = [folder for folder in folders if f"{folder}/manifest-summary.json" in store.all_keys()]
        assert [len(store.contents(folder)) for folder in choosable] == [9] * len(choosable)

    assert kills > 10
    assert store.folders() == folders[2:]
    assert store.contents(folders[2]) == kept


def test_a_backup_that_goes_under_a_restore_fails_it_by_name(store: Store) -> None:
    folders = nightly(store, 0)
    run: Any = store.restore()
    run.choose()
    nightly(store, 1)
    expiring(store, 1, full=1).expire()

    with pytest.raises(BackupRefusedError, match=rf"{folders[0]}/manifest-summary\.json: is missing"):
        run.prepare()

    assert not store.pair.target.exists()
    assert contents(store.pair.source)
