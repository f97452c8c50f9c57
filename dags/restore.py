"""Airflow: one DAG per job that fills a table from a backup in S3."""

from airflow.sdk import DAG, BaseOperator, chain
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dynamodb_copy.job import RestoreJob
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.incremental_operators import EVEN_WITHOUT_SEGMENTS, HandOverOperator, apply_segments
from dynamodb_copy_airflow.operators import (
    PlanOperator,
    PrepareOperator,
    SealOperator,
    VerifyOperator,
    copy_segments,
)
from dynamodb_copy_airflow.parameters import restore_parameters
from dynamodb_copy_airflow.restore_operators import ChooseOperator, StartImportOperator
from dynamodb_copy_airflow.sensors import VerbSensor, preconditions

LOAD = """
`preconditions` hold → `choose` takes the backup that `restore` names, or the run's parameter `as_of`, and the
increments up to that moment → `prepare` refuses or creates the target → `table_active` → `plan` decides the segments →
`copy` loads each → `hand_over` → `replay` applies the increments in their order, and is skipped when there are none →
`verify` compares the table with what the backups lead to → `seal` reports.
Every task may be cleared and run again: it goes on where it was, with the same backups.
"""

IMPORT = """
`preconditions` hold → `choose` takes the backup that `restore` names, or the run's parameter `as_of` → `start_import`
asks the service to make the table of it, once → `import_done` waits for it → `verify` compares the table with the
backup → `seal` reports.
Every task may be cleared and run again: no second import is started.
"""


def restore(job: RestoreJob) -> None:
    """Declare the job's DAG."""
    arguments = dag_arguments(job, kind="restore", shape=LOAD if job.engine == "load" else IMPORT)
    with DAG(schedule=schedule(job), params=restore_parameters(), **arguments):
        choose = ChooseOperator(task_id="choose", job=job)
        filled = loaded(job) if job.engine == "load" else imported(job)
        verify = VerifyOperator(task_id="verify", job=job, trigger_rule=EVEN_WITHOUT_SEGMENTS)
        seal = SealOperator(task_id="seal", job=job, outlets=[target_asset(job)])
        chain(*preconditions(job), choose, *filled, verify, seal)


def loaded(job: RestoreJob) -> list[BaseOperator | MappedOperator]:
    """Declare what loads the items ourselves."""
    prepare = PrepareOperator(task_id="prepare", job=job)
    active = VerbSensor(task_id="table_active", job=job, verb="target_is_active")
    plan = PlanOperator(task_id="plan", job=job)
    copy = copy_segments("copy", job, plan)
    hand_over = HandOverOperator(task_id="hand_over", job=job)
    return [prepare, active, plan, copy, hand_over, apply_segments("replay", job, hand_over)]


def imported(job: RestoreJob) -> list[BaseOperator | MappedOperator]:
    """Declare what lets the service make the table."""
    start = StartImportOperator(task_id="start_import", job=job)
    return [start, VerbSensor(task_id="import_done", job=job, verb="import_is_done")]


for found in jobs_to_build(RestoreJob):
    restore(found)
