"""The watchers' tasks are red as long as something is wrong, and tell people only of what they do not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.errors import AccessError, ConnectionMissingError, ServiceUnavailableError
from dynamodb_copy.job import BackupJob, CopyJob, IncrementalBackupJob, IncrementalJob
from dynamodb_copy.phases.lateness import Problem
from dynamodb_copy.phases.watching import JobFiles, Watched
from dynamodb_copy_airflow.notifiers import Listener
from dynamodb_copy_airflow.watching import CheckChainsOperator, ListJobsOperator, VanishedOperator, WatchOperator
from job_texts import TOPIC, text_of

LATE = Problem("overdue", "its last run was sealed a week ago")
WELL = Watched("orders", "alarm", "", described="orders: all is well")
NOTIFY = {"connection": "aws_oregon", "on_failure": TOPIC}


@dataclass
class Sight:
    """What watchers see, and what comes of it."""

    found: list[Watched] = field(default_factory=lambda: [WELL])
    error: Exception | None = None
    unheard: Exception | None = None  # why nobody can be told
    dark: str = ""  # the region that does not answer
    files: JobFiles | None = None
    regions: list[str] = field(default_factory=list)
    rhythms: list[bool] = field(default_factory=list)  # whether there was one
    told: list[tuple[Listener, str, str, str]] = field(default_factory=list)
    remembered: list[str] = field(default_factory=list)
    lags: list[tuple[str, float]] = field(default_factory=list)

    def look(self, context: Any, now: float, rhythm: Any) -> Watched:
        """Stand in for `watch` and `check_chains`."""
        assert now > 0
        self.regions.append(context.job.target.region)
        self.rhythms.append(rhythm is not None)
        if self.error:
            raise self.error
        return self.found[0]

    def vanished(self, context: Any, files: JobFiles) -> list[Watched]:
        """Stand in for `vanished`."""
        self.files = files
        self.regions.append(context.job.target.region)
        if context.job.target.region == self.dark:
            raise ServiceUnavailableError(f"{self.dark} does not answer")
        return self.found

    def tell(self, listener: Listener, job_name: str, news: tuple[str, str]) -> None:
        """Stand in for `tell`."""
        if self.unheard:
            raise self.unheard
        self.told.append((listener, job_name, *news))

    def remember(self, _context: Any, watched: Watched) -> None:
        """Stand in for `told`."""
        self.remembered.append(watched.findings)


@pytest.fixture
def sight(monkeypatch: pytest.MonkeyPatch) -> Sight:
    made = Sight()
    stands_in = {"watch": made.look, "check_chains": made.look, "vanished": made.vanished}
    stands_in |= {"tell": made.tell, "told": made.remember}
    for name, function in stands_in.items():
        monkeypatch.setattr(f"dynamodb_copy_airflow.watching.{name}", function)
    monkeypatch.setattr(
        "dynamodb_copy_airflow.watching.report_lag", lambda job, seconds: made.lags.append((job, seconds))
    )
    return made


@pytest.fixture
def write_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a job file into the folder that tasks read."""
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", str(tmp_path))

    def write(name: str = "orders", *, kind: Any = CopyJob, **changes: Any) -> Path:
        path = tmp_path / (name if "." in name else f"{name}.yaml")
        path.write_text(text_of(kind, **changes))
        return path

    return write


def watch() -> None:
    WatchOperator(task_id="watch", job_name="orders").execute({})


def failure_of(act: Callable[[], None]) -> str:
    with pytest.raises(AirflowFailException) as caught:
        act()
    return str(caught.value)


@pytest.mark.usefixtures("sight")
def test_the_jobs_are_named_and_files_with_errors_are_not_jobs(write_job: Any) -> None:
    write_job("orders")
    write_job("store", kind=BackupJob)
    write_job("chain", kind=IncrementalBackupJob, to_={"s3": "s3://dr-backups/chain"})
    write_job("broken").write_text("copy: half")

    assert ListJobsOperator(task_id="jobs").execute({}) == ["chain", "orders", "store"]
    assert ListJobsOperator(task_id="jobs", only_backups=True).execute({}) == ["chain", "store"]


def test_a_folder_that_cannot_be_read_is_an_error_and_no_job_has_vanished(
    write_job: Any, tmp_path: Path, sight: Sight
) -> None:
    write_job().unlink()

    assert ListJobsOperator(task_id="jobs").execute({}) == []

    tmp_path.rmdir()
    for operator in (ListJobsOperator(task_id="jobs"), VanishedOperator(task_id="vanished")):
        assert str(tmp_path) in failure_of(lambda it=operator: it.execute({}))  # type: ignore[misc]
    assert sight.regions == []


@pytest.mark.parametrize("name", ["orders.yaml", "orders.yml"])
def test_a_job_that_is_well_leaves_a_line_in_the_log(
    name: str, write_job: Any, sight: Sight, log_lines: list[str]
) -> None:
    write_job(name, schedule="@daily")

    watch()

    assert log_lines == ["orders: all is well"]
    assert (sight.told, sight.remembered, sight.rhythms, sight.lags) == ([], [], [True], [])


def test_the_lag_is_a_metric_even_while_no_run_is_under_way(write_job: Any, sight: Sight) -> None:
    write_job(kind=IncrementalJob)
    sight.found = [replace(WELL, up_to=1.0, lag_seconds=7.5)]

    watch()

    assert sight.lags == [("orders", 7.5)]


