"""The registry: what jobs of a side there are and were, how their last runs ended, and what people were told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.state.rows import Row, RowKey, StateRows

Alarm = Literal["alarm", "chain_alarm"]
"""The two looks at a job, at its runs and at its chain, each with a memory of its own."""

_PARTITION = "jobs"
_PREFIX = "job#"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The run of a job whose report was stored last."""

    run_id: str
    finished: str  # ISO 8601, UTC
    up_to: str  # ISO 8601, UTC: the target holds every change up to then; empty for a copy of a whole table
    target: str  # what people see, the same for all jobs that write the same
    kind: str  # of the job


@dataclass(frozen=True, slots=True)
class Registered:
    """What is remembered of a job."""

    job_name: str
    last: LastRun | None = None  # None: no report of it was ever stored
    seen_at: float | None = None  # epoch seconds: when a watcher first saw its file; None: none has yet
    alarm: str = ""  # what people were last told of, empty when all is well
    chain_alarm: str = ""


def registry_key(job_name: str) -> RowKey:
    """Where a job's row is; it never expires."""
    return RowKey(_PARTITION, f"{_PREFIX}{job_name}")


def register_run(rows: StateRows, job_name: str, last: LastRun) -> None:
    """Remember how a job's last run ended, beside what else is known of the job."""
    rows.update(registry_key(job_name), {"last": {"S": orjson.dumps(asdict(last)).decode()}})


def sight(rows: StateRows, job_name: str, now: float) -> Registered:
    """What is remembered of a job whose file is there; the first sight is kept."""
    row = rows.get(registry_key(job_name)) or {}
    if "seen_at" not in row:
        row = {**row, "seen_at": {"N": f"{now:.3f}"}}
        rows.update(registry_key(job_name), {"seen_at": row["seen_at"]}, only_if="attribute_not_exists(seen_at)")
    return _registered(job_name, row)


def all_registered(rows: StateRows) -> list[Registered]:
    """The jobs of this side; none when the state table does not exist."""
    try:
        return [_registered(row["sk"]["S"].removeprefix(_PREFIX), row) for row in rows.query(_PARTITION, _PREFIX)]
    except ResourceMissingError:
        return []


def remember_told(rows: StateRows, job_name: str, alarm: Alarm, told: str) -> None:
    """Keep what people were told of a job."""
    rows.update(registry_key(job_name), {alarm: {"S": told}})


def _registered(job_name: str, row: Row) -> Registered:
    return Registered(
        job_name,
        LastRun(**orjson.loads(row["last"]["S"])) if "last" in row else None,
        float(row["seen_at"]["N"]) if "seen_at" in row else None,
        *[row[name]["S"] if name in row else "" for name in ("alarm", "chain_alarm")],
    )
