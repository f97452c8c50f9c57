"""Each contradiction that the reference lists is refused, and none of these cases is missing from the reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
)
from job_texts import HERE, TOPIC, errors_of

REFERENCE = (Path(__file__).parents[2] / "docs/jobs.md").read_text(encoding="utf-8")
STAGING = "s3://staging/orders"
EXPORT = {"changes": {"by": "export"}, "staging": STAGING}
ATTRIBUTE = {"by": "attribute", "attribute": "updated_at", "format": "iso8601"}
KEY_IN_VIRGINIA = "arn:aws:kms:us-east-1:123456789012:alias/orders"
DAILY = {"schedule": "@daily"}
CONTINUOUS = {"schedule": "continuous"}

CASES: dict[str, list[tuple[type[Job], dict[str, Any], str]]] = {
    "`from` and `to` with the same table, region and connection": [
        (CopyJob, {"to_": HERE}, "line 6, to: found {table"),
        (IncrementalJob, {"to_": HERE}, "line 8, to: found {table"),
    ],
    "`late_after`, `start`, `end` or `catch_up: true` without a `schedule`": [
        (IncrementalJob, {"late_after": "1h"}, "line 12, late_after: found"),
        (DrillJob, {"start": "2026-12-01"}, "start: found"),
        (RestoreJob, {"end": "2026-12-01"}, "end: found"),
        (BackupJob, {"catch_up": True}, "catch_up: found true; allowed: only together with a schedule"),
    ],
    "`end` at or before `start`": [
        (IncrementalJob, {**DAILY, "start": "2026-12-01", "end": "2026-12-01"}, "line 14, end: found"),
    ],
    "`catch_up: true` without `start`": [
        (CopyJob, {**DAILY, "catch_up": True}, "catch_up: found true; allowed: true only together with start"),
    ],
    "`catch_up: true` in an incremental job": [
        (IncrementalJob, {**DAILY, "catch_up": True}, "line 13, catch_up: found true; allowed: false; the next run"),
        (IncrementalBackupJob, {"catch_up": True}, "line 12, catch_up: found true; allowed: false; the next run"),
    ],
    "`notify: {on_late: …}` without `late_after`": [
        (CopyJob, {**DAILY, "notify": {"connection": "aws", "on_late": TOPIC}}, "allowed: on_late only together"),
    ],
    "a `kms_key` ARN of another region than the target's": [
        (IncrementalJob, {"to_": {"kms_key": KEY_IN_VIRGINIA}}, "line 12, to.kms_key: found"),
    ],
    "`read`, `consistent` or `segments` with `engine: export`": [
        (BackupJob, {"engine": "export", "segments": 2}, "segments: found 2; allowed: only with engine: scan"),
    ],
    "`schedule: continuous` for anything but an incremental copy": [
        (CopyJob, CONTINUOUS, "only changes by stream run on into a table: write every 6h, or another schedule"),
        (IncrementalBackupJob, CONTINUOUS, "line 12, schedule: found"),
        (IncrementalBackupJob, CONTINUOUS, "a window is sealed at the end of a run: write every 15m"),
    ],
    "`schedule: continuous` by export or by attribute": [
        (IncrementalJob, {**CONTINUOUS, **EXPORT}, "line 2, changes: found {by: "),
        (
            IncrementalJob,
            {**CONTINUOUS, **EXPORT},
            "allowed: by: stream with schedule: continuous; write schedule: eve",
        ),
        (IncrementalJob, {**CONTINUOUS, "changes": ATTRIBUTE}, "allowed: by: stream with schedule: continuous"),
    ],
    "`run_for` with another schedule than `continuous`": [
        (IncrementalJob, {"run_for": "1h"}, 'line 12, run_for: found "1h"; allowed: only with schedule: continuous'),
        (IncrementalJob, {**DAILY, "run_for": "1h"}, 'line 13, run_for: found "1h"; allowed: only with schedule'),
    ],
    "`run_for` of `timeout` or more, with `schedule: continuous`": [
        (IncrementalJob, {**CONTINUOUS, "run_for": "6h"}, 'line 13, run_for: found "6h"; allowed: a duration below'),
        (IncrementalJob, {**CONTINUOUS, "timeout": "1h"}, "run_for: found nothing; allowed: a duration below timeout"),
    ],
    "by attribute without `attribute` and `format`": [
        (IncrementalJob, {"changes": {"by": "attribute"}}, "line 2, changes.attribute: found nothing; allowed: a val"),
        (IncrementalJob, {"changes": {"by": "attribute"}}, "line 2, changes.format: found nothing; allowed: a value"),
    ],
    "`attribute`, `format`, `index` or `overlap` by stream or by export": [
        (IncrementalJob, {"changes": {"by": "stream", "attribute": "a"}}, "line 4, changes.attribute: found"),
        (IncrementalJob, {"changes": {"by": "export", "format": "iso8601"}}, "line 4, changes.format: found"),
        (IncrementalJob, {"changes": {"by": "stream", "overlap": "5m"}}, "line 4, changes.overlap: found"),
        (
            IncrementalBackupJob,
            {"changes": {"by": "export", "index": {"name": "by_update", "partitions": ["a"]}}},
            "line 4, changes.index: found",
        ),
    ],
    "`enable` by export or by attribute": [
        (IncrementalJob, {"changes": {"by": "export", "enable": False}}, "line 4, changes.enable: found false; all"),
        (IncrementalJob, {"changes": {**ATTRIBUTE, "enable": True}}, "changes.enable: found true; allowed: only with"),
    ],
    "an incremental backup by attribute": [
        (IncrementalBackupJob, {"changes": ATTRIBUTE}, "line 2, changes: found {by: "),
        (IncrementalBackupJob, {"changes": ATTRIBUTE}, "deletes are not seen, so it would be no backup"),
    ],
    "`ttl` by export or by attribute": [
        (IncrementalJob, {**EXPORT, "ttl": "skip"}, 'line 13, ttl: found "skip"; allowed: only with changes by: stre'),
        (IncrementalJob, {"changes": ATTRIBUTE, "ttl": "mirror"}, "ttl: found"),
    ],
    "an incremental copy by export, or with `base: export`, without `staging`": [
        (IncrementalJob, {"changes": {"by": "export"}}, "- staging: found nothing; allowed: a value, since it is nee"),
        (IncrementalJob, {"base": "export"}, "needed with changes by: export or with base: export; add the key"),
    ],
    "`base: scan` with changes by export": [
        (IncrementalJob, {**EXPORT, "base": "scan"}, 'line 13, base: found "scan"; allowed: export with changes by: '),
        (IncrementalBackupJob, {"changes": {"by": "export"}, "base": "scan"}, "windows of exports do not tell of"),
    ],
    "`staging` without anything exported": [
        (IncrementalJob, {"staging": STAGING}, "line 12, staging: found"),
        (IncrementalJob, {"staging": STAGING, "base": "scan"}, "allowed: only with changes by: export or with base: "),
    ],
    "`bucket_owner` without `staging` in an incremental copy": [
        (IncrementalJob, {"bucket_owner": "123456789012"}, "line 12, bucket_owner: found"),
    ],
    "`read` in an incremental backup with `base: export`": [
        (IncrementalBackupJob, {"base": "export", "read": "unlimited"}, "line 13, read: found"),
    ],
    "`write` or `segments` with `engine: import`": [
        (RestoreJob, {"engine": "import", "write": "unlimited"}, "write: found"),
        (RestoreJob, {"engine": "import", "segments": 2}, "segments: found 2"),
    ],
    "`existing: allow` with `engine: import`": [
        (RestoreJob, {"engine": "import", "to_": {"existing": "allow"}}, "engine: found"),
    ],
    "`hash` and `range` of the same name": [
        (
            RestoreJob,
            {"to_": {"keys": {name: {"name": "id", "type": "S"} for name in ("hash", "range")}}},
            "to.keys.range: found",
        ),
    ],
    "`share` and `units` in one rate": [
        (IncrementalJob, {"write": {"share": 0.5, "units": 500}}, "line 12, write: found {share"),
    ],
}


def test_the_reference_lists_these_contradictions_and_no_others() -> None:
    (section,) = re.findall(r"^## What contradicts.*?\n(.*?)(?=^##)", REFERENCE, flags=re.DOTALL | re.MULTILINE)

    assert re.findall(r"^\| (.+?) \| ", section, flags=re.MULTILINE)[1:] == list(CASES)


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        pytest.param(*case, id=f"{together} {number}")
        for together, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_what_contradicts_is_refused(kind: type[Job], changes: dict[str, Any], says: str) -> None:
    assert says in errors_of(kind, **changes)
