"""The DAG of a restore: its shape, its form, and what the job file says about it."""

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
from job_texts import TOPIC, text_of

FILE = "restore.py"

WriteJob = Callable[..., Path]

LOAD = ("choose", "prepare", "table_active", "plan", "copy", "hand_over", "replay", "verify", "seal")
IMPORT = ("choose", "start_import", "import_done", "verify", "seal")
PRECONDITION = {"s3_prefix_not_empty": {"s3": "s3://dr-backups/orders/", "connection": "aws_oregon"}}


@pytest.fixture
def write_restore(write_job: WriteJob) -> WriteJob:
    """Write the job `orders`, a restore, with these changes."""

    def write(**changes: Any) -> Path:
        return write_job(text=text_of(RestoreJob, **changes))

    return write


def test_a_load_goes_from_choose_to_seal_and_waits_for_the_table_in_between(write_restore: WriteJob) -> None:
    write_restore()

    dag = only_dag(FILE)

    assert edges(dag) == line(*LOAD)
    assert "restore" in dag.tags


def test_an_import_is_started_waited_for_and_verified(write_restore: WriteJob) -> None:
    write_restore(engine="import")

    dag = only_dag(FILE)

    assert edges(dag) == line(*IMPORT)
    waiting = dag.get_task("import_done")
    assert isinstance(waiting, VerbSensor)
    assert waiting.verb == "import_is_done"


@pytest.mark.parametrize(("engine", "tasks"), [("load", LOAD), ("import", IMPORT)])
def test_preconditions_come_first(engine: str, tasks: tuple[str, ...], write_restore: WriteJob) -> None:
    write_restore(engine=engine, preconditions=[PRECONDITION])

    assert edges(only_dag(FILE)) == line("preconditions.s3_prefix_not_empty_1", *tasks)


def test_copy_and_replay_are_mapped_and_the_job_says_over_how_many_at_once(write_restore: WriteJob) -> None:
    write_restore(parallel=7)

    mapped = [task for task in only_dag(FILE).tasks if isinstance(task, MappedOperator)]

    assert [task.task_id for task in mapped] == ["copy", "replay"]
    assert {task.max_active_tis_per_dagrun for task in mapped} == {7}
    assert {task.partial_kwargs["map_index_template"] for task in mapped} == {"{{ task.segment_label }}"}


@pytest.mark.parametrize("engine", ["load", "import"])
def test_the_job_settles_the_retries_of_every_task(engine: str, write_restore: WriteJob) -> None:
    write_restore(engine=engine, retries=5)

    assert {task.retries for task in only_dag(FILE).tasks} == {5}


def test_only_verify_goes_on_after_a_replay_that_had_nothing_to_do(write_restore: WriteJob) -> None:
    write_restore()

    rules = {task.task_id: task.trigger_rule for task in only_dag(FILE).tasks}

    assert {name for name, rule in rules.items() if rule != "all_success"} == {"verify"}
    assert rules["verify"] == "none_failed"


def test_the_form_asks_for_a_moment_and_explains_itself(write_restore: WriteJob) -> None:
    write_restore()

    params = serialised(only_dag(FILE)).params

    assert list(params) == ["as_of"]
    as_of = params.get_param("as_of")
    assert as_of.value is None
    assert (as_of.schema["type"], as_of.schema["format"]) == (["null", "string"], "date-time")
    assert as_of.schema["title"]
    assert "`restore:`" in str(as_of.description)


def test_seal_updates_the_asset_of_the_table(write_restore: WriteJob) -> None:
    write_restore(to_={"table": "orders_restored"})

    (asset,) = only_dag(FILE).get_task("seal").outlets

    assert asset.uri == "dynamodb://us-west-2/orders_restored"


def test_a_success_is_told_in_the_words_of_a_restore(write_restore: WriteJob) -> None:
    write_restore(notify={"connection": "aws_oregon", "on_success": TOPIC})

    notifier = only_dag(FILE).on_success_callback

    assert isinstance(notifier, NamedSnsNotifier)
    assert "restored s3://dr-backups/orders into orders" in notifier.message


@pytest.mark.parametrize("engine", ["load", "import"])
def test_the_dag_survives_serialisation(engine: str, write_restore: WriteJob) -> None:
    write_restore(engine=engine)
    dag = only_dag(FILE)

    assert edges(serialised(dag)) == edges(dag)


@pytest.mark.parametrize("kind", [CopyJob, BackupJob, DrillJob])
def test_a_job_of_another_kind_is_no_restore(kind: type[Job], write_job: WriteJob) -> None:
    write_job(text=text_of(kind))

    assert parsed(FILE).dags == {}
