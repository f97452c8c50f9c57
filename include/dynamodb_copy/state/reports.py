"""Run reports, kept on the target's side."""

from __future__ import annotations

from typing import Any

import orjson

from dynamodb_copy.state.rows import RowKey, StateRows, expiry

_REPORT_DAYS = 400


def store_report(rows: StateRows, job_name: str, run: str, report: dict[str, Any]) -> None:
    """Store a run's report; the same run writes over its own."""
    row = {"report": {"S": orjson.dumps(report).decode()}, "expires_at": expiry(_REPORT_DAYS)}
    rows.put(RowKey(f"job#{job_name}", f"report#{run}"), row)
