"""The verbs that only jobs have which take what has changed."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.errors import ChangesLostError, LeaseLostError
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy_airflow import metrics
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.incremental_operators import (
    ApplySegmentOperator,
    HandOverOperator,
    PlanBaseOperator,
    StartWindowsOperator,
)
from dynamodb_copy_airflow.operators import JobOperator
from dynamodb_copy_airflow.runs import AnyJob
from job_texts import kind_of

JOB = kind_of(IncrementalJob)
JOBS: list[AnyJob] = [JOB, kind_of(IncrementalBackupJob)]
WINDOWS = ["arn:export/1", "arn:export/2"]
NOW = 1_795_572_000.0

OPERATORS = [
    (PlanBaseOperator(task_id="plan", job=JOB), "plan"),
    (HandOverOperator(task_id="hand_over", job=JOB), "hand_over"),
    (StartWindowsOperator(task_id="start_windows", job=JOB), "start_windows"),
    (ApplySegmentOperator(task_id="apply", job=JOB, segment=[0, 2]), "apply"),
]
DECIDE: list[tuple[type[JobOperator], str]] = [(PlanBaseOperator, "plan"), (HandOverOperator, "hand_over")]


def raising(error: Exception) -> Any:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def applier() -> ApplySegmentOperator:
    return ApplySegmentOperator(task_id="apply", job=JOB, segment=[1, 2])


@pytest.mark.parametrize(("operator", "verb"), OPERATORS)
def test_a_permanent_failure_is_final_and_a_transient_one_is_retried(
    operator: JobOperator, verb: str, engine: Any, context: Any
) -> None:
    engine.verbs[verb] = raising(ChangesLostError("records expired unread"))
    with pytest.raises(AirflowFailException, match="expired unread"):
        operator.execute(context)

    engine.verbs[verb] = raising(LeaseLostError("segment 1/2 belongs to another attempt"))
    with pytest.raises(LeaseLostError):
        operator.execute(context)


@pytest.mark.parametrize(("decides", "verb"), DECIDE)
@pytest.mark.parametrize("segments", [[], [Segment(0, 2), Segment(1, 2)]], ids=len)
def test_the_numbers_of_the_segments_are_returned_even_if_there_are_none(
    decides: type[JobOperator], verb: str, segments: list[Segment], engine: Any, context: Any
) -> None:
    engine.verbs[verb] = lambda: SimpleNamespace(segments=segments, reason="")

    for job in JOBS:
        assert decides(task_id=verb, job=job).execute(context) == [[each.index, each.total] for each in segments]


@pytest.mark.parametrize(("decides", "verb"), DECIDE)
def test_what_is_decided_is_logged(
    decides: type[JobOperator], verb: str, engine: Any, context: Any, log_lines: list[str]
) -> None:
    engine.verbs[verb] = lambda: SimpleNamespace(segments=[], reason="nothing to read yet")

    decides(task_id=verb, job=JOB).execute(context)

    assert log_lines == ["nothing to read yet"]


def test_each_export_is_a_line_of_the_log(engine: Any, context: Any, log_lines: list[str]) -> None:
    engine.verbs["start_windows"] = lambda: WINDOWS

    assert StartWindowsOperator(task_id="start_windows", job=JOB).execute(context) is None

    assert log_lines == [f"the service exports: {arn}" for arn in WINDOWS]


def test_apply_applies_its_own_segment_and_logs_what_it_did(engine: Any, context: Any, log_lines: list[str]) -> None:
    applied = []

    def apply(segment: Segment, *_: Any) -> Tally:
        applied.append((segment, gc.get_freeze_count() > 0))
        return Tally(items=12_345, deletes=1_234)

    engine.verbs["apply"] = apply

    assert applier().execute(context) is None

    assert applied == [(Segment(1, 2), True)]
    (line,) = log_lines
    assert line.startswith("orders segment 2/2: done at 20")
    assert line.endswith(", 12,345 changes, 1,234 of them deletes")


def test_apply_reports_how_far_behind_the_target_is_after_each_checkpoint(
    engine: Any, context: Any, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del log_lines
    gauges: list[tuple[str, float, dict[str, str]]] = []
    monkeypatch.setattr(metrics, "gauge", lambda name, value, *, tags: gauges.append((name, value, tags)))
    monkeypatch.setattr("time.time", lambda: NOW)

    def apply(_segment: Segment, _on_progress: Any, on_drained: Any) -> Tally:
        on_drained(NOW - 90.0)
        on_drained(NOW - 5.0)
        return Tally()

    engine.verbs["apply"] = apply

    applier().execute(context)

    assert gauges == [
        ("dynamodb_copy.lag_seconds", 90.0, {"job": "orders"}),
        ("dynamodb_copy.lag_seconds", 5.0, {"job": "orders"}),
    ]


def test_airflow_takes_the_gauge() -> None:
    metrics.report_lag("orders", 5.0)


def test_the_grid_shows_the_segments_number(engine: Any) -> None:
    del engine
    assert applier().segment_label == "segment 2/2"


@pytest.mark.parametrize(
    ("job", "uri"),
    [
        (JOB, "dynamodb://us-west-2/orders"),
        (kind_of(IncrementalBackupJob), "s3://dr-backups/orders"),
        (kind_of(IncrementalBackupJob, to_={"s3": "s3://dr-backups/a b/orders"}), "s3://dr-backups/a%20b/orders"),
    ],
)
def test_the_asset_is_what_the_job_writes(job: AnyJob, uri: str) -> None:
    assert target_asset(job).uri == uri
