"""How long a whole drill takes through Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from benchmarks.airflow_runs import airflow_with, run_once
from benchmarks.figures import Figure, at_most
from benchmarks.material import BUCKET, ITEMS_TABLE, backup_text, create_bucket, create_items_table, fill_items_table
from stack.airflow_stack import CONNECTIONS

_ITEMS = 20_000
_SECONDS = 60.0
_BACKUP, _DRILL = "items_backup", "items_drill"
_VIRGINIA, _OREGON = [{"region": region, "connection": connection} for connection, region in CONNECTIONS.items()]
_PLACE = {"s3": f"s3://{BUCKET}/items", **_OREGON}
_OBJECTIVES = {"rto": "5m", "rpo": "1h", "max_bytes": "1GB"}


def drill() -> Iterator[Figure]:
    """Back a table up by a DAG run, drill the backup by another, and measure that from queued to success."""
    with airflow_with({_BACKUP: _backup_text(), _DRILL: _drill_text()}, _fill) as running:
        stored = run_once(running.api, _BACKUP)
        drilled = run_once(running.api, _DRILL)
    assert stored.figures["items"] == _ITEMS, stored
    rows = [drilled.figures[name] for name in ("recovered", "manifest_items", "read_items", "scratch_items")]
    assert rows == [True, _ITEMS, _ITEMS, _ITEMS], drilled
    yield at_most(f"drill of a {_ITEMS:,}-item backup, queued to success", drilled.seconds, _SECONDS, "s")


def _fill(endpoint: str) -> None:
    create_items_table(endpoint)
    fill_items_table(endpoint, _ITEMS)
    create_bucket(endpoint)


def _backup_text() -> str:
    ends: dict[str, Any] = {"from": {"table": ITEMS_TABLE, **_VIRGINIA}, "to": _PLACE}
    return backup_text(**ends)


def _drill_text() -> str:
    keys = {"drill": _OBJECTIVES, "from": _PLACE, "to": _OREGON, "write": "unlimited", "segments": 1}
    return yaml.safe_dump(keys)
