"""The restore that a drill rehearses is the drill in all that both have."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.job import DrillJob, RestoreJob
from dynamodb_copy.job.rehearsals import rehearsal_of
from job_texts import HERE, TOPIC, kind_of

SCRATCH = "orders-drill-0123456789ab"
EVERY_KEY: dict[str, Any] = {
    "description": "Grüße, 東京 🦀",
    "tags": ["dr"],
    "schedule": "every 6h",
    "parallel": 8,
    "pool": "copies",
    "queue": "west",
    "retries": 0,
    "retry_delay": "90s",
    "timeout": "2h",
    "late_after": "1h",
    "start": "2026-12-01",
    "end": "2027-12-01",
    "catch_up": True,
    "notify": {"connection": "aws_oregon", "on_late": TOPIC},
    "preconditions": [{"table_exists": HERE}],
    "write": {"units": 500},
    "segments": 16,
    "bucket_owner": "123456789012",
}


def test_every_key_that_a_drill_may_have_is_tried() -> None:
    assert EVERY_KEY.keys() | {"drill", "from", "to"} == set(DrillJob.keys())


@pytest.mark.parametrize("changes", [{}, EVERY_KEY])
def test_every_key_of_a_drill_carries_over(changes: dict[str, Any]) -> None:
    drill = kind_of(DrillJob, to_={"kms_key": "alias/drill"}, **changes)

    restore = rehearsal_of(drill, SCRATCH)

    shared = set(DrillJob.model_fields) & set(RestoreJob.model_fields) - {"target"}
    assert shared >= {"name", "text", "source", *EVERY_KEY}
    assert {name: getattr(restore, name) for name in shared} == {name: getattr(drill, name) for name in shared}


@pytest.mark.parametrize("key", EVERY_KEY)
def test_each_key_is_another_than_its_default_so_that_it_can_be_lost(key: str) -> None:
    assert getattr(kind_of(DrillJob, **EVERY_KEY), key) != getattr(kind_of(DrillJob), key)


def test_the_scratch_table_is_where_the_drill_says_under_the_key_that_it_says() -> None:
    drill = kind_of(DrillJob, to_={"kms_key": "alias/drill"})

    target = rehearsal_of(drill, SCRATCH).target

    assert (target.table, target.region, target.connection) == (SCRATCH, drill.target.region, drill.target.connection)
    assert target.kms_key == "alias/drill"


def test_a_rehearsal_loads_item_by_item_into_a_table_of_its_own_and_compares_the_content() -> None:
    restore = rehearsal_of(kind_of(DrillJob), SCRATCH)

    assert (restore.restore, restore.engine, restore.verify) == ("latest", "load", "content")
    assert (restore.target.existing, restore.target.table_keys) == ("refuse", None)


def test_the_drill_stays_as_it_is() -> None:
    drill = kind_of(DrillJob, **EVERY_KEY)

    rehearsal_of(drill, SCRATCH)

    assert drill == kind_of(DrillJob, **EVERY_KEY)
