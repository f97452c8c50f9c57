"""The verbs that only restores have."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from dynamodb_copy.assembly import Choice, RestoreRun
from dynamodb_copy_airflow.operators import JobOperator
from dynamodb_copy_airflow.parameters import as_of


class ChooseOperator(JobOperator):
    """Chooses the backup, once per run."""

    def work(self, run: RestoreRun, context: Context) -> None:
        """Log the choice."""
        log_choice(run.choose(as_of(context)), self.log)


class StartImportOperator(JobOperator):
    """Starts the service's import, once per run."""

    def work(self, run: RestoreRun, context: Context) -> None:  # noqa: ARG002 -- operators share a signature
        """Log the import's name."""
        self.log.info("the service imports: %s", run.start_import())


def log_choice(choice: Choice, log: Any) -> None:
    """Tell which backup it is, and what was passed over."""
    log.info("chosen: %s, consistent at %s, %s items", choice.described, choice.consistent, f"{choice.items:,}")
    for note in choice.notes:
        log.info(note)
