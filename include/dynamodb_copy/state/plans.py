"""Plans: what a run does, written once; a second plan returns the first."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from dynamodb_copy.errors import RunIncompleteError
from dynamodb_copy.model import KeySchema, Segment
from dynamodb_copy.state.rows import RUN_DAYS, RowKey, StateRows, expiry


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run's tasks work from, so that an edited job file counts from the next run."""

    job_name: str
    job_text: str
    source_arn: str
    source_id: str  # TableId: another one means that the table was dropped and created again
    target_arn: str
    target_id: str
    key_names: tuple[str, ...]  # hash, then range
    ttl_attribute: str | None
    expires_before: int  # epoch seconds: items whose TTL falls before it are not compared
    segment_count: int
    read_units: float | None  # per second, all tasks together; None: unlimited
    verify_read_units: float | None  # the same for reads of the target
    write_units: dict[str, float]  # per second, by index name, the table itself under ""; empty: unlimited
    reason: str
    notes: tuple[str, ...]
    planned_at: float  # epoch seconds

    @property
    def segments(self) -> list[Segment]:
        """The segments to copy."""
        return [Segment(index, self.segment_count) for index in range(self.segment_count)]

    @property
    def keys(self) -> KeySchema:
        """The names of the key attributes."""
        return KeySchema(*self.key_names)


def _key(run: str) -> RowKey:
    return RowKey(run, "plan")


def store_plan(rows: StateRows, run: str, plan: Plan) -> Plan:
    """Store the plan unless the run has one; return the one that counts."""
    row = {"plan": {"S": orjson.dumps(asdict(plan)).decode()}, "expires_at": expiry(RUN_DAYS)}
    return plan if rows.insert(_key(run), row) else load_plan(rows, run)


def find_plan(rows: StateRows, run: str) -> Plan | None:
    """Return the run's plan, if it has one."""
    row = rows.get(_key(run))
    if row is None:
        return None
    fields = orjson.loads(row["plan"]["S"])
    return Plan(**fields | {"key_names": tuple(fields["key_names"]), "notes": tuple(fields["notes"])})


def load_plan(rows: StateRows, run: str) -> Plan:
    """Return the run's plan; raises RunIncompleteError when there is none."""
    plan = find_plan(rows, run)
    if plan is None:
        raise RunIncompleteError(
            f"{run}: nothing is planned; let the run's plan task succeed first; if the job's tables were "
            "edited since then, start a new run"
        )
    return plan
