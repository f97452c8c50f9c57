"""Operators translate between Airflow and one call of the engine."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.errors import ContentDiffersError, LeaseLostError
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.report import Report, SegmentReport, Verdict
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.operators import (
    CopySegmentOperator,
    JobOperator,
    MirrorOperator,
    PlanOperator,
    PrepareOperator,
    SealOperator,
    VerifyOperator,
)
from job_texts import job_of

JOB = job_of()

VERDICT = Verdict(
    outcome="equal",
    mode="content",
    source_items=3,
    target_items=3,
    extra=0,
    missing=0,
    changed=0,
    expiring=0,
    source_digest="0a" * 16,
    target_digest="0a" * 16,
    differing_buckets=(),
    differing=(),
    statement="every item is equal",
)
REPORT = Report(
    job="orders",
    run_id="orders/manual",
    source="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    target="arn:aws:dynamodb:us-west-2:123456789012:table/orders",
    started="2026-12-01T02:00:00Z",
    finished="2026-12-01T02:00:10Z",
    segments=tuple([SegmentReport(f"segment {n}/256", 1, 100, 0.5, 1.0, 0, 0, 1.0) for n in range(1, 257)]),
    verdict=VERDICT,
    deleted=0,
    notes=(),
)


def refuse(*_: Any) -> Any:
    raise ContentDiffersError("2 of 256 buckets differ")


def lose_lease(*_: Any) -> Any:
    raise LeaseLostError("segment 1/2 belongs to another attempt")


def copier(**more: Any) -> CopySegmentOperator:
    return CopySegmentOperator(task_id="copy", job=JOB, segment=[0, 2], **more)


@pytest.mark.parametrize(
    ("operator", "verb"),
    [
        (PrepareOperator(task_id="prepare", job=JOB), "prepare"),
        (PlanOperator(task_id="plan", job=JOB), "plan"),
        (copier(), "copy"),
        (MirrorOperator(task_id="mirror", job=JOB), "mirror"),
        (VerifyOperator(task_id="verify", job=JOB), "verify"),
        (SealOperator(task_id="seal", job=JOB), "seal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_permanent_failure_is_final_and_a_transient_one_is_retried(
    operator: JobOperator, verb: str, engine: Any, context: Any
) -> None:
    engine.verbs[verb] = refuse
    with pytest.raises(AirflowFailException, match="2 of 256 buckets differ"):
        operator.execute(context)

    engine.verbs[verb] = lose_lease
    with pytest.raises(LeaseLostError):
        operator.execute(context)


def test_all_attempts_and_tasks_of_a_dag_run_open_the_same_run(engine: Any, context: Any) -> None:
    engine.verbs.update(mirror=lambda: 0, verify=lambda: VERDICT)

    MirrorOperator(task_id="mirror", job=JOB).execute(context)
    VerifyOperator(task_id="verify", job=JOB).execute(context)
    VerifyOperator(task_id="verify", job=JOB).execute(context)

    assert engine.opened == [("orders", "orders/scheduled__2026-12-01T02:00:00+00:00")] * 3


def test_plan_returns_nothing_but_the_segments_numbers(engine: Any, context: Any) -> None:
    engine.verbs["plan"] = lambda: SimpleNamespace(segments=[Segment(0, 2), Segment(1, 2)], reason="a small table")

    assert PlanOperator(task_id="plan", job=JOB).execute(context) == [[0, 2], [1, 2]]


def test_a_plan_without_segments_fails_because_airflow_would_skip_the_copy_and_be_content(
    engine: Any, context: Any
) -> None:
    engine.verbs["plan"] = lambda: SimpleNamespace(segments=[], reason="nothing there")

    with pytest.raises(AirflowFailException, match="no segments"):
        PlanOperator(task_id="plan", job=JOB).execute(context)


def test_copy_copies_its_own_segment_and_leaves_nothing_in_xcom(engine: Any, context: Any) -> None:
    copied = []

    def copy(segment: Segment, _: Any) -> Tally:
        copied.append(segment)
        return Tally(items=7)

    engine.verbs["copy"] = copy

    assert copier().execute(context) is None
    assert copied == [Segment(0, 2)]


def test_the_grid_shows_the_segments_number(engine: Any) -> None:
    del engine
    assert copier().segment_label == "segment 1/2"


def test_the_collector_is_frozen_only_while_items_pass(engine: Any, context: Any) -> None:
    frozen = []

    def copy(*_: Any) -> Tally:
        frozen.append(gc.get_freeze_count() > 0)
        return Tally()

    engine.verbs["copy"] = copy

    copier().execute(context)

    assert frozen == [True]
    assert gc.get_freeze_count() == 0


def test_seal_tells_the_figures_to_the_assets_consumers_in_few_bytes(engine: Any, context: Any) -> None:
    engine.verbs["seal"] = lambda: REPORT
    event = SimpleNamespace(extra={})

    context["outlet_events"] = {target_asset(JOB): event}

    SealOperator(task_id="seal", job=JOB).execute(context)

    assert event.extra["items"] == event.extra["segments"] == 256
    assert event.extra["verdict"]["outcome"] == "equal"
    assert event.extra["items_per_second"] == 25.6
    assert len(json.dumps(event.extra)) < 2000


def test_seal_tells_how_far_the_target_is_behind(engine: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lags: list[tuple[str, float]] = []
    monkeypatch.setattr("dynamodb_copy_airflow.operators.report_lag", lambda *lag: lags.append(lag))
    event = SimpleNamespace(extra={})
    context["outlet_events"] = {target_asset(JOB): event}

    engine.verbs["seal"] = lambda: REPORT
    SealOperator(task_id="seal", job=JOB).execute(context)
    assert (event.extra["up_to"], event.extra["lag_seconds"], lags) == ("", None, [])

    engine.verbs["seal"] = lambda: replace(REPORT, up_to="2026-12-01T02:00:03Z")
    SealOperator(task_id="seal", job=JOB).execute(context)
    assert (event.extra["up_to"], event.extra["lag_seconds"]) == ("2026-12-01T02:00:03Z", 7.0)
    assert lags == [("orders", 7.0)]


@pytest.fixture
def airflow_on_sigterm() -> Any:
    """Handle SIGTERM as Airflow's task runner does: it calls the task's on_kill, and nothing else."""
    before = signal.getsignal(signal.SIGTERM)

    def install(operator: JobOperator) -> None:
        signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())

    yield install
    signal.signal(signal.SIGTERM, before)


def test_a_terminated_task_leaves_the_engines_call_and_so_releases_its_lease(
    engine: Any, context: Any, airflow_on_sigterm: Callable[[JobOperator], None]
) -> None:
    happened = []

    def copy(*_: Any) -> Tally:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            happened.append("copied on")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # impatient: the release has to be left alone
            happened.append("released")
        return Tally()

    engine.verbs["copy"] = copy
    operator = copier()
    airflow_on_sigterm(operator)

    with pytest.raises(SystemExit):
        operator.execute(context)

    assert happened == ["released"]


def test_a_signal_before_or_after_the_engines_call_changes_nothing(engine: Any, context: Any) -> None:
    engine.verbs["verify"] = lambda: VERDICT
    operator = VerifyOperator(task_id="verify", job=JOB)

    operator.on_kill()
    operator.execute(context)
    operator.on_kill()  # Airflow calls it after a timeout too, when the call is over

    assert len(engine.opened) == 1