def test_a_problem_is_told_when_it_is_new_and_keeps_the_task_red(write_job: Any, sight: Sight) -> None:
    write_job(notify=NOTIFY)
    sight.found = [replace(WELL, problems=(LATE,))]

    assert failure_of(watch) == LATE.text
    sight.found = [replace(WELL, problems=(LATE,), told="overdue")]
    assert failure_of(watch) == LATE.text

    (((_, topic), job_name, happened, text),) = sight.told
    assert (topic, job_name, happened) == (TOPIC, "orders", "is late")
    assert text == f"orders is late\n{LATE.text}"
    assert sight.remembered == ["overdue"]


def test_the_end_of_all_problems_is_told_and_the_task_is_green(write_job: Any, sight: Sight) -> None:
    write_job(notify=NOTIFY)
    sight.found = [replace(WELL, told="overdue")]

    watch()

    assert [happened for _, _, happened, _ in sight.told] == ["is well again"]
    assert sight.remembered == [""]


def test_lateness_goes_to_on_late_where_there_is_one(write_job: Any, sight: Sight) -> None:
    write_job(schedule="@daily", late_after="1h", notify={**NOTIFY, "on_late": f"{TOPIC}-late"})
    sight.found = [replace(WELL, problems=(LATE,))]

    failure_of(watch)

    assert [listener[1] for listener, *_ in sight.told] == [f"{TOPIC}-late"]


def test_without_a_topic_the_task_is_all_that_tells(write_job: Any, sight: Sight) -> None:
    write_job()
    sight.found = [replace(WELL, problems=(LATE,))]

    assert failure_of(watch) == LATE.text
    assert (sight.told, sight.remembered) == ([], ["overdue"])


def test_what_could_not_be_told_is_not_remembered_and_not_hidden(write_job: Any, sight: Sight) -> None:
    write_job(notify=NOTIFY)
    sight.found = [replace(WELL, problems=(LATE,))]
    sight.unheard = ConnectionMissingError("there is no aws_oregon")

    failure = failure_of(watch)

    assert failure.splitlines() == [LATE.text, "nobody was told that orders is late: there is no aws_oregon"]
    assert sight.remembered == []


def test_a_dark_side_is_asked_again_and_a_refusal_is_final(write_job: Any, sight: Sight) -> None:
    write_job()

    sight.error = ServiceUnavailableError("no answer")
    with pytest.raises(ServiceUnavailableError):
        watch()
    sight.error = AccessError("dynamodb:GetItem is not allowed")
    assert "dynamodb:GetItem" in failure_of(watch)


def test_a_broken_chain_is_told_to_who_hears_of_failures(write_job: Any, sight: Sight, log_lines: list[str]) -> None:
    write_job(kind=BackupJob, notify=NOTIFY)
    gaps = tuple([Problem(f"gap {number}", f"{number}: no increment goes on there") for number in range(30)])
    sight.found = [Watched("orders", "chain_alarm", "", gaps, described="30 problems")]

    failure = failure_of(lambda: CheckChainsOperator(task_id="check", job_name="orders").execute({}))

    assert len(failure.splitlines()) == 30
    ((_, _, happened, text),) = sight.told
    assert happened == "has backups that are not whole"
    assert text.splitlines()[-1] == "and 10 more, in the log of the task"
    assert len(text.splitlines()) == 22
    assert log_lines == ["30 problems"]


def gone() -> None:
    VanishedOperator(task_id="vanished").execute({})


def test_each_side_is_asked_once_and_all_files_are_known(write_job: Any, sight: Sight) -> None:
    sight.found = []
    write_job("orders")
    write_job("customers", to_={"table": "customers"})
    write_job("home", to_={"table": "home", "region": "us-east-1"})
    write_job("broken").write_text("copy: half")

    gone()

    assert sorted(sight.regions) == ["us-east-1", "us-west-2"]
    assert sight.files == JobFiles(
        valid=frozenset({"orders", "customers", "home"}),
        broken=frozenset({"broken"}),
        targets=frozenset({"us-west-2/orders", "us-west-2/customers", "us-east-1/home"}),
    )


def test_without_jobs_nothing_has_vanished(write_job: Any, sight: Sight) -> None:
    write_job().unlink()

    gone()

    assert sight.regions == []


def test_a_vanished_job_is_told_to_each_topic_of_its_side_once(write_job: Any, sight: Sight) -> None:
    sight.found = [Watched("old", "alarm", "", (Problem("vanished", "old is gone"),))]
    write_job("orders", notify=NOTIFY)
    write_job("customers", to_={"table": "customers"}, notify=NOTIFY)
    write_job("others", to_={"table": "others"}, notify={**NOTIFY, "on_failure": f"{TOPIC}-2"})

    assert failure_of(gone) == "old is gone"

    assert sorted(listener[1] for listener, *_ in sight.told) == [TOPIC, f"{TOPIC}-2"]
    assert {(name, happened) for _, name, happened, _ in sight.told} == {("old", "has vanished")}


def test_a_dark_side_is_told_of_in_the_log_and_the_others_are_asked(write_job: Any, sight: Sight) -> None:
    sight.dark = "us-west-2"
    sight.found = [Watched("old", "alarm", "vanished", (Problem("vanished", "old is gone"),))]
    write_job("orders")
    write_job("home", to_={"table": "home", "region": "us-east-1"})

    assert sorted(failure_of(gone).splitlines()) == [
        "old is gone",
        "the side that orders write to cannot be asked for jobs that vanished: us-west-2 does not answer",
    ]
