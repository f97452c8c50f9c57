"""Which backups a job no longer needs, and in which order they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.catalogue import Entry, entries
from dynamodb_copy.errors import ExpirySuspendedError
from dynamodb_copy.formats.manifest import Summary
from dynamodb_copy.job import BackupJob, Keep
from dynamodb_copy.phases.expiring import check_not_shrunk, expendable, expire, own_backups, would_expire
from dynamodb_copy.state.seals import Proof, remember_proof, remember_root, root_of
from job_texts import STORE, kind_of
from stack.native_layout import Export, written_export
from stored_backups import EXPORT, TABLE_ARN, item_of, write_backup
from unit.phases.memory_context import MemoryContext
from unit.phases.memory_tables import NOW, Tables, context_of

NOW_MOMENT = datetime.fromtimestamp(NOW, UTC)


def aged(days: float, items: int = 1) -> Entry:
    """A backup that was consistent so many days ago; its id is its age."""
    moment = (NOW_MOMENT - timedelta(days=days)).isoformat()
    return Entry(f"orders/AWSDynamoDB/{days}", "full", Summary(TABLE_ARN, "id", moment, items, {}))


def left(keep: dict[str, int], ages: Sequence[float], proven: Sequence[float] = ()) -> list[float]:
    """The ages of the backups that stay."""
    ours = [aged(age) for age in ages]
    gone = expendable(ours, Keep.model_validate(keep), NOW_MOMENT, {f"{age}" for age in proven})
    return [age for age in ages if f"{age}" not in {entry.id for entry in gone}]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ({"full": 1}, [0.5]),
        ({"full": 3}, [0.5, 1, 2]),
        ({"full": 7}, [0.5, 1, 2, 3, 4, 5]),
        ({"days": 1}, [0.5, 1]),
        ({"days": 3}, [0.5, 1, 2, 3]),
        ({"days": 30}, [0.5, 1, 2, 3, 4, 5]),
        ({"full": 2, "days": 4}, [0.5, 1, 2, 3, 4]),
        ({"full": 4, "days": 2}, [0.5, 1, 2, 3]),
        ({"full": 1, "days": 1}, [0.5, 1]),
    ],
)
def test_a_backup_stays_while_number_or_age_wants_it(keep: dict[str, int], expected: list[float]) -> None:
    assert left(keep, [0.5, 1, 2, 3, 4, 5]) == expected


@pytest.mark.parametrize("keep", [{"full": 1}, {"days": 1}, {"full": 1, "days": 1}])
def test_the_newest_stays_however_old_it_is(keep: dict[str, int]) -> None:
    assert left(keep, [300, 301, 400]) == [300]
    assert left(keep, [300]) == [300]
    assert left(keep, []) == []


def test_the_newest_that_a_drill_proved_stays_however_old_it_is() -> None:
    assert left({"full": 1}, [0, 1, 2, 3, 4], [2, 3]) == [0, 2]
    assert left({"days": 1}, [0, 1, 2, 3, 4], [4]) == [0, 1, 4]
    assert left({"full": 1}, [0, 1, 2], [0]) == [0]


def test_one_that_was_proven_and_is_gone_keeps_nothing_in_its_place() -> None:
    assert left({"full": 1}, [0, 1, 2], [9]) == [0]


def test_a_backup_of_a_machine_whose_clock_is_ahead_stays() -> None:
    assert left({"full": 1}, [-2, -1, 1]) == [-2, -1]


@given(
    ages=st.lists(st.integers(0, 60), unique=True, max_size=12).map(sorted),
    full=st.none() | st.integers(1, 12),
    days=st.none() | st.integers(1, 60),
    proven=st.sets(st.integers(0, 60), max_size=5),
)
def test_nothing_goes_that_a_rule_wants(
    ages: list[float], full: int | None, days: int | None, proven: set[float]
) -> None:
    keep = {name: value for name, value in {"full": full or (None if days else 1), "days": days}.items() if value}

    stay = left(keep, ages, sorted(proven))

    newest_proven = [age for age in ages if age in proven][:1]
    wanted = {*ages[: keep.get("full", 1)], *newest_proven, *[age for age in ages if age <= keep.get("days", -1)]}
    assert set(stay) == wanted | {age for age in ages if age == 0}


@pytest.mark.parametrize("items", [[], [0], [5], [50, 100], [51, 100], [0, 0], [1, 1], [100, 1], [500, 1000, 9000]])
def test_a_backup_of_half_the_items_or_more_is_no_alarm(items: list[int]) -> None:
    check_not_shrunk([aged(age, count) for age, count in enumerate(items)])


@pytest.mark.parametrize("items", [[49, 100], [0, 1], [0, 1, 0], [499, 1000, 1]])
def test_a_backup_of_less_than_half_the_items_is_an_alarm(items: list[int]) -> None:
    with pytest.raises(ExpirySuspendedError, match=f"keep: 0 holds {items[0]} items, 1 before it held {items[1]}; "):
        check_not_shrunk([aged(age, count) for age, count in enumerate(items)])


def made(days: float, **changes: Any) -> Export:
    """A backup of so many days ago at the job's place."""
    at = NOW - days * 86_400
    export = replace(EXPORT, prefix="orders", exported_at=at, started_at=at, ended_at=at + 60)
    return replace(export, id=f"{int(at * 1000):014d}-efd1a093", **changes)


