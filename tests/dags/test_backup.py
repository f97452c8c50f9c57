"""The DAG of a backup: its shape, and what the job file says about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dags.shapes import edges, line, only_dag, parsed, serialised
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, Job, RestoreJob
from dynamodb_copy_airflow.notifiers import NamedSnsNotifier
from dynamodb_copy_airflow.sensors import VerbSensor
from job_texts import HERE, TOPIC, text_of

FILE = "backup.py"

WriteJob = Callable[..., Path]

SCAN = ("prepare", "plan", "copy", "seal")
EXPORT = ("start_export", "export_done", "seal")


@pytest.fixture
def write_backup(write_job: WriteJob) -> WriteJob:
    """Write the job `orders`, a backup, with these changes."""

    def write(**changes: Any) -> Path:
        return write_job(text=text_of(BackupJob, **changes))

    return write


def test_a_scan_goes_from_prepare_to_seal(write_backup: WriteJob) -> None:
    write_backup()

    dag = only_dag(FILE)

    assert dag.dag_id == "orders"
    assert edges(dag) == line(*SCAN)
    assert "backup" in dag.tags


def test_an_export_is_started_waited_for_and_sealed(write_backup: WriteJob) -> None:
    write_backup(engine="export")

    dag = only_dag(FILE)

    assert edges(dag) == line(*EXPORT)
    waiting = dag.get_task("export_done")
    assert isinstance(waiting, VerbSensor)
    assert waiting.verb == "export_is_done"


@pytest.mark.parametrize(("engine", "tasks"), [("scan", SCAN), ("export", EXPORT)])
def test_preconditions_come_first_and_with_keep_expire_comes_last(
    engine: str, tasks: tuple[str, ...], write_backup: WriteJob
) -> None:
    write_backup(engine=engine, keep={"full": 14}, preconditions=[{"table_exists": HERE}])

    assert edges(only_dag(FILE)) == line("preconditions.table_exists_1", *tasks, "expire")


def test_only_copy_is_mapped_by_segments_and_the_job_says_over_how_many_at_once(write_backup: WriteJob) -> None:
    write_backup(parallel=7)

    (copy,) = [task for task in only_dag(FILE).tasks if isinstance(task, MappedOperator)]

    assert copy.task_id == "copy"
    assert copy.max_active_tis_per_dagrun == 7
    assert copy.partial_kwargs["map_index_template"] == "{{ task.segment_label }}"


@pytest.mark.parametrize("engine", ["scan", "export"])
def test_the_job_settles_the_retries_of_every_task(engine: str, write_backup: WriteJob) -> None:
    write_backup(engine=engine, keep={"days": 35}, retries=5)

    assert {(task.retries, task.trigger_rule) for task in only_dag(FILE).tasks} == {(5, "all_success")}


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("s3://dr-backups/orders", "s3://dr-backups/orders"),
        ("s3://dr-backups/orders/", "s3://dr-backups/orders"),
        ("s3://dr-backups", "s3://dr-backups/"),
        ("s3://dr-backups/", "s3://dr-backups/"),
        ("s3://dr-backups/team=a/orders#1?", "s3://dr-backups/team=a/orders%231%3F"),
    ],
)
def test_seal_updates_the_asset_of_the_place_whose_name_is_its_address(
    address: str, uri: str, write_backup: WriteJob
) -> None:
    write_backup(to_={"s3": address})

    (asset,) = only_dag(FILE).get_task("seal").outlets

    assert (asset.name, asset.uri) == (uri, uri)


def test_a_success_is_told_in_the_words_of_a_backup(write_backup: WriteJob) -> None:
    write_backup(notify={"connection": "aws_oregon", "on_success": TOPIC})

    notifier = only_dag(FILE).on_success_callback

    assert isinstance(notifier, NamedSnsNotifier)
    assert "backed up orders to s3://dr-backups/orders" in notifier.message


@pytest.mark.parametrize("engine", ["scan", "export"])
def test_the_dag_survives_serialisation(engine: str, write_backup: WriteJob) -> None:
    write_backup(engine=engine, keep={"full": 14})
    dag = only_dag(FILE)

    assert edges(serialised(dag)) == edges(dag)


@pytest.mark.parametrize("kind", [CopyJob, RestoreJob, DrillJob])
def test_a_job_of_another_kind_is_no_backup(kind: type[Job], write_job: WriteJob) -> None:
    write_job(text=text_of(kind))

    assert parsed(FILE).dags == {}
