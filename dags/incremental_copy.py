"""Airflow: one DAG per job that brings a table up to date by what changed in another."""

from airflow.sdk import DAG, BaseOperator, chain

from dynamodb_copy.job import IncrementalJob
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.incremental_operators import (
    EVEN_WITHOUT_SEGMENTS,
    HandOverOperator,
    PlanBaseOperator,
    StartWindowsOperator,
    apply_segments,
)
from dynamodb_copy_airflow.operators import PrepareOperator, SealOperator, copy_segments
from dynamodb_copy_airflow.sensors import VerbSensor, preconditions

SHAPE = """
`preconditions` hold → `prepare` refuses a gap, creates a missing target, marks where the changes begin →
`table_active` → (`base: export`: `base_exported`) → `plan` → `base` copies everything, in the first run alone →
`hand_over` decides what changes are read → (`by: export`: `start_windows` → `windows_done`) → `apply` writes them in
order → `seal` moves the position on and reports.
Every task may be cleared and run again. A run that is cleared after a later one went on from it does nothing.
"""


def incremental_copy(job: IncrementalJob) -> None:
    """Declare the job's DAG."""
    with DAG(schedule=schedule(job), **dag_arguments(job, kind="incremental-copy", shape=SHAPE)):
        prepare = PrepareOperator(task_id="prepare", job=job)
        active = VerbSensor(task_id="table_active", job=job, verb="target_is_active")
        plan = PlanBaseOperator(task_id="plan", job=job)
        base = copy_segments("base", job, plan)
        hand_over = HandOverOperator(task_id="hand_over", job=job, trigger_rule=EVEN_WITHOUT_SEGMENTS)
        apply = apply_segments("apply", job, hand_over)
        seal = SealOperator(task_id="seal", job=job, outlets=[target_asset(job)], trigger_rule=EVEN_WITHOUT_SEGMENTS)
        chain(*preconditions(job), prepare, active, *exported(job), plan, base, hand_over, *windows(job), apply, seal)


def exported(job: IncrementalJob) -> list[BaseOperator]:
    """Declare what waits for the service's export of the base, where the job asks for that."""
    return [VerbSensor(task_id="base_exported", job=job, verb="base_is_exported")] if job.base == "export" else []


def windows(job: IncrementalJob) -> list[BaseOperator]:
    """Declare what lets the service export the windows, where the job asks for that."""
    if job.changes.by != "export":
        return []
    start = StartWindowsOperator(task_id="start_windows", job=job)
    return [start, VerbSensor(task_id="windows_done", job=job, verb="windows_are_done")]


for found in jobs_to_build(IncrementalJob):
    incremental_copy(found)
