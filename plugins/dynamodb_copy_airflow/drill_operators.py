"""The verbs that only drills have."""

from __future__ import annotations

from airflow.sdk import Context

from dynamodb_copy.assembly import DrillRun, require_recovered
from dynamodb_copy_airflow.assets import drill_figures, target_asset
from dynamodb_copy_airflow.operators import JobOperator
from dynamodb_copy_airflow.parameters import keeps_scratch


class CreateScratchOperator(JobOperator):
    """Creates the scratch table, after scratch tables of dead runs were dropped."""

    def work(self, run: DrillRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log what became of leftovers, and the table's name."""
        for line in run.drop_leftovers():
            self.log.info(line)
        prepared = run.create()
        self.log.info("scratch table %s %s", prepared.target_arn, "was created" if prepared.created else "exists")
        for note in prepared.notes:
            self.log.info(note)


class CheckRowsOperator(JobOperator):
    """Counts what the manifests say, what was read and what the scratch table holds; a difference fails the task."""

    def work(self, run: DrillRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log the counts."""
        rows = run.check_rows()
        self.log.info(
            "%s items in the manifest, %s read from S3, %s in the scratch table",
            *[f"{count:,}" for count in (rows.manifest, rows.read, rows.scratch)],
        )
        if rows.expected is not None:
            self.log.info("%s changes replayed, %s items due", f"{rows.replayed:,}", f"{rows.expected:,}")


class CheckContentOperator(JobOperator):
    """Compares the scratch table with the backup, item by item; a difference fails the task."""

    def work(self, run: DrillRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log the verdict and what it proves."""
        verdict = run.check_content()
        self.log.info("%s: %s", verdict.outcome, verdict.statement)


class ReportOperator(JobOperator):
    """Says what was measured and found, whatever it is; a failed check and a missed objective fail the task."""

    def work(self, run: DrillRun, context: Context) -> None:
        """Log the report and put its figures on the asset event, which only a proven recovery brings about."""
        report = run.report(context["dag_run"].run_after)
        self.log.info("%s", report.render())
        context["outlet_events"][target_asset(self.job)].extra.update(drill_figures(report))
        require_recovered(report)


class DropScratchOperator(JobOperator):
    """Drops the scratch table, or keeps it when the run was asked to."""

    def work(self, run: DrillRun, context: Context) -> None:
        """Log what became of it."""
        if keeps_scratch(context):
            self.log.info("the scratch table is kept: %s", run.keep())
        else:
            self.log.info("the scratch table %s", "was dropped" if run.drop() else "is gone already")
