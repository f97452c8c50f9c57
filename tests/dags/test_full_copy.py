"""The DAG of a full copy: its shape, and what the job file says about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG, CronTriggerTimetable, DeltaTriggerTimetable
from airflow.sdk.definitions.deadline import DeadlineAlert
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import LazyDeserializedDAG

from dags.shapes import edges, line, only_dag, parsed, serialised
from dynamodb_copy.job import BackupJob, DrillJob, Job, RestoreJob
from dynamodb_copy_airflow.notifiers import NamedSnsNotifier
from job_texts import text_of

WriteJob = Callable[..., Path]

EVERYTHING = """\
description: Everything that a job file can say about its DAG
tags: [orders]
schedule: every 15m
copy: full
from: {table: orders, region: us-east-1, connection: aws_virginia}
to: {table: orders, region: us-west-2, connection: aws_oregon, mirror: {max_deletes: 5%}}
parallel: 7
pool: copies
queue: heavy
retries: 3
retry_delay: 90s
timeout: 2h
late_after: 1h
start: 2026-12-01
end: 2027-12-01
catch_up: true
notify:
  connection: aws_oregon
  on_failure: arn:aws:sns:us-west-2:123456789012:oncall
  on_late: arn:aws:sns:us-west-2:123456789012:late
  on_success: arn:aws:sns:us-west-2:123456789012:news
preconditions:
  - table_exists: {table: orders, region: us-east-1, connection: aws_virginia}
  - s3_key_exists: {s3: "s3://bucket/done", connection: aws_virginia}
