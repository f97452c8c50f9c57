"""One operator per verb, which opens the run and calls the engine; these are of copies, or shared by several kinds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.assembly import AnyRun, BackupRun, CopyRun, RestoreRun
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.model import Segment
from dynamodb_copy_airflow.assets import figures, target_asset
from dynamodb_copy_airflow.metrics import report_lag
from dynamodb_copy_airflow.progress import ProgressLog
from dynamodb_copy_airflow.runs import AnyJob, opened_run


class JobOperator(BaseOperator):
    """Does one verb of one job; permanent failures are not retried, all others are."""

    def __init__(self, *, job: AnyJob, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job
        self._is_working = False

    @abstractmethod
    def work(self, run: Any, context: Context) -> Any:
        """Call the engine; `run` is of the job's kind."""

    def execute(self, context: Context) -> Any:
        """Open the run and work."""
        with self._interruptible(), opened_run(self.job, context) as run:
            return self.work(run, context)

    def on_kill(self) -> None:
        """Leave the engine's call, so that it releases its leases: on SIGTERM Airflow calls this and does nothing else.

        Raises:
            SystemExit: while the engine works; Airflow counts the attempt as failed and retries it.
        """
        if self._is_working:
            self._is_working = False  # a second signal must not interrupt the release
            raise SystemExit(f"{self.task_id} was told to stop")

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        self._is_working = True
        try:
            yield
        finally:
            self._is_working = False


class PrepareOperator(JobOperator):
    """Refuses what must not be, and creates a missing target."""

    def work(self, run: CopyRun | RestoreRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log what was found."""
        prepared = run.prepare()
        self.log.info("target %s %s", prepared.target_arn, "was created" if prepared.created else "exists")
        for note in prepared.notes:
            self.log.info(note)


class PlanOperator(JobOperator):
    """Decides the segments once per run."""

    def work(self, run: AnyRun, context: Context) -> list[list[int]]:  # noqa: ARG002 -- operators share a signature
        """Return `[[index, total], …]` for the mapped copy.

        Raises:
            AirflowFailException: there is nothing to map over: Airflow would skip the copy and call the run a success.
        """
        plan = run.plan()
        self.log.info("%d segments: %s", len(plan.segments), plan.reason)
        if not plan.segments:
            raise AirflowFailException("the plan has no segments, so nothing would be copied")
        return [[segment.index, segment.total] for segment in plan.segments]


class CopySegmentOperator(JobOperator):
    """Copies what earlier attempts left over of one segment."""

    def __init__(self, *, segment: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.segment = segment  # [index, total]

    @property
    def segment_label(self) -> str:
        """What the grid shows in place of the map index: it is rendered before the copy and after it."""
        return Segment(*self.segment).label

    def work(self, run: AnyRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Copy, with progress in the log."""
        with frozen_collector():
            tally = run.copy(Segment(*self.segment), ProgressLog(self.job.name, self.log))
        self.log.info(
            "%s %s: done, %s items, %.1f MB", self.job.name, self.segment_label, f"{tally.items:,}", tally.bytes / 1e6
        )


def copy_segments(task_id: str, job: AnyJob, plan: JobOperator) -> MappedOperator:
    """Declare one copy for each segment of the plan, as many at once as the job says."""
    return CopySegmentOperator.partial(
        task_id=task_id,
        job=job,
        max_active_tis_per_dagrun=job.parallel,
        map_index_template="{{ task.segment_label }}",
    ).expand(segment=plan.output)


class MirrorOperator(JobOperator):
    """Deletes from the target what the source no longer has, within the job's guards."""

    def work(self, run: CopyRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log how many keys went."""
        self.log.info("deleted %s keys that the source does not have", f"{run.mirror():,}")


class VerifyOperator(JobOperator):
    """Compares the target with what was read; a target that differs fails the run."""

    def work(self, run: CopyRun | RestoreRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log the verdict and what it proves."""
        verdict = run.verify()
        self.log.info("%s: %s", verdict.outcome, verdict.statement)


class SealOperator(JobOperator):
    """Writes the run's report and tells the assets' consumers that the target is complete."""

    def work(self, run: CopyRun | BackupRun | RestoreRun, context: Context) -> None:
        """Log the report, put its figures on the asset event, and report the lag of a target of changes."""
        report = run.seal()
        self.log.info("%s", report.render())
        if report.lag_seconds is not None:
            report_lag(self.job.name, report.lag_seconds)
        context["outlet_events"][target_asset(self.job)].extra.update(figures(report))
