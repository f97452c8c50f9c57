"""The window of point-in-time recovery, for which emulators only keep a switch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stack.native_calls import Caller, Operation, RefusalError

_DAY_SECONDS = 24 * 3600
_LONGEST_DAYS = 35
_RESTORE_LAG_SECONDS = 300
"""A restore ends at about five minutes ago (DescribeContinuousBackups, API reference); an export may be of now."""

_FROM = "Incremental export period from time"
_DIFFERENCE = "Difference between export period from time and export period to time"


class RecoveryWindows:
    """Remembers since when each table's recovery is on: since it was switched on here, or first seen so.

    Exports of changes are refused for windows shorter than `least_seconds`.
    """

    def __init__(self, now: Callable[[], float], least_seconds: int) -> None:
        self._now = now
        self._least_seconds = least_seconds
        self._since: dict[str, int] = {}  # epoch seconds by table ARN
        self._days: dict[str, int] = {}  # RecoveryPeriodInDays by table ARN

    def operations(self) -> dict[str, Operation]:
        """What is answered in the emulator's place."""
        return {"DescribeContinuousBackups": self._show, "UpdateContinuousBackups": self._switch}

    def check(self, caller: Caller, table_arn: str, moment: float) -> None:
        """Raise RefusalError unless the table can be exported as of that epoch second."""
        if not self._earliest(caller, table_arn) <= moment <= self._now():
            raise _refused("Export Time is invalid")

    def check_changes(self, caller: Caller, table: dict[str, Any], start: float, end: float) -> None:
        """Raise RefusalError unless changes from `start` on and before `end`, in epoch seconds, can be exported.

        Which code, and in which order the first two are found: as measured against AWS in October 2026 by
        ack-api-quirks (DDB-EXPORT-001, -004 and -019), which has no text for more than 24 hours.
        """
        created = int(table["CreationDateTime"])
        if start < created:
            raise _refused(f"{_FROM} cannot be less than the table creation time : {_instant(created)}")
        if start < self._earliest(caller, table["TableArn"]):
            raise _refused(f"{_FROM} is outside of the point in time recovery window")
        if end > self._now():
            raise _refused(
                f"Incremental export period to time cannot be greater than the current time : {_instant(self._now())}"
            )
        if start >= end:  # text: pull request 41517 of apache/airflow
            raise _refused(f"{_FROM} should not be greater or equal to incremental export period to time")
        if end - start < self._least_seconds:
            raise _refused(f"{_DIFFERENCE} is less than {self._least_seconds // 60} minutes")
        if end - start > _DAY_SECONDS:
            raise _refused(f"{_DIFFERENCE} is greater than 24 hours")

    def _earliest(self, caller: Caller, table_arn: str) -> int:
        recovery = caller.call("DescribeContinuousBackups", TableName=table_arn)["ContinuousBackupsDescription"]
        earliest = self._noted(table_arn, recovery["PointInTimeRecoveryDescription"])
        if earliest is None:
            code = "PointInTimeRecoveryUnavailableException"
            raise RefusalError(code, f"Point in time recovery is not enabled for table '{table_arn}'")
        return earliest

    def _show(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        return self._completed(caller, asked, caller.call("DescribeContinuousBackups", **asked))

    def _switch(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        specification = asked["PointInTimeRecoverySpecification"]
        days = specification.get("RecoveryPeriodInDays", _LONGEST_DAYS)
        self._days[caller.table(asked["TableName"])["TableArn"]] = days
        return self._completed(caller, asked, caller.call("UpdateContinuousBackups", **asked))

    def _completed(self, caller: Caller, asked: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
        """The reply with the window's ends."""
        recovery = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        table_arn = caller.table(asked["TableName"])["TableArn"]
        earliest = self._noted(table_arn, recovery)
        if earliest is not None:
            recovery["RecoveryPeriodInDays"] = self._days.get(table_arn, _LONGEST_DAYS)
            recovery["EarliestRestorableDateTime"] = earliest
            recovery["LatestRestorableDateTime"] = max(earliest, int(self._now()) - _RESTORE_LAG_SECONDS)
        return reply

    def _noted(self, table_arn: str, recovery: dict[str, Any]) -> int | None:
        """The window's beginning; None while recovery is off."""
        if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
            self._since.pop(table_arn, None)
            return None
        since = self._since.setdefault(table_arn, int(self._now()))
        return max(since, int(self._now()) - self._days.get(table_arn, _LONGEST_DAYS) * _DAY_SECONDS)


def _refused(message: str) -> RefusalError:
    return RefusalError("InvalidExportTimeException", message)


def _instant(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(int(epoch_seconds), UTC).isoformat().replace("+00:00", "Z")
