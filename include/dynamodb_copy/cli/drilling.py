"""`run` of a drill: whatever happens, there is a report, and the scratch table does not stay by accident."""

from __future__ import annotations

from datetime import datetime

from dynamodb_copy.assembly import DrillRun
from dynamodb_copy.cli.asked import Asked
from dynamodb_copy.cli.copying import copy_and_apply, tell_choice, tell_prepared, wait_until_active
from dynamodb_copy.cli.outside import Outcome, Surroundings
from dynamodb_copy.cli.patience import Patience
from dynamodb_copy.collector import frozen_collector
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.errors import CopyError
from dynamodb_copy.job import DrillJob


def drilled(job: DrillJob, asked: Asked, outside: Surroundings) -> Outcome:
    """Rehearse the restore; the outcome is good only if everything was recovered and tidied up."""
    began = outside.now()
    drill = _Drill(job, asked, outside)
    drill.choose()
    try:
        is_done = drill.restore_and_check()
        report = drill.report(began)
    finally:
        is_tidy = drill.tidy_up()
    return Outcome(report.as_dict(), report.render(), good=is_done and report.recovered and is_tidy)


class _Drill:
    def __init__(self, job: DrillJob, asked: Asked, outside: Surroundings) -> None:
        self._run: DrillRun = outside.open_run(job, asked.run_id)
        self._asked = asked
        self._patience = Patience(job, outside)
        self._patience_left = Patience(job, outside)  # for the end: a copy that was stopped leaves none
        self._is_created = False

    def choose(self) -> None:
        for line in self._patience.patiently(self._run.drop_leftovers):
            self._patience.say(line)
        choice = self._patience.patiently(lambda: self._run.choose(self._asked.as_of))
        tell_choice(choice, self._asked, self._patience)

    def restore_and_check(self) -> bool:
        """Go as far as it goes, which the report tells; False, after saying why, if that is not to the end."""
        try:
            self._restore_and_check()
        except CopyError as error:
            self._patience.say(str(error))
            return False
        return True

    def _restore_and_check(self) -> None:
        run, patience = self._run, self._patience
        tell_prepared(patience.patiently(run.create), patience)
        self._is_created = True
        wait_until_active(run, patience)
        with frozen_collector():
            copy_and_apply(run, patience, continued=self._asked.continued)
            patience.say("checking rows and content")
            patience.patiently(run.check_rows)
            patience.patiently(run.check_content)

    def report(self, began: datetime) -> DrillReport:
        """The report; a continued drill was triggered when its first attempt began."""
        return self._patience_left.patiently(lambda: self._run.report(min(began, self._run.began())))

    def tidy_up(self) -> bool:
        """Drop the scratch table, or keep it if that was asked for; False if that could not be done."""
        patience = self._patience_left
        try:
            if self._asked.keep_scratch and self._is_created:
                patience.say(f"scratch table {patience.patiently(self._run.keep)} stays: drop it when you are done")
            elif patience.patiently(self._run.drop):
                patience.say("the scratch table was dropped")
        except CopyError as error:
            patience.say(str(error))
            return False
        return True
