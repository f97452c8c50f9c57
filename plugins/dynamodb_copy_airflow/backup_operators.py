"""The verbs that only backups have."""

from __future__ import annotations

from airflow.sdk import Context

from dynamodb_copy.assembly import BackupRun
from dynamodb_copy_airflow.operators import JobOperator


class PrepareBackupOperator(JobOperator):
    """Refuses what must not be, and takes the place."""

    def work(self, run: BackupRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log where the backup will be."""
        self.log.info("the backup will be %s, once sealed", run.prepare())


class StartExportOperator(JobOperator):
    """Starts the service's export, once per run."""

    def work(self, run: BackupRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log the export's name."""
        self.log.info("the service exports: %s", run.start_export())


class ExpireOperator(JobOperator):
    """Deletes the backups that the job no longer keeps; a newest one that shrank fails the task, as an alarm."""

    def work(self, run: BackupRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log each backup that went."""
        gone = run.expire()
        for address in gone:
            self.log.info("deleted %s", address)
        self.log.info("%d backups deleted", len(gone))
