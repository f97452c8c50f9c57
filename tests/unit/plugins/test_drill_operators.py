"""The verbs that only drills have, and the waiting for a backup."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.assembly import Choice, Rows
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.errors import BackupRefusedError, ContentDiffersError
from dynamodb_copy.job import DrillJob
from dynamodb_copy.report import Verdict
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.drill_operators import (
    CheckContentOperator,
    CheckRowsOperator,
    CreateScratchOperator,
    DropScratchOperator,
    ReportOperator,
)
from dynamodb_copy_airflow.sensors import BackupSealedSensor
from job_texts import kind_of
from unit.plugins.drills import CHOICE, REPORT

JOB = kind_of(DrillJob)
TRIGGERED = datetime(2026, 12, 1, 6, tzinfo=UTC)


@pytest.fixture
def context(context: dict[str, Any]) -> dict[str, Any]:
    """As of a run that somebody started without changing the form."""
    return {
        **context,
        "dag_run": SimpleNamespace(run_after=TRIGGERED),
        "outlet_events": {target_asset(JOB): SimpleNamespace(extra={})},
        "params": {"as_of": None, "keep_scratch": False},
    }


def refuse(*_: Any) -> Any:
    raise BackupRefusedError("s3://dr-backups/orders holds no full backup at or before 2020-01-01")


def sealed(context: Any) -> bool:
    return BackupSealedSensor(task_id="backup_sealed", job=JOB).poke(context)


def test_nothing_is_chosen_before_a_backup_is_sealed(engine: Any, context: Any) -> None:
    engine.verbs.update(there_is_a_backup=lambda: False, choose=refuse)

    assert not sealed(context)


def test_a_sealed_backup_is_chosen_and_logged(engine: Any, context: Any, log_lines: list[str]) -> None:
    asked = []

    def choose(as_of: datetime | None) -> Choice:
        asked.append(as_of)
        return CHOICE

    engine.verbs.update(there_is_a_backup=lambda: True, choose=choose)

    assert sealed(context)
    assert asked == [None]
    assert CHOICE.uri in "\n".join(log_lines)


def test_a_wanted_moment_is_not_waited_for(engine: Any, context: Any) -> None:
    engine.verbs.update(there_is_a_backup=lambda: False, choose=refuse)
    context["params"]["as_of"] = "2020-01-01T00:00:00Z"

    with pytest.raises(AirflowFailException, match="no full backup at or before"):
        sealed(context)


def test_leftovers_go_before_the_scratch_table_is_created(engine: Any, context: Any, log_lines: list[str]) -> None:
    done = []

    def create() -> Any:
        done.append("create")
        return SimpleNamespace(target_arn=REPORT.scratch, created=True, notes=["9,000 bytes of parts"])

    def drop_leftovers() -> list[str]:
        done.append("drop_leftovers")
        return ["orders-drill-0 was dropped", "orders-drill-1 stays: deletion protection is on"]

    engine.verbs.update(create=create, drop_leftovers=drop_leftovers)

    CreateScratchOperator(task_id="create_scratch", job=JOB).execute(context)

    assert done == ["drop_leftovers", "create"]
    for line in ("orders-drill-0 was dropped", "orders-drill-1 stays", f"{REPORT.scratch} was created", "9,000 bytes"):
        assert line in "\n".join(log_lines)


def test_the_checks_log_what_they_found(engine: Any, context: Any, log_lines: list[str]) -> None:
    verdict = Verdict("equal", "content", 2, 2, 0, 0, 0, 0, "", "", (), (), "every item is equal")
    engine.verbs.update(check_rows=lambda: Rows(12_000, 12_000, 12_000), check_content=lambda: verdict)

    CheckRowsOperator(task_id="check_rows", job=JOB).execute(context)
    CheckContentOperator(task_id="check_content", job=JOB).execute(context)

    assert "12,000 items in the manifest, 12,000 read from S3, 12,000 in the scratch table" in "\n".join(log_lines)
    assert "equal: every item is equal" in "\n".join(log_lines)


def test_what_was_replayed_is_logged_with_what_it_leads_to(engine: Any, context: Any, log_lines: list[str]) -> None:
    rows = Rows(manifest=12_000, read=12_000, scratch=11_990, replayed=4_000, expected=11_990)
    engine.verbs["check_rows"] = lambda: rows

    CheckRowsOperator(task_id="check_rows", job=JOB).execute(context)

    assert "12,000 read from S3, 11,990 in the scratch table" in log_lines[0]
    assert "4,000 changes replayed, 11,990 items due" in log_lines[1]


@pytest.mark.parametrize(
    ("operator", "verb"), [(CheckRowsOperator, "check_rows"), (CheckContentOperator, "check_content")]
)
def test_a_failed_check_is_final(operator: Any, verb: str, engine: Any, context: Any) -> None:
    def differ() -> Any:
        raise ContentDiffersError("1 of 2 items is missing")

    engine.verbs[verb] = differ

    with pytest.raises(AirflowFailException, match="1 of 2 items is missing"):
        operator(task_id="check", job=JOB).execute(context)


def report(engine: Any, context: Any, made: DrillReport) -> dict[str, Any]:
    """Report as the engine says; return the asset event's figures."""
    asked = []

    def measured(triggered: datetime) -> DrillReport:
        asked.append(triggered)
        return made

    engine.verbs["report"] = measured
    ReportOperator(task_id="report", job=JOB).execute(context)
    assert asked == [TRIGGERED]
    extra: dict[str, Any] = context["outlet_events"][target_asset(JOB)].extra
    return extra


