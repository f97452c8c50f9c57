"""Whether changes can still be exported, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dynamodb_copy.aws.exports import RecoveryWindow
from dynamodb_copy.errors import ChangesLostError
from dynamodb_copy.phases.windowing import check_recovery

LATEST = datetime(2026, 11, 25, 9, 25, tzinfo=UTC)


def recovery(days: float, period_days: int = 35) -> RecoveryWindow:
    """One that began so many days ago."""
    return RecoveryWindow(LATEST - timedelta(days=days), LATEST, period_days)


def ago(**length: float) -> int:
    """A position that long before the latest moment."""
    return int((LATEST - timedelta(**length)).timestamp())


@pytest.mark.parametrize("position", [ago(days=3), ago(days=2), ago(minutes=1)])
def test_a_position_that_recovery_reaches_is_fine(position: int) -> None:
    assert check_recovery(recovery(days=3), position) == ""


def test_a_position_before_the_recovery_names_both_moments_and_the_way_out() -> None:
    with pytest.raises(ChangesLostError) as caught:
        check_recovery(recovery(days=3), ago(days=3, seconds=1))

    assert str(caught.value) == (
        "from.table: changes are read up to 2026-11-22T09:24:59+00:00, and point-in-time recovery begins at "
        "2026-11-22T09:25:00+00:00: what lies between is lost, because recovery was switched off and on, or its 35 "
        "days have passed; say on_gap: full for a new full copy"
    )


def test_a_recovery_that_begins_within_the_positions_second_has_lost_some_of_it() -> None:
    begun = RecoveryWindow(LATEST + timedelta(milliseconds=1), LATEST + timedelta(days=1))

    with pytest.raises(ChangesLostError):
        check_recovery(begun, int(LATEST.timestamp()))


@pytest.mark.parametrize(("period_days", "unread_days"), [(35, 17.5), (7, 3.5), (1, 0.5)])
def test_half_of_the_recovery_period_unread_is_warned_of(period_days: int, unread_days: float) -> None:
    reached = recovery(days=period_days, period_days=period_days)

    assert check_recovery(reached, ago(days=unread_days)) == ""
    warning = check_recovery(reached, ago(days=unread_days, hours=1))
    assert f"of the {period_days} days after which point-in-time recovery forgets them" in warning


def test_a_young_recovery_forgets_nothing_sooner_than_an_old_one() -> None:
    assert check_recovery(recovery(days=4), ago(days=3.9)) == ""