"""


FILE = "full_copy.py"


def deadlines(dag: DAG) -> list[DeadlineAlert]:
    assert isinstance(dag.deadline, list)
    return dag.deadline


def test_a_job_becomes_a_dag_of_its_name_with_one_task_per_verb(write_job: WriteJob) -> None:
    write_job()

    dag = only_dag(FILE)

    assert dag.dag_id == "orders"
    assert edges(dag) == line("prepare", "table_active", "plan", "copy", "verify", "seal")


def test_preconditions_come_first_and_mirror_comes_before_verify(write_job: WriteJob) -> None:
    write_job(text=EVERYTHING)

    dag = only_dag(FILE)

    assert edges(dag) == {
        "preconditions.table_exists_1": {"prepare"},
        "preconditions.s3_key_exists_2": {"prepare"},
        **line("prepare", "table_active", "plan", "copy", "mirror", "verify", "seal"),
    }


def test_only_copy_is_mapped_and_the_job_says_over_how_many_at_once(write_job: WriteJob) -> None:
    write_job(text=EVERYTHING)

    dag = only_dag(FILE)

    (copy,) = [task for task in dag.tasks if isinstance(task, MappedOperator)]
    assert copy.task_id == "copy"
    assert copy.max_active_tis_per_dagrun == 7
    assert dag.max_active_tasks == 7


def test_the_job_settles_retries_timeouts_and_places_of_every_task(write_job: WriteJob) -> None:
    write_job(text=EVERYTHING)

    dag = only_dag(FILE)

    for task in dag.tasks:
        assert (task.retries, task.retry_delay, task.execution_timeout) == (
            3,
            timedelta(seconds=90),
            timedelta(hours=2),
        )
        assert task.retry_exponential_backoff == 2.0
        assert (task.pool, task.queue, task.trigger_rule) == ("copies", "heavy", "all_success")


def test_the_job_settles_when_runs_are_due(write_job: WriteJob) -> None:
    write_job(text=EVERYTHING)

    dag = only_dag(FILE)

    assert dag.timetable == DeltaTriggerTimetable(timedelta(minutes=15))
    assert (dag.start_date, dag.end_date) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC))
    assert dag.catchup
    assert dag.max_active_runs == 1


def test_a_cron_schedule_is_read_in_utc_and_does_not_catch_up(write_job: WriteJob) -> None:
    write_job()

    dag = only_dag(FILE)

    assert dag.timetable == CronTriggerTimetable("0 2 * * *", timezone="UTC")
    assert not dag.catchup
    assert dag.max_active_runs == 1


def test_a_manual_job_has_no_schedule(write_job: WriteJob, orders: str) -> None:
    write_job(text=orders.replace('"0 2 * * *"', "manual"))

    assert only_dag(FILE).schedule is None


def test_the_page_of_the_dag_shows_description_shape_and_file(write_job: WriteJob, orders: str) -> None:
    write_job()

    dag = only_dag(FILE)

    assert dag.tags == {"full-copy", "orders", "dr"}
    assert dag.description == "Orders, copied to Oregon every night"
    assert dag.doc_md is not None
    for part in (dag.description, "`verify` compares", orders):
        assert part in dag.doc_md


def test_seal_updates_the_asset_of_the_target(write_job: WriteJob) -> None:
    write_job()

    (asset,) = only_dag(FILE).get_task("seal").outlets

    assert (asset.name, asset.uri) == ("dynamodb://us-west-2/orders", "dynamodb://us-west-2/orders")


def test_every_message_goes_over_the_named_connection_in_its_topics_region(write_job: WriteJob) -> None:
    write_job(text=EVERYTHING)

    dag = only_dag(FILE)

    for notifier, topic in ((dag.on_failure_callback, "oncall"), (dag.on_success_callback, "news")):
        assert isinstance(notifier, NamedSnsNotifier)
        assert notifier.target_arn == f"arn:aws:sns:us-west-2:123456789012:{topic}"
        assert (notifier.aws_conn_id, notifier.region_name) == ("aws_oregon", "us-west-2")
    (deadline,) = deadlines(dag)
    assert deadline.interval == timedelta(hours=1)
    assert deadline.callback.kwargs["target_arn"] == "arn:aws:sns:us-west-2:123456789012:late"
    assert deadline.callback.kwargs["aws_conn_id"] == "aws_oregon"


def test_a_late_run_shows_even_when_nobody_is_told(write_job: WriteJob, orders: str) -> None:
    write_job(text=f"{orders}late_after: 1h\n")

    (deadline,) = deadlines(only_dag(FILE))

    assert deadline.callback.path == "dynamodb_copy_airflow.notifiers.log_lateness"


@pytest.mark.parametrize("text", [None, EVERYTHING])
def test_the_dag_survives_serialisation_as_the_dag_processor_does_it(text: str | None, write_job: WriteJob) -> None:
    write_job(**({"text": text} if text else {}))
    dag = only_dag(FILE)

    lazy = LazyDeserializedDAG.from_dag(dag)
    back = serialised(dag)

    assert lazy.dag_id == back.dag_id == "orders"
    assert edges(back) == edges(dag)
    assert back.get_task("copy").max_active_tis_per_dagrun == dag.get_task("copy").max_active_tis_per_dagrun
    assert back.has_on_failure_callback == (text is not None)
    assert len(back.deadline or ()) == (1 if text else 0)


@pytest.mark.parametrize("kind", [BackupJob, RestoreJob, DrillJob])
def test_a_job_of_another_kind_is_no_full_copy(kind: type[Job], write_job: WriteJob) -> None:
    write_job()
    write_job("another", text_of(kind, to_={"table": "restored"} if kind is RestoreJob else {}))

    assert only_dag(FILE).dag_id == "orders"


def test_a_tasks_process_builds_only_its_own_dag(
    write_job: WriteJob, monkeypatch: pytest.MonkeyPatch, orders: str
) -> None:
    write_job("orders")
    write_job("customers", orders.replace("table: orders", "table: customers"))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "customers")

    assert set(parsed(FILE).dags) == {"customers"}


def test_three_hundred_jobs_parse_fast(write_job: WriteJob, orders: str) -> None:
    for number in range(300):
        write_job(f"orders_{number}", orders.replace("table: orders", f"table: orders_{number}"))

    started = time.process_time()
    bag = parsed(FILE)

    assert len(bag.dags) == 300
    assert time.process_time() - started < 5
