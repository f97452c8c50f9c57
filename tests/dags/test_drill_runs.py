"""When a drill's run is red: real runs of the DAG, over an engine that does what a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dags.airflow_home import run_once
from dags.fake_engine import FakeEngine
from dynamodb_copy.assembly import Rows
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.errors import BackupRefusedError, ContentDiffersError, PermanentError, TargetRefusedError
from dynamodb_copy.job import DrillJob
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.report import Verdict
from job_texts import text_of
from unit.plugins.drills import CHOICE, REPORT

pytestmark = pytest.mark.integration

VERDICT = Verdict("equal", "content", 2, 2, 0, 0, 0, 0, "", "", (), (), "every item is equal")


def failing(error: PermanentError) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def states(run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


@pytest.fixture
def called() -> list[str]:
    """The verbs that the run called last: the report, and what became of the scratch table."""
    return []


@pytest.fixture
def willing(engine: FakeEngine, write_job: Callable[..., Path], called: list[str]) -> FakeEngine:
    """An engine in which all goes well, and the drill `orders` without retries."""
    write_job(text=text_of(DrillJob, retries=0))

    def dispose(verb: str) -> str:
        called.append(verb)
        return "orders-drill-1"

    def report(triggered: datetime) -> DrillReport:
        assert triggered.tzinfo is not None
        called.append("report")
        return REPORT

    engine.verbs.update(
        there_is_a_backup=lambda: True,
        choose=lambda _: CHOICE,
        drop_leftovers=lambda: ["old-drill-1 was dropped"],
        create=lambda: SimpleNamespace(target_arn="orders-drill-1", created=True, notes=["9 bytes of parts"]),
        target_is_active=iter([False, True]).__next__,
        plan=lambda: SimpleNamespace(segments=[Segment(0, 2), Segment(1, 2)], reason="small"),
        copy=lambda *_: Tally(items=1),
        hand_over=lambda: SimpleNamespace(segments=[], reason="nothing to replay"),
        apply=lambda *_: Tally(items=1),
        check_rows=lambda: Rows(2, 2, 2),
        check_content=lambda: VERDICT,
        report=report,
        drop=lambda: dispose("drop"),
        keep=lambda: dispose("keep"),
    )
    return engine


def drilled(**parameters: Any) -> Any:
    return run_once("orders", "dr_drill.py", **parameters)


def test_a_drill_that_recovers_is_green_and_drops_its_table(willing: FakeEngine, called: list[str]) -> None:
    run = drilled()

    assert run.state == "success", states(run)
    assert set(called) == {"report", "drop"}
    assert len(set(willing.opened)) == 1


def test_a_table_that_is_to_be_kept_is_not_dropped(willing: FakeEngine, called: list[str]) -> None:
    del willing
    run = drilled(keep_scratch=True)

    assert run.state == "success", states(run)
    assert set(called) == {"report", "keep"}


def test_a_drill_without_increments_skips_the_replay_alone(willing: FakeEngine) -> None:
    del willing

    run = drilled()

    assert {task for task, state in states(run).items() if state == "skipped"} == {"replay"}
    assert {state for task, state in states(run).items() if task != "replay"} == {"success"}


def test_a_drill_with_increments_replays_them_before_it_checks(willing: FakeEngine) -> None:
    order: list[str] = []

    def apply(segment: Segment, *_: Any) -> Tally:
        order.append(segment.label)
        return Tally(items=2)

    def check_rows() -> Rows:
        order.append("check_rows")
        return Rows(manifest=3, read=3, scratch=2, replayed=4, expected=2)

    segments = [Segment(0, 2), Segment(1, 2)]
    willing.verbs.update(hand_over=lambda: SimpleNamespace(segments=segments, reason="two"), apply=apply)
    willing.verbs["check_rows"] = check_rows

    run = drilled()

    assert run.state == "success", states(run)
    assert sorted(order[:2]) == ["segment 1/2", "segment 2/2"]
    assert order[2:] == ["check_rows"]


@pytest.mark.parametrize("verb", ["copy", "hand_over", "apply", "check_rows", "check_content"])
def test_a_failed_check_makes_the_run_red_whatever_the_report_says(
    verb: str, willing: FakeEngine, called: list[str]
) -> None:
    willing.verbs["hand_over"] = lambda: SimpleNamespace(segments=[Segment(0, 1)], reason="one")
    willing.verbs[verb] = failing(ContentDiffersError("1 of 2 items is missing"))

    run = drilled()

    assert run.state == "failed"
    assert set(called) == {"report", "drop"}
    assert states(run)["recovered"] == "upstream_failed"
    assert states(run)["drop_scratch"] == states(run)["report"] == "success"


def test_a_missed_objective_makes_the_run_red_and_the_table_is_dropped(willing: FakeEngine, called: list[str]) -> None:
    willing.verbs["report"] = lambda _: replace(REPORT, problems=("RTO missed: 1,900 s, objective 1,800 s",))

    run = drilled()

    assert run.state == "failed"
    assert called == ["drop"]
    assert states(run)["report"] == "failed"
    assert states(run)["check_content"] == "success"


def test_a_table_that_cannot_be_created_is_reported_too(willing: FakeEngine, called: list[str]) -> None:
    willing.verbs["create"] = failing(TargetRefusedError("orders-drill-1 holds items"))

    run = drilled()

    assert run.state == "failed"
    assert called == ["report"]
    assert states(run)["drop_scratch"] == "upstream_failed"


def test_a_table_that_cannot_be_dropped_makes_the_run_red(willing: FakeEngine) -> None:
    willing.verbs["drop"] = failing(TargetRefusedError("orders-drill-1 is not dropped: deletion protection is on"))

    run = drilled()

    assert run.state == "failed"
    assert states(run)["recovered"] == "success"
    assert states(run)["drop_scratch"] == "failed"


def test_a_backup_that_is_not_there_at_the_wanted_moment_fails_the_run_at_once(
    willing: FakeEngine, called: list[str]
) -> None:
    nothing_chosen = BackupRefusedError("no backup is chosen; let the run's choose task succeed first")
    willing.verbs.update(
        there_is_a_backup=lambda: False,
        choose=failing(BackupRefusedError("s3://dr-backups/orders holds no full backup at or before 2020-01-01")),
        report=failing(nothing_chosen),
    )

    run = drilled(as_of="2020-01-01T00:00:00Z")

    assert run.state == "failed"
    assert states(run)["backup_sealed"] == states(run)["report"] == "failed"
    assert called == []
