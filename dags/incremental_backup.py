"""Airflow: one DAG per job that extends a chain of backups by what changed since the last run."""

from airflow.sdk import DAG, BaseOperator, chain
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dynamodb_copy.job import IncrementalBackupJob
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.backup_operators import ExpireOperator, PrepareBackupOperator
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.incremental_operators import (
    EVEN_WITHOUT_SEGMENTS,
    HandOverOperator,
    PlanBaseOperator,
    StartWindowsOperator,
    apply_segments,
)
from dynamodb_copy_airflow.operators import SealOperator, copy_segments
from dynamodb_copy_airflow.sensors import VerbSensor, preconditions

SHAPE = """
`preconditions` hold → `prepare` refuses a gap, takes the place, marks where the changes begin → (`base: export`:
`base_exported`) → `plan` → `full` stores everything, when a full backup is due → `hand_over` seals it and decides what
changes are read → `store` stores them (`by: export`: `start_windows` → `windows_done`) → `seal` makes them the chain's
next increment and reports → `expire`, with `keep`, deletes what is no longer kept.
Every task may be cleared and run again. A run that is cleared after a later one went on from it does nothing.
"""


def incremental_backup(job: IncrementalBackupJob) -> None:
    """Declare the job's DAG."""
    with DAG(schedule=schedule(job), **dag_arguments(job, kind="incremental-backup", shape=SHAPE)):
        prepare = PrepareBackupOperator(task_id="prepare", job=job)
        plan = PlanBaseOperator(task_id="plan", job=job)
        full = copy_segments("full", job, plan)
        hand_over = HandOverOperator(task_id="hand_over", job=job, trigger_rule=EVEN_WITHOUT_SEGMENTS)
        seal = SealOperator(task_id="seal", job=job, outlets=[target_asset(job)], trigger_rule=EVEN_WITHOUT_SEGMENTS)
        expire = [ExpireOperator(task_id="expire", job=job)] if job.keep else []
        chain(
            *preconditions(job), prepare, *exported(job), plan, full, hand_over, *changed(job, hand_over), seal, *expire
        )


def exported(job: IncrementalBackupJob) -> list[BaseOperator]:
    """Declare what waits for the service's export of a full backup, where the job asks for that."""
    return [VerbSensor(task_id="base_exported", job=job, verb="base_is_exported")] if job.base == "export" else []


def changed(job: IncrementalBackupJob, hand_over: HandOverOperator) -> list[BaseOperator | MappedOperator]:
    """Declare what stores the changes: ourselves, or the service."""
    if job.changes.by == "stream":
        return [apply_segments("store", job, hand_over)]
    start = StartWindowsOperator(task_id="start_windows", job=job)
    return [start, VerbSensor(task_id="windows_done", job=job, verb="windows_are_done")]


for found in jobs_to_build(IncrementalBackupJob):
    incremental_backup(found)
