"""Airflow: two DAGs that watch all jobs: how old what they keep is, and whether their backups are whole."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable

from dynamodb_copy_airflow.watching import CheckChainsOperator, ListJobsOperator, VanishedOperator, WatchOperator

WATCHER = """
`jobs` lists the jobs → `watch` looks at each: is what its target holds too old, did a run that was due never end, did
none ever run? `vanished` looks for jobs that ran once and have no file any more.
A task is red as long as something is wrong, and its log says what. People are told when that changes.
"""

CHAINS = """
`jobs` lists the backup jobs → `check` looks at all that each has stored: is every chain whole, is every part there?
Parts are not read. A task is red as long as something is wrong, and its log says what.
"""

SHARED: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,  # who is to tell that nobody watches?
    "tags": ["watcher"],
}

with DAG(
    "dynamodb_copy_watcher",
    description="Is every job in time?",
    doc_md=WATCHER,
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    default_args={"retries": 1, "retry_delay": timedelta(seconds=10), "execution_timeout": timedelta(minutes=4)},
    **SHARED,
):
    listed = ListJobsOperator(task_id="jobs")
    WatchOperator.partial(task_id="watch", map_index_template="{{ task.job_name }}").expand(job_name=listed.output)
    VanishedOperator(task_id="vanished")

with DAG(
    "dynamodb_copy_chains",
    description="Is every backup whole?",
    doc_md=CHAINS,
    schedule=CronTriggerTimetable("0 6 * * *", timezone="UTC"),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=6)},
    **SHARED,
):
    listed = ListJobsOperator(task_id="jobs", only_backups=True)
    CheckChainsOperator.partial(task_id="check", map_index_template="{{ task.job_name }}").expand(
        job_name=listed.output
    )