def context_with(*ages: float, items: int = 4, keep: dict[str, int] | None = None) -> MemoryContext:
    """A run of a job that keeps the last one, whose place has backups of these ages."""
    tables = Tables()
    tables.add("orders", TableArn=TABLE_ARN)
    job = kind_of(BackupJob, to=STORE, **({} if keep == {} else {"keep": keep or {"full": 1}}))
    context = context_of(job, tables)
    for age in ages:
        add_backup(context, made(age), items=items)
    return context


def add_backup(context: MemoryContext, export: Export, *, items: int = 4) -> None:
    written = write_backup(context.stored, [[item_of(number) for number in range(items)]], export)
    remember_root(context.rows, export.id, "s3://dr-backups", written.root)


def uris(*exports: Export) -> list[str]:
    return [f"s3://dr-backups/{export.folder}" for export in exports]


def folders(context: MemoryContext) -> set[str]:
    """The folders in the bucket that still hold anything."""
    return {"/".join(key.split("/")[:3]) for key in context.stored.contents}


def test_what_is_no_longer_kept_is_deleted_whole_and_named() -> None:
    context = context_with(0, 1, 2)
    context.stored.put(f"{made(1).folder}/drills/report.json", b"{}")

    gone = expire(context)

    assert gone == uris(made(1), made(2))
    assert folders(context) == {made(0).folder}
    assert expire(context) == []


def kill_at_deletion(context: MemoryContext, number: int) -> list[str]:
    """Let the process die at that deletion; returns what it meant to delete up to then."""
    deleted: list[str] = []

    def killed(verb: str, key: str) -> None:
        if verb == "delete":
            deleted.append(key)
            if len(deleted) == number:
                raise KeyboardInterrupt

    context.stored.step = killed
    with pytest.raises(KeyboardInterrupt):
        expire(context)
    context.stored.step = lambda *_: None
    return deleted


def test_a_backup_does_not_exist_from_its_first_deletion_on() -> None:
    context = context_with(0, 1)

    deleted = kill_at_deletion(context, 2)

    assert deleted[0] == f"{made(1).folder}/manifest-summary.json"
    assert [entry.kind for entry in entries(context.stored, "orders")] == ["unsealed", "full"]


@pytest.mark.parametrize("number", range(1, 9))
def test_a_deletion_that_was_cut_short_anywhere_is_ended_by_the_next_run(number: int) -> None:
    context = context_with(0, 1)
    kill_at_deletion(context, number)

    expire(context)

    assert folders(context) == {made(0).folder}


def test_what_another_run_has_not_sealed_yet_is_not_taken_for_a_deletion_that_was_cut_short() -> None:
    context = context_with(0, 1)
    context.stored.put(f"{made(-1).folder}/data/part.json.gz", b"")

    expire(context)

    assert folders(context) == {made(0).folder, made(-1).folder}


def test_only_sealed_backups_that_this_product_made_of_this_table_are_deleted() -> None:
    context = context_with(0, 1)
    others = [made(3, table_arn="arn:aws:dynamodb:us-east-1:123456789012:table/customers"), made(4), made(5)]
    write_backup(context.stored, [[item_of(1)]], others[0])
    context.stored.contents |= written_export(others[1], [[item_of(1)]])
    add_backup(context, others[2])
    del context.stored.contents[others[2].summary_key]

    assert [entry.id for entry in own_backups(context)] == [made(0).id, made(1).id]
    assert expire(context) == uris(made(1))
    assert folders(context) == {export.folder for export in [made(0), *others]}


def test_a_damaged_backup_is_left_for_a_person_to_look_at() -> None:
    context = context_with(0, 1)
    context.stored.contents[made(1).summary_key] = b"{"

    assert expire(context) == []
    assert folders(context) == {made(0).folder, made(1).folder}


def test_what_a_drill_proved_last_is_kept() -> None:
    context = context_with(0, 1, 2, 3)
    for age in (2, 3):
        remember_proof(context.rows, made(age).id, Proof("manual__1", "2026-11-25T06:01:30+00:00"))

    assert expire(context) == uris(made(1), made(3))


def test_what_is_remembered_of_a_deleted_backup_expires_and_of_no_other() -> None:
    context = context_with(0, 1)

    expire(context)

    expiring = {key.partition for key, row in context.remembered.rows.items() if "expires_at" in row}
    assert expiring == {f"backup#{made(1).id}"}
    assert root_of(context.rows, made(1).id) is not None


def test_a_job_without_keep_deletes_nothing() -> None:
    context = context_with(0, 1, 2, keep={})

    assert (expire(context), would_expire(context)) == ([], [])
    assert len(folders(context)) == 3


def test_nothing_is_deleted_when_the_newest_backup_has_lost_most_of_its_items() -> None:
    context = context_with(1, 2)
    add_backup(context, made(0), items=1)

    with pytest.raises(ExpirySuspendedError, match=f"{made(0).id} holds 1 items, {made(1).id} before it held 4"):
        expire(context)

    assert len(folders(context)) == 3


def test_what_would_be_deleted_is_what_is_deleted() -> None:
    context = context_with(0, 1, 2)
    before = dict(context.stored.contents)

    told = [uri.rpartition("/")[2] for uri in would_expire(context)]

    assert context.stored.contents == before
    assert told == [uri.rpartition("/")[2] for uri in expire(context)]


def test_nothing_would_be_deleted_while_deletion_is_suspended() -> None:
    context = context_with(1, 2)
    add_backup(context, made(0), items=1)

    assert would_expire(context) == []