def test_the_report_is_logged_and_its_figures_go_on_the_asset(engine: Any, context: Any, log_lines: list[str]) -> None:
    extra = report(engine, context, REPORT)

    assert REPORT.render() in "\n".join(log_lines)
    assert extra["recovered"]
    assert (extra["rto_seconds"], extra["rpo_seconds"], extra["scratch_items"]) == (61.5, 14_400.0, 12_000)
    assert len(json.dumps(extra)) < 2000


def test_a_missed_objective_fails_the_task_after_its_report_was_logged(
    engine: Any, context: Any, log_lines: list[str]
) -> None:
    late = replace(REPORT, problems=("RTO missed: 1,900 s, objective 1,800 s",))

    with pytest.raises(AirflowFailException, match="RTO missed"):
        report(engine, context, late)

    assert late.render() in "\n".join(log_lines)


def test_a_report_without_a_backup_says_so(engine: Any, context: Any) -> None:
    def nothing_chosen(_: datetime) -> DrillReport:
        raise BackupRefusedError("no backup is chosen; let the run's choose task succeed first")

    engine.verbs["report"] = nothing_chosen

    with pytest.raises(AirflowFailException, match="no backup is chosen"):
        ReportOperator(task_id="report", job=JOB).execute(context)


@pytest.mark.parametrize(("found", "said"), [(True, "was dropped"), (False, "is gone already")])
def test_the_scratch_table_is_dropped_once(
    found: bool,  # noqa: FBT001 -- pytest gives it
    said: str,
    engine: Any,
    context: Any,
    log_lines: list[str],
) -> None:
    engine.verbs["drop"] = lambda: found

    DropScratchOperator(task_id="drop_scratch", job=JOB).execute(context)

    assert f"the scratch table {said}" in "\n".join(log_lines)


def test_a_scratch_table_that_is_kept_is_named(engine: Any, context: Any, log_lines: list[str]) -> None:
    engine.verbs["keep"] = lambda: "orders-drill-0123456789ab"
    context["params"]["keep_scratch"] = True

    DropScratchOperator(task_id="drop_scratch", job=JOB).execute(context)

    assert "is kept: orders-drill-0123456789ab" in "\n".join(log_lines)
