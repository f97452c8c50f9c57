"""What of a table can be exported, and which of its exports is the one that was begun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dynamodb_copy.aws.exports import RecoveryWindow, export_of_token, latest_restorable, recovery_window
from dynamodb_copy.errors import TableError

EARLIEST, LATEST = datetime(2026, 10, 21, 9, 30, tzinfo=UTC), datetime(2026, 11, 25, 9, 25, tzinfo=UTC)
TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
ON = {
    "PointInTimeRecoveryStatus": "ENABLED",
    "EarliestRestorableDateTime": EARLIEST,
    "LatestRestorableDateTime": LATEST,
}


class Recovering:
    """A stock client of a table with this recovery."""

    def __init__(self, **recovery: Any) -> None:
        self._recovery = recovery

    def describe_continuous_backups(self, **_asked: str) -> dict[str, Any]:
        """As the service."""
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": self._recovery,
            }
        }


class Exporting:
    """A stock client of a table whose exports, by their ids, were begun with these tokens."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self._tokens = tokens
        self.looked_at: list[str] = []

    def list_exports(self, **asked: str) -> dict[str, Any]:
        """As the service."""
        return {"ExportSummaries": [{"ExportArn": f"{asked['TableArn']}/export/{id_}"} for id_ in self._tokens]}

    def describe_export(self, **asked: str) -> dict[str, Any]:
        """As the service."""
        id_ = asked["ExportArn"].rpartition("/")[2]
        self.looked_at.append(id_)
        found = {"ExportArn": asked["ExportArn"], "ExportStatus": "COMPLETED", "ClientToken": self._tokens[id_]}
        return {"ExportDescription": found}


def test_recovery_reaches_from_its_earliest_to_its_latest_moment() -> None:
    recovery = recovery_window(Recovering(**ON, RecoveryPeriodInDays=7), "orders", needed_by="engine: export")

    assert recovery == RecoveryWindow(EARLIEST, LATEST, 7)


def test_recovery_lasts_35_days_unless_the_service_says_otherwise() -> None:
    assert recovery_window(Recovering(**ON), "orders", needed_by="engine: export").period_days == 35


def test_the_latest_moment_is_that_of_the_recovery() -> None:
    assert latest_restorable(Recovering(**ON), "orders") == LATEST


def test_what_needs_a_recovery_that_is_off_is_named_with_the_command_that_switches_it_on() -> None:
    client = Recovering(PointInTimeRecoveryStatus="DISABLED")

    with pytest.raises(TableError) as caught:
        recovery_window(client, "orders", needed_by="changes: {by: export}")

    assert str(caught.value) == (
        "from.table: point-in-time recovery of 'orders' is off, and changes: {by: export} needs it; switch it on with "
        "aws dynamodb update-continuous-backups --table-name orders "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
    )


def test_what_could_be_said_instead_is_told() -> None:
    client = Recovering(PointInTimeRecoveryStatus="DISABLED")

    with pytest.raises(TableError, match=r"and engine: export needs it; .*Enabled=true, or say engine: scan$"):
        latest_restorable(client, "orders")


def test_an_export_is_found_by_its_token() -> None:
    client = Exporting({"01768385930622-efd1a093": "other", "01768385940000-0a1b2c3d": "mine"})

    found = export_of_token(client, TABLE_ARN, "mine", since=1_768_385_930)

    assert found == f"{TABLE_ARN}/export/01768385940000-0a1b2c3d"
    assert export_of_token(client, TABLE_ARN, "nobody's", since=1_768_385_930) is None


def test_exports_that_began_before_are_not_looked_at() -> None:
    client = Exporting({"01768385929999-efd1a093": "mine", "01768385930000-efd1a093": "other"})

    assert export_of_token(client, TABLE_ARN, "mine", since=1_768_385_930) is None
    assert client.looked_at == ["01768385930000-efd1a093"]


def test_an_export_whose_id_does_not_tell_when_it_began_is_looked_at() -> None:
    client = Exporting({"efd1a093": "mine"})

    assert export_of_token(client, TABLE_ARN, "mine", since=1_768_385_930) == f"{TABLE_ARN}/export/efd1a093"
