"""Airflow: one DAG per job that copies a whole table into another."""

from airflow.sdk import DAG, TaskGroup, chain

from dynamodb_copy.job import Job
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.operators import (
    CopySegmentOperator,
    MirrorOperator,
    PlanOperator,
    PrepareOperator,
    SealOperator,
    VerifyOperator,
    target_asset,
)
from dynamodb_copy_airflow.sensors import PreconditionSensor, TableActiveSensor

SHAPE = """
`preconditions` hold → `prepare` refuses or creates the target → `table_active` → `plan` decides the segments → `copy`
copies each → `mirror`, if asked for, deletes what the source no longer has → `verify` compares → `seal` reports.
Every task may be cleared and run again: it goes on where it was.
"""


def full_copy(job: Job) -> None:
    """Declare the job's DAG."""
    with DAG(schedule=schedule(job), **dag_arguments(job, kind="full-copy", shape=SHAPE)):
        prepare = PrepareOperator(task_id="prepare", job=job)
        active = TableActiveSensor(task_id="table_active", job=job)
        plan = PlanOperator(task_id="plan", job=job)
        copy = CopySegmentOperator.partial(
            task_id="copy",
            job=job,
            max_active_tis_per_dagrun=job.parallel,
            map_index_template="{{ task.segment_label }}",
        ).expand(segment=plan.output)
        verify = VerifyOperator(task_id="verify", job=job)
        seal = SealOperator(task_id="seal", job=job, outlets=[target_asset(job)])

        mirror = [MirrorOperator(task_id="mirror", job=job)] if job.target.mirror else []
        chain(prepare, active, plan, copy, *mirror, verify, seal)
        if job.preconditions:
            preconditions(job) >> prepare


def preconditions(job: Job) -> TaskGroup:
    """Declare one sensor for each precondition."""
    with TaskGroup("preconditions") as group:
        for number, each in enumerate(job.preconditions, start=1):
            (kind,) = each.model_fields_set
            PreconditionSensor(task_id=f"{kind}_{number}", job=job, precondition=each)
    return group


for found in jobs_to_build():
    full_copy(found)
