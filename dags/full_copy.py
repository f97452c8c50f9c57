"""Airflow: one DAG per job that copies a whole table into another."""

from airflow.sdk import DAG, chain

from dynamodb_copy.job import CopyJob
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.operators import (
    MirrorOperator,
    PlanOperator,
    PrepareOperator,
    SealOperator,
    VerifyOperator,
    copy_segments,
)
from dynamodb_copy_airflow.sensors import VerbSensor, preconditions

SHAPE = """
`preconditions` hold → `prepare` refuses or creates the target → `table_active` → `plan` decides the segments → `copy`
copies each → `mirror`, if asked for, deletes what the source no longer has → `verify` compares → `seal` reports.
Every task may be cleared and run again: it goes on where it was.
"""


def full_copy(job: CopyJob) -> None:
    """Declare the job's DAG."""
    with DAG(schedule=schedule(job), **dag_arguments(job, kind="full-copy", shape=SHAPE)):
        prepare = PrepareOperator(task_id="prepare", job=job)
        active = VerbSensor(task_id="table_active", job=job, verb="target_is_active")
        plan = PlanOperator(task_id="plan", job=job)
        copy = copy_segments("copy", job, plan)
        verify = VerifyOperator(task_id="verify", job=job)
        seal = SealOperator(task_id="seal", job=job, outlets=[target_asset(job)])

        mirror = [MirrorOperator(task_id="mirror", job=job)] if job.target.mirror else []
        chain(*preconditions(job), prepare, active, plan, copy, *mirror, verify, seal)


for found in jobs_to_build(CopyJob):
    full_copy(found)
