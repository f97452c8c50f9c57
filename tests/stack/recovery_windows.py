"""The window of point-in-time recovery, for which emulators only keep a switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stack.native_calls import Caller, Operation, RefusalError

_LONGEST_SECONDS = 35 * 24 * 3600
_RESTORE_LAG_SECONDS = 300
"""A restore ends at about five minutes ago (DescribeContinuousBackups, API reference); an export may be of now."""


class RecoveryWindows:
    """Remembers since when each table's recovery is on: since it was switched on here, or first seen so."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since: dict[str, int] = {}  # epoch seconds by table ARN

    def operations(self) -> dict[str, Operation]:
        """What is answered in the emulator's place."""
        return {"DescribeContinuousBackups": self._show, "UpdateContinuousBackups": self._switch}

    def check(self, caller: Caller, table_arn: str, moment: float) -> None:
        """Raise RefusalError unless the table can be exported as of that epoch second."""
        recovery = caller.call("DescribeContinuousBackups", TableName=table_arn)["ContinuousBackupsDescription"]
        earliest = self._noted(table_arn, recovery["PointInTimeRecoveryDescription"])
        if earliest is None:
            code = "PointInTimeRecoveryUnavailableException"
            raise RefusalError(code, f"Point in time recovery is not enabled for table '{table_arn}'")
        if not earliest <= moment <= self._now():
            raise RefusalError("InvalidExportTimeException", "Export Time is invalid")

    def _show(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        return self._completed(caller, asked, caller.call("DescribeContinuousBackups", **asked))

    def _switch(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        return self._completed(caller, asked, caller.call("UpdateContinuousBackups", **asked))

    def _completed(self, caller: Caller, asked: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
        """The reply with the window's ends."""
        recovery = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        earliest = self._noted(caller.table(asked["TableName"])["TableArn"], recovery)
        if earliest is not None:
            recovery["EarliestRestorableDateTime"] = earliest
            recovery["LatestRestorableDateTime"] = max(earliest, int(self._now()) - _RESTORE_LAG_SECONDS)
        return reply

    def _noted(self, table_arn: str, recovery: dict[str, Any]) -> int | None:
        """The window's beginning; None while recovery is off."""
        if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
            self._since.pop(table_arn, None)
            return None
        since = self._since.setdefault(table_arn, int(self._now()))
        return max(since, int(self._now()) - _LONGEST_SECONDS)
