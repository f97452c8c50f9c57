"""The verbs that only incremental copies have."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.model import Segment
from dynamodb_copy_airflow.metrics import report_lag
from dynamodb_copy_airflow.operators import CopySegmentOperator, JobOperator
from dynamodb_copy_airflow.progress import ProgressLog
from dynamodb_copy_airflow.runs import AnyJob

EVEN_WITHOUT_SEGMENTS = "none_failed"
"""The trigger rule after mapped tasks, which Airflow skips when there is nothing to map over."""


class PlanBaseOperator(JobOperator):
    """Decides the base's segments once per run; there are none once the target has its base."""

    def work(self, run: Any, context: Context) -> list[list[int]]:  # noqa: ARG002 -- operators share a signature
        """Return `[[index, total], …]` for the mapped copy, which Airflow skips when it is empty."""
        plan = run.plan()
        self.log.info(plan.reason)
        return [[segment.index, segment.total] for segment in plan.segments]


class HandOverOperator(JobOperator):
    """Checks that the base is whole, and decides what changes the run reads."""

    def work(self, run: Any, context: Context) -> list[list[int]]:  # noqa: ARG002 -- operators share a signature
        """Return `[[index, total], …]` for the mapped apply, which Airflow skips when no window has ended yet."""
        plan = run.hand_over()
        self.log.info(plan.reason)
        return [[segment.index, segment.total] for segment in plan.segments]


class StartWindowsOperator(JobOperator):
    """Starts the service's exports of the run's windows, each once."""

    def work(self, run: Any, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log the exports' names."""
        for arn in run.start_windows():
            self.log.info("the service exports: %s", arn)


class ApplySegmentOperator(CopySegmentOperator):
    """Writes the changes of one segment that earlier attempts left."""

    def work(self, run: Any, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Write, with progress in the log and the lag as a metric."""

        def drained(moment: float) -> None:
            report_lag(self.job.name, time.time() - moment)

        with frozen_collector():
            tally = run.apply(Segment(*self.segment), ProgressLog(self.job.name, self.log), drained)
        self.log.info(
            "%s %s: done at %s, %s changes, %s of them deletes",
            self.job.name,
            self.segment_label,
            datetime.now(UTC).isoformat(timespec="seconds"),
            f"{tally.items:,}",
            f"{tally.deletes:,}",
        )


def apply_segments(task_id: str, job: AnyJob, handed_over: HandOverOperator) -> MappedOperator:
    """Declare one apply for each segment of the changes, as many at once as the job says."""
    return ApplySegmentOperator.partial(
        task_id=task_id,
        job=job,
        max_active_tis_per_dagrun=job.parallel,
        map_index_template="{{ task.segment_label }}",
    ).expand(segment=handed_over.output)
