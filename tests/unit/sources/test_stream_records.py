"""What records say, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.model import Delete, KeySchema, Put
from dynamodb_copy.sources.stream_records import Wanted, told_by

WANTED = Wanted(KeySchema("id", "at"), not_before=0.0)
KEY = {"at": {"N": "1"}, "id": {"S": "a"}}


def record(number: int, moment: float = 100.0, event: str = "MODIFY", **told: Any) -> dict[str, Any]:
    common = {"SequenceNumber": str(number), "ApproximateCreationDateTime": moment, "Keys": KEY}
    new = {} if event == "REMOVE" else {"NewImage": {**KEY, "n": {"N": str(number)}}}
    return {"eventName": event, "dynamodb": common | new | told}


def test_a_moment_that_goes_back_counts_as_the_latest_one_before_it() -> None:
    records = [record(1, 100.0), record(2, 98.0), record(3, 101.0), record(4, 99.0)]

    told = told_by(records, "", 100_500_000, WANTED)

    assert [change.written_at for change in told.changes] == [100_500_000, 100_500_000, 101_000_000, 101_000_000]
    assert (told.after, told.seen, told.created) == ("4", 101_000_000, 99.0)


def test_a_delete_has_the_key_alone_in_the_order_of_the_schema() -> None:
    told = told_by([record(1, event="REMOVE", OldImage={**KEY, "n": {"N": "7"}})], "", 0, WANTED)

    (change,) = told.changes
    assert isinstance(change, Delete)
    assert list(change.key) == ["id", "at"]
    assert change.old == {**KEY, "n": {"N": "7"}}


def test_the_items_before_the_changes_are_left_out_for_who_does_not_want_them() -> None:
    old = {**KEY, "n": {"N": "7"}}
    records = [record(1, OldImage=old), record(2, event="REMOVE", OldImage=old)]

    with_old, without = [told_by(records, "", 0, WANTED._replace(with_old=wanted)).changes for wanted in (True, False)]

    assert [change.old for change in with_old] == [old, old]
    assert [change.old for change in without] == [None, None]
    assert without == [change._replace(old=None) for change in with_old]


@pytest.mark.parametrize(
    "identity",
    [
        {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
        {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    ],
)
def test_ttl_is_known_by_its_identity_however_the_fields_are_spelled(identity: dict[str, str]) -> None:
    by_ttl = record(1, event="REMOVE") | {"userIdentity": identity}

    assert told_by([by_ttl], "", 0, WANTED._replace(skip_ttl=True)).changes == []
    assert len(told_by([by_ttl], "", 0, WANTED).changes) == 1


def test_other_services_deletes_and_puts_are_passed_on_though_those_of_ttl_are_left_out() -> None:
    other = {"userIdentity": {"Type": "Service", "PrincipalId": "replication.dynamodb.amazonaws.com"}}
    records = [record(1, event="REMOVE") | other, record(2) | other]

    assert len(told_by(records, "", 0, WANTED._replace(skip_ttl=True)).changes) == 2


@given(st.lists(st.integers(0, 10**21), unique=True), st.integers(0, 10**21))
def test_what_follows_a_sequence_number_is_told_whatever_its_digits(numbers: list[int], after: int) -> None:
    told = told_by([record(number) for number in sorted(numbers)], str(after), 0, WANTED)

    expected = [number for number in sorted(numbers) if number > after]
    assert [int(change.item["n"]["N"]) for change in told.changes if isinstance(change, Put)] == expected
    assert told.after == str(max([after, *expected]))
