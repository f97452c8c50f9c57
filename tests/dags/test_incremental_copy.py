"""The DAG of an incremental copy: its shape, and what the job file says about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import CronDataIntervalTimetable
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.definitions.timetables.simple import ContinuousTimetable

from dags.shapes import edges, line, only_dag, serialised
from dynamodb_copy.job import IncrementalJob
from job_texts import text_of

WriteJob = Callable[..., Path]

FILE = "incremental_copy.py"
STAGING = "s3://staging/orders"


def test_a_job_by_stream_becomes_a_line_of_tasks(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalJob))

    dag = only_dag(FILE)

    assert edges(dag) == line("prepare", "table_active", "plan", "base", "hand_over", "apply", "seal")
    assert "incremental-copy" in dag.tags


def test_by_export_windows_are_started_and_waited_for_before_they_are_applied(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalJob, changes={"by": "export"}, base="export", staging=STAGING))

    dag = only_dag(FILE)

    assert edges(dag) == {
        **line(
            *("prepare", "table_active", "base_exported", "plan", "base", "hand_over", "start_windows"),
            *("windows_done", "apply", "seal"),
        ),
        "hand_over": {"start_windows", "apply"},  # it says over what apply is mapped
    }


def test_base_and_apply_are_mapped_and_what_follows_them_runs_without_any_of_them(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalJob, parallel=3))

    dag = only_dag(FILE)

    mapped = {task.task_id: task for task in dag.tasks if isinstance(task, MappedOperator)}
    assert set(mapped) == {"base", "apply"}
    assert {task.max_active_tis_per_dagrun for task in mapped.values()} == {3}
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}
    assert rules["hand_over"] == rules["seal"] == "none_failed"
    assert {rules[name] for name in ("prepare", "table_active", "plan", "base", "apply")} == {"all_success"}


def test_a_cron_schedule_means_the_interval_that_has_passed(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalJob, schedule="0 * * * *"))

    dag = only_dag(FILE)

    assert dag.timetable == CronDataIntervalTimetable("0 * * * *", timezone="UTC")


def test_a_continuous_job_begins_anew_as_soon_as_it_ends(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalJob, schedule="continuous", run_for="30m"))

    dag = only_dag(FILE)

    assert isinstance(dag.timetable, ContinuousTimetable)
    assert dag.max_active_runs == 1
    assert dag.max_consecutive_failed_dag_runs == 3


def test_only_a_continuous_job_is_paused_after_failures(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalJob, schedule="every 15m"))

    assert only_dag(FILE).max_consecutive_failed_dag_runs == 0


@pytest.mark.parametrize("by", ["stream", "export"])
def test_the_scheduler_can_store_the_dag(write_job: WriteJob, by: str) -> None:
    staging = {"staging": STAGING} if by == "export" else {}
    write_job(text=text_of(IncrementalJob, changes={"by": by}, timeout="2h", **staging))

    dag = serialised(only_dag(FILE))

    assert dag.get_task("apply").execution_timeout == timedelta(hours=2)
