"""Airflow: one DAG per job that copies a whole table into S3."""

from airflow.sdk import DAG, BaseOperator, chain
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dynamodb_copy.job import BackupJob
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.backup_operators import ExpireOperator, PrepareBackupOperator, StartExportOperator
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.operators import PlanOperator, SealOperator, copy_segments
from dynamodb_copy_airflow.sensors import VerbSensor, preconditions

SCAN = """
`preconditions` hold → `prepare` refuses or takes the place → `plan` decides the segments → `copy` stores each →
`seal` makes it a backup and reports → `expire`, with `keep`, deletes what is no longer kept.
Every task may be cleared and run again: it goes on where it was.
"""

EXPORT = """
`preconditions` hold → `start_export` asks the service for an export, once → `export_done` waits for it →
`seal` makes it a backup and reports → `expire`, with `keep`, deletes what is no longer kept.
Every task may be cleared and run again: no second export is started.
"""


def backup(job: BackupJob) -> None:
    """Declare the job's DAG."""
    shape = SCAN if job.engine == "scan" else EXPORT
    with DAG(schedule=schedule(job), **dag_arguments(job, kind="backup", shape=shape)):
        stored = scanned(job) if job.engine == "scan" else exported(job)
        seal = SealOperator(task_id="seal", job=job, outlets=[target_asset(job)])
        expire = [ExpireOperator(task_id="expire", job=job)] if job.keep else []
        chain(*preconditions(job), *stored, seal, *expire)


def scanned(job: BackupJob) -> list[BaseOperator | MappedOperator]:
    """Declare what stores the parts ourselves."""
    plan = PlanOperator(task_id="plan", job=job)
    copy = copy_segments("copy", job, plan)
    return [PrepareBackupOperator(task_id="prepare", job=job), plan, copy]


def exported(job: BackupJob) -> list[BaseOperator | MappedOperator]:
    """Declare what lets the service store the parts."""
    start = StartExportOperator(task_id="start_export", job=job)
    return [start, VerbSensor(task_id="export_done", job=job, verb="export_is_done")]


for found in jobs_to_build(BackupJob):
    backup(found)
