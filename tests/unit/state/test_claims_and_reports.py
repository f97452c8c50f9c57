from __future__ import annotations

from dataclasses import replace

import pytest

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.claims import Claim, claim, claim_on
from dynamodb_copy.state.registry import LastRun
from dynamodb_copy.state.reports import store_report
from dynamodb_copy.state.rows import RowKey
from unit.state.memory_rows import MemoryRows

TARGET = "arn:aws:dynamodb:us-west-2:123456789012:table/orders"
OTHER = "arn:aws:dynamodb:us-west-2:123456789012:table/orders2"
MINE = Claim("arn:aws:dynamodb:us-east-1:123456789012:table/orders", "source-1", "target-1", "orders")
YOURS = Claim("arn:aws:dynamodb:eu-west-1:123456789012:table/orders", "source-2", "target-1", "other")


def test_a_target_that_was_never_filled_has_no_claim() -> None:
    assert claim_on(MemoryRows(), TARGET) is None


def test_without_a_state_table_nothing_was_ever_claimed() -> None:
    def missing(_: str) -> None:
        raise ResourceMissingError("GetItem: ResourceNotFoundException")

    assert claim_on(MemoryRows(missing), TARGET) is None


def test_a_claim_is_read_back_as_it_was() -> None:
    rows = MemoryRows()

    assert claim(rows, TARGET, MINE, in_place_of=None)

    assert claim_on(rows, TARGET) == MINE
    assert claim_on(rows, OTHER) is None


def test_a_target_has_one_source_the_last_one() -> None:
    rows = MemoryRows()
    claim(rows, TARGET, MINE, in_place_of=None)

    assert claim(rows, TARGET, YOURS, in_place_of=MINE)

    assert claim_on(rows, TARGET) == YOURS


@pytest.mark.parametrize("seen", [None, replace(MINE, target_id="target-0"), replace(MINE, source_id="source-0")])
def test_a_claim_that_was_made_meanwhile_is_not_written_over(seen: Claim | None) -> None:
    rows = MemoryRows()
    claim(rows, TARGET, MINE, in_place_of=None)

    assert not claim(rows, TARGET, YOURS, in_place_of=seen)

    assert claim_on(rows, TARGET) == MINE


@pytest.mark.parametrize("before", [None, YOURS])
def test_a_claim_whose_reply_was_lost_is_known_to_have_been_made(before: Claim | None) -> None:
    rows = MemoryRows()
    claim(rows, TARGET, MINE, in_place_of=None)

    assert claim(rows, TARGET, MINE, in_place_of=before)


def test_claims_do_not_expire() -> None:
    rows = MemoryRows()
    claim(rows, TARGET, MINE, in_place_of=None)

    assert "expires_at" not in (rows.get(RowKey(f"target#{TARGET}", "claim")) or {"expires_at": ""})


def test_the_same_run_writes_over_its_own_report_and_over_no_other() -> None:
    rows = MemoryRows()
    for run, items in (("manual__1", 1), ("manual__1", 2), ("manual__2", 3)):
        store_report(
            rows, "orders", LastRun(run, "2026-12-01T02:10:00+00:00", "", "us-west-2/orders", "copy"), {"items": items}
        )

    assert [row["report"]["S"] for row in rows.query("job#orders", "report#")] == ['{"items":2}', '{"items":3}']
