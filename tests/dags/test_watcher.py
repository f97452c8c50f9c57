"""The DAGs that watch: one task for each job, and none of them an error where there is no job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, CronTriggerTimetable
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dags.airflow_home import run_once
from dags.shapes import edges, parsed, serialised
from dynamodb_copy.job import BackupJob
from dynamodb_copy.phases.lateness import Problem
from dynamodb_copy.phases.watching import Watched
from job_texts import text_of

FILE = "watcher.py"
WATCHER, CHAINS = "dynamodb_copy_watcher", "dynamodb_copy_chains"

WriteJob = Callable[..., Path]


def dag_of(dag_id: str) -> DAG:
    bag = parsed(FILE)
    assert bag.import_errors == {}
    assert set(bag.dags) == {WATCHER, CHAINS}
    return bag.dags[dag_id]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were looked at; `orders` is late, and its chain broken."""
    seen: list[str] = []

    def look(context: Any, *_: Any) -> Watched:
        seen.append(context.job.name)
        problems = (Problem("overdue", "its last run was sealed a week ago"),) if context.job.name == "orders" else ()
        return Watched(context.job.name, "alarm", "overdue" if problems else "", problems)

    for name in ("watch", "check_chains"):
        monkeypatch.setattr(f"dynamodb_copy_airflow.watching.{name}", look)
    monkeypatch.setattr("dynamodb_copy_airflow.watching.vanished", lambda *_: [])
    return seen


def states(run: Any) -> dict[str, str]:
    found = run.get_task_instances()
    return {f"{ti.task_id} {ti.rendered_map_index or ''}".strip(): str(ti.state) for ti in found}


def test_the_watcher_looks_every_five_minutes_at_each_job_and_for_those_that_vanished(write_job: WriteJob) -> None:
    write_job()

    dag = dag_of(WATCHER)

    assert edges(dag) == {"jobs": {"watch"}, "watch": set(), "vanished": set()}
    assert dag.timetable == CronTriggerTimetable("*/5 * * * *", timezone="UTC")


def test_the_chains_are_checked_once_a_day(write_job: WriteJob) -> None:
    write_job()

    dag = dag_of(CHAINS)

    assert edges(dag) == {"jobs": {"check"}, "check": set()}
    assert dag.timetable == CronTriggerTimetable("0 6 * * *", timezone="UTC")


@pytest.mark.parametrize("dag_id", [WATCHER, CHAINS])
def test_a_watcher_runs_from_the_beginning_one_run_at_a_time_and_no_look_is_made_up_for(dag_id: str) -> None:
    dag = dag_of(dag_id)

    assert dag.is_paused_upon_creation is False
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert edges(serialised(dag)) == edges(dag)


def test_a_look_ends_before_the_next_one_begins() -> None:
    assert {task.execution_timeout for task in dag_of(WATCHER).tasks} == {timedelta(minutes=4)}


@pytest.mark.parametrize(("dag_id", "task_id"), [(WATCHER, "watch"), (CHAINS, "check")])
def test_the_grid_shows_the_jobs_name(dag_id: str, task_id: str) -> None:
    task = dag_of(dag_id).get_task(task_id)

    assert isinstance(task, MappedOperator)
    assert task.partial_kwargs["map_index_template"] == "{{ task.job_name }}"


def test_job_files_are_read_when_a_task_runs_not_when_airflow_parses(
    write_job: WriteJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_job().unlink()
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", "/nowhere")

    dag_of(WATCHER)


@pytest.mark.integration
def test_the_task_of_the_job_that_is_late_is_red_and_no_other(
    write_job: WriteJob, looks: list[str], orders: str
) -> None:
    write_job()
    write_job("customers", orders.replace("table: orders", "table: customers"))

    run = run_once(WATCHER, FILE)

    assert run.state == "failed"
    assert states(run) == {
        "jobs": "success",
        "vanished": "success",
        "watch orders": "failed",
        "watch customers": "success",
    }
    assert sorted(looks) == ["customers", "orders"]


@pytest.mark.integration
def test_only_backups_have_chains(write_job: WriteJob, looks: list[str]) -> None:
    write_job()
    write_job("nightly", text_of(BackupJob))

    run = run_once(CHAINS, FILE)

    assert states(run) == {"jobs": "success", "check nightly": "success"}
    assert looks == ["nightly"]


@pytest.mark.integration
@pytest.mark.parametrize("dag_id", [WATCHER, CHAINS])
def test_without_jobs_there_is_nothing_to_watch_and_no_error(
    dag_id: str, write_job: WriteJob, looks: list[str]
) -> None:
    write_job().unlink()

    run = run_once(dag_id, FILE)

    assert run.state == "success", states(run)
    assert looks == []
