"""Run reports, kept on the target's side."""

from __future__ import annotations

from typing import Any

import orjson

from dynamodb_copy.state.registry import LastRun, register_run
from dynamodb_copy.state.rows import RowKey, StateRows, expiry

_REPORT_DAYS = 400


def store_report(rows: StateRows, job_name: str, run: LastRun, report: dict[str, Any]) -> None:
    """Store a run's report, and that it is the job's last run; the same run writes over its own."""
    row = {"report": {"S": orjson.dumps(report).decode()}, "expires_at": expiry(_REPORT_DAYS)}
    rows.put(RowKey(f"job#{job_name}", f"report#{run.run_id}"), row)
    register_run(rows, job_name, run)
