"""What Airflow makes of the tasks: real runs of the DAG, over an engine that does what a test says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dags.airflow_home import run_once
from dags.fake_engine import FakeEngine
from dynamodb_copy.errors import TargetRefusedError
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.report import Report, Verdict

pytestmark = pytest.mark.integration

VERDICT = Verdict("equal", "content", 2, 2, 0, 0, 0, 0, "", "", (), (), "every item is equal")
REPORT = Report("orders", "orders/1", "source", "target", "2026-12-01", "2026-12-01", (), VERDICT, 0, ())


def states(run: Any) -> dict[str, Any]:
    return {f"{ti.task_id} {ti.map_index}": ti.state for ti in run.get_task_instances()}


@pytest.fixture
def willing(engine: FakeEngine, write_job: Callable[..., Path], orders: str) -> FakeEngine:
    """An engine in which all goes well, and the job `orders` without retries."""
    write_job(text=f"{orders}retries: 0\n")
    engine.verbs.update(
        prepare=lambda: SimpleNamespace(target_arn="target", created=True, notes=["no auto scaling"]),
        target_is_active=iter([False, False, True]).__next__,
        plan=lambda: SimpleNamespace(segments=[Segment(0, 2), Segment(1, 2)], reason="small"),
        copy=lambda *_: Tally(items=1),
        verify=lambda: VERDICT,
        seal=lambda: REPORT,
    )
    return engine


def test_a_run_goes_from_prepare_to_seal_and_waits_for_the_table_in_between(willing: FakeEngine) -> None:
    run = run_once("orders")

    assert run.state == "success", states(run)
    assert {ti.rendered_map_index for ti in run.get_task_instances() if ti.task_id == "copy"} == {
        "segment 1/2",
        "segment 2/2",
    }
    assert len(set(willing.opened)) == 1


def test_a_refusal_fails_the_run_before_anything_is_copied(willing: FakeEngine) -> None:
    def refuse() -> None:
        raise TargetRefusedError("orders in us-west-2 holds items")

    willing.verbs["prepare"] = refuse

    run = run_once("orders")

    assert run.state == "failed"
    assert states(run)["prepare -1"] == "failed"
    assert len(willing.opened) == 1


def test_an_empty_plan_does_not_make_a_green_run(willing: FakeEngine) -> None:
    willing.verbs["plan"] = lambda: SimpleNamespace(segments=[], reason="nothing")

    assert run_once("orders").state == "failed"


def test_sigterm_ends_the_copy_and_fails_the_attempt(willing: FakeEngine) -> None:
    happened = []

    def copy(*_: Any) -> Tally:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            happened.append("copied on")
        finally:
            happened.append("released")
        return Tally()

    willing.verbs["copy"] = copy

    run = run_once("orders")

    assert run.state == "failed"
    assert happened == ["released", "released"]
