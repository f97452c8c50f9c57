"""The restore that a drill rehearses."""

from __future__ import annotations

from typing import Any

from dynamodb_copy.job.kinds import DrillJob, RestoreJob
from dynamodb_copy.job.yaml_reader import read_yaml


def rehearsal_of(drill: DrillJob, table: str) -> RestoreJob:
    """The drill's job as a restore of the same backups into a table of that name."""
    values: dict[str, Any] = dict(read_yaml(drill.text).values or {})
    del values["drill"]
    changed = {"restore": "latest", "to": {**values["to"], "table": table}, "name": drill.name, "text": drill.text}
    return RestoreJob.model_validate({**values, **changed})
