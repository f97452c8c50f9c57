"""Airflow: one DAG per job that rehearses a restore into a scratch table, proves it and measures it."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, chain

from dynamodb_copy.job import DrillJob
from dynamodb_copy_airflow.assets import target_asset
from dynamodb_copy_airflow.dag_arguments import dag_arguments, jobs_to_build, schedule
from dynamodb_copy_airflow.drill_operators import (
    CheckContentOperator,
    CheckRowsOperator,
    CreateScratchOperator,
    DropScratchOperator,
    ReportOperator,
)
from dynamodb_copy_airflow.incremental_operators import EVEN_WITHOUT_SEGMENTS, HandOverOperator, apply_segments
from dynamodb_copy_airflow.operators import PlanOperator, copy_segments
from dynamodb_copy_airflow.parameters import drill_parameters
from dynamodb_copy_airflow.sensors import BackupSealedSensor, VerbSensor, preconditions

SHAPE = """
`preconditions` hold → `backup_sealed` waits for a backup and chooses it, or takes the run's parameter `as_of` →
`create_scratch` → `scratch_active` → `plan` → `restore` loads each segment → `hand_over` → `replay` applies the
increments after the full backup, and is skipped when there are none → `check_rows` → `check_content`.
Then, whatever happened: `report` says what was measured and found, and fails unless the table was recovered within the
objectives; `drop_scratch` drops the table, or keeps it if the parameter `keep_scratch` says so. `recovered` is green
only when every check and the report are.
Every task may be cleared and run again while the scratch table is there: it goes on where it was. A table that was
dropped does not come back: to drill again, trigger a new run.
"""


def dr_drill(job: DrillJob) -> None:
    """Declare the job's DAG."""
    arguments = dag_arguments(job, kind="dr-drill", shape=SHAPE)
    with DAG(schedule=schedule(job), params=drill_parameters(), **arguments):
        sealed = BackupSealedSensor(task_id="backup_sealed", job=job)
        create = CreateScratchOperator(task_id="create_scratch", job=job)
        active = VerbSensor(task_id="scratch_active", job=job, verb="target_is_active")
        plan = PlanOperator(task_id="plan", job=job)
        restore = copy_segments("restore", job, plan)
        hand_over = HandOverOperator(task_id="hand_over", job=job)
        replay = apply_segments("replay", job, hand_over)
        rows = CheckRowsOperator(task_id="check_rows", job=job, trigger_rule=EVEN_WITHOUT_SEGMENTS)
        content = CheckContentOperator(task_id="check_content", job=job)
        report = ReportOperator(task_id="report", job=job, trigger_rule="all_done", outlets=[target_asset(job)])
        drop = DropScratchOperator(task_id="drop_scratch", job=job)

        loaded = [create, active, plan, restore, hand_over, replay]
        chain(*preconditions(job), sealed, *loaded, rows, content, drop)
        # The run is red when its teardown fails, too; Airflow then counts nothing that comes before the teardown
        drop.as_teardown(setups=create, on_failure_fail_dagrun=True)
        # Beside the teardown: Airflow begins nothing between a setup that failed and its teardown, whatever the rule
        content >> report
        # A run that was cleared may have its good report from before, and a check that failed since
        [content, report] >> EmptyOperator(task_id="recovered")


for found in jobs_to_build(DrillJob):
    dr_drill(found)
