"""What the reference and the example jobs say is what the product reads."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest
import yaml

from dynamodb_copy.job import Job, Notify, Precondition, Share, TargetTable, Units, load_folder
from job_texts import job_of, text_of

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/jobs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", REFERENCE, flags=re.DOTALL)


def completed(example: str) -> str:
    """The example with the required keys that it leaves out, and a schedule when it speaks of time."""
    shortest = yaml.safe_load(text_of())
    missing = {key: value for key, value in shortest.items() if key not in yaml.safe_load(example)}
    return example + (yaml.safe_dump(missing) if missing else "")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_reference_is_read(example: str) -> None:
    assert Job.from_text("orders", completed(example)).text.startswith(example)


def test_the_reference_has_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("section", [Job, TargetTable, Notify, Precondition])
def test_the_reference_names_every_key(section: type[Job | TargetTable | Notify | Precondition]) -> None:
    assert [key for key in section.keys() if not re.search(rf"\b{key}\b", REFERENCE)] == []  # noqa: SIM118  # a class


def test_the_reference_lists_the_jobs_keys_in_order_and_no_others() -> None:
    table = REFERENCE.split("## Every key")[1].split("## Tables")[0]

    assert tuple(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == Job.keys()


def test_the_example_jobs_are_read_without_errors() -> None:
    folder = load_folder(ROOT / "include/jobs")

    assert folder.errors == {}
    assert {job.name: (job.source.table, job.schedule) for job in folder.jobs} == {
        "orders_to_oregon": ("orders", "0 2 * * *"),
        "sessions_to_oregon": ("sessions", "every 6h"),
    }
    assert {type(job.read) for job in folder.jobs} == {Share, Units}


CRON_PARTS = (
    ("*", "*/15", "0,30", "5-50/5"),
    ("*", "2", "0-6,22-23"),
    ("*", "31", "1-15/3"),
    ("*", "JAN-mar", "12"),
    ("*", "0", "mon-fri", "5-7"),
)


def test_a_cron_expression_that_is_accepted_has_a_next_run_in_airflows_cron_library() -> None:
    croniter = import_module("croniter").croniter

    accepted = [job_of(schedule=" ".join(parts)).schedule for parts in product(*CRON_PARTS)]

    assert all(croniter(schedule, 1_800_000_000.0).get_next() > 1_800_000_000 for schedule in accepted)
