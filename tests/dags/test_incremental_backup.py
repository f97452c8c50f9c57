"""The DAG of an incremental backup: its shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airflow.sdk.definitions.mappedoperator import MappedOperator

from dags.shapes import edges, line, only_dag, serialised
from dynamodb_copy.job import IncrementalBackupJob
from job_texts import text_of

WriteJob = Callable[..., Path]

FILE = "incremental_backup.py"


def test_a_job_by_stream_becomes_a_line_of_tasks(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalBackupJob))

    dag = only_dag(FILE)

    assert edges(dag) == line("prepare", "plan", "full", "hand_over", "store", "seal")
    assert "incremental-backup" in dag.tags


def test_with_keep_old_chains_are_deleted_after_the_seal(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalBackupJob, keep={"full": 2}))

    dag = only_dag(FILE)

    assert edges(dag)["seal"] == {"expire"}


def test_by_export_nothing_is_stored_by_tasks_of_ours(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalBackupJob, changes={"by": "export"}, base="export"))

    dag = only_dag(FILE)

    assert edges(dag) == line(
        "prepare", "base_exported", "plan", "full", "hand_over", "start_windows", "windows_done", "seal"
    )


def test_full_and_store_are_mapped_and_what_follows_them_runs_without_any_of_them(write_job: WriteJob) -> None:
    write_job(text=text_of(IncrementalBackupJob))

    dag = only_dag(FILE)

    assert {task.task_id for task in dag.tasks if isinstance(task, MappedOperator)} == {"full", "store"}
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}
    assert rules["hand_over"] == rules["seal"] == "none_failed"
    assert serialised(dag).get_task("store").trigger_rule == "all_success"
