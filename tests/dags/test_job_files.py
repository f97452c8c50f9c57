"""A broken job file shows as one import error and hides nobody else's DAG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

from dags.airflow_home import ROOT
from job_texts import texts_apart

WriteJob = Callable[..., Path]

WATCHERS = {"dynamodb_copy_watcher", "dynamodb_copy_chains"}
"""Which watch all jobs, and are there without any."""


def test_a_broken_file_leaves_all_other_jobs_running_and_tells_what_is_wrong(write_job: WriteJob, orders: str) -> None:
    write_job("orders")
    write_job("customers", orders.replace("table: orders", "table: customers") + "paralel: 4\nretries: -1\n")

    bag = DagBag(dag_folder=ROOT / "dags")

    assert set(bag.dags) == {"orders", *WATCHERS}
    ((file, text),) = bag.import_errors.items()
    assert file.endswith("job_files.py")
    assert "customers.yaml" in text
    assert "paralel" in text
    assert "retries" in text


def test_a_job_of_each_kind_becomes_one_dag(write_job: WriteJob) -> None:
    texts = texts_apart()
    for kind, text in texts.items():
        write_job(kind.__name__, text)

    bag = DagBag(dag_folder=ROOT / "dags")

    assert bag.import_errors == {}
    assert set(bag.dags) == {*WATCHERS, *[kind.__name__ for kind in texts]}


def test_nothing_is_an_error_when_every_file_is_right(write_job: WriteJob) -> None:
    write_job("orders")

    assert DagBag(dag_folder=ROOT / "dags").import_errors == {}


def test_a_missing_jobs_folder_is_an_import_error_not_a_silence(write_job: WriteJob, tmp_path: Path) -> None:
    write_job("orders").unlink()
    tmp_path.rmdir()

    bag = DagBag(dag_folder=ROOT / "dags")

    (text,) = bag.import_errors.values()
    assert str(tmp_path) in text


def test_airflow_takes_each_dag_file_for_one(tmp_path: Path) -> None:
    """In safe mode Airflow skips files that do not contain both words; a skipped file would show nothing at all."""
    del tmp_path
    for file in (ROOT / "dags").glob("*.py"):
        text = file.read_text().lower()
        assert "dag" in text, file
        assert "airflow" in text, file
