"""The DAG of a drill: its shape, its form, and what the job file says about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dags.shapes import edges, line, only_dag, parsed, serialised
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, Job, RestoreJob
from dynamodb_copy_airflow.notifiers import NamedSnsNotifier
from dynamodb_copy_airflow.sensors import BackupSealedSensor
from job_texts import TOPIC, text_of

FILE = "dr_drill.py"

WriteJob = Callable[..., Path]

PRECONDITION = {"s3_prefix_not_empty": {"s3": "s3://dr-backups/orders/", "connection": "aws_oregon"}}


@pytest.fixture
def write_drill(write_job: WriteJob) -> WriteJob:
    """Write the job `orders`, a drill, with these changes."""

    def write(**changes: Any) -> Path:
        return write_job(text=text_of(DrillJob, **changes))

    return write


def test_a_drill_restores_checks_reports_and_cleans_up(write_drill: WriteJob) -> None:
    write_drill(preconditions=[PRECONDITION])

    dag = only_dag(FILE)

    assert edges(dag) == {
        **line("preconditions.s3_prefix_not_empty_1", "backup_sealed", "create_scratch"),
        **line(
            "create_scratch", "scratch_active", "plan", "restore", "hand_over", "replay", "check_rows", "check_content"
        ),
        "create_scratch": {"scratch_active", "drop_scratch"},
        "check_content": {"report", "drop_scratch", "recovered"},
        "report": {"recovered"},
        "recovered": set(),
        "drop_scratch": set(),
    }
    assert "dr-drill" in dag.tags


def test_the_scratch_table_is_torn_down_and_the_report_comes_whatever_happened(write_drill: WriteJob) -> None:
    write_drill()

    dag = serialised(only_dag(FILE))

    drop = dag.get_task("drop_scratch")
    assert dag.get_task("create_scratch").is_setup
    assert drop.is_teardown
    assert drop.on_failure_fail_dagrun
    assert dag.get_task("report").trigger_rule == "all_done"
    assert dag.get_task("recovered").trigger_rule == "all_success"
    assert dag.get_task("check_rows").trigger_rule == "none_failed"
    assert dag.get_task("check_content").trigger_rule == "all_success"


def test_waiting_for_a_backup_holds_no_worker(write_drill: WriteJob) -> None:
    write_drill(timeout="2h")

    waiting = only_dag(FILE).get_task("backup_sealed")

    assert isinstance(waiting, BackupSealedSensor)
    assert waiting.reschedule
    assert waiting.timeout == timedelta(hours=2).total_seconds()


def test_restore_and_replay_are_mapped_and_the_job_says_over_how_many_at_once(write_drill: WriteJob) -> None:
    write_drill(parallel=7)

    mapped = [task for task in only_dag(FILE).tasks if isinstance(task, MappedOperator)]

    assert [task.task_id for task in mapped] == ["restore", "replay"]
    assert {task.max_active_tis_per_dagrun for task in mapped} == {7}
    assert {task.partial_kwargs["map_index_template"] for task in mapped} == {"{{ task.segment_label }}"}


def test_the_job_settles_the_retries_of_every_task(write_drill: WriteJob) -> None:
    write_drill(retries=5)

    assert {task.retries for task in only_dag(FILE).tasks} == {5}


def test_the_form_asks_for_a_moment_and_whether_the_table_stays(write_drill: WriteJob) -> None:
    write_drill()

    params = serialised(only_dag(FILE)).params

    as_of, keep = params.get_param("as_of"), params.get_param("keep_scratch")
    assert (as_of.value, keep.value) == (None, False)
    assert (as_of.schema["type"], as_of.schema["format"]) == (["null", "string"], "date-time")
    assert keep.schema["type"] == "boolean"
    for param in (as_of, keep):
        assert param.schema["title"]
        assert param.description


@pytest.mark.parametrize("address", ["s3://dr-backups/orders", "s3://dr-backups/orders/"])
def test_a_drill_updates_the_asset_of_its_proof_not_of_the_backups(address: str, write_drill: WriteJob) -> None:
    write_drill(from_={"s3": address})

    (asset,) = only_dag(FILE).get_task("report").outlets

    assert (asset.name, asset.uri) == ("x-dynamodb-copy-drill://dr-backups/orders",) * 2


def test_a_success_is_told_in_the_words_of_a_drill(write_drill: WriteJob) -> None:
    write_drill(notify={"connection": "aws_oregon", "on_success": TOPIC})

    notifier = only_dag(FILE).on_success_callback

    assert isinstance(notifier, NamedSnsNotifier)
    assert "recovered s3://dr-backups/orders within the objectives" in notifier.message


def test_the_dag_survives_serialisation(write_drill: WriteJob) -> None:
    write_drill()
    dag = only_dag(FILE)

    assert edges(serialised(dag)) == edges(dag)


@pytest.mark.parametrize("kind", [CopyJob, BackupJob, RestoreJob])
def test_a_job_of_another_kind_is_no_drill(kind: type[Job], write_job: WriteJob) -> None:
    write_job(text=text_of(kind))

    assert parsed(FILE).dags == {}
