"""What the reference and the example jobs say is what the product reads."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest
import yaml

from dynamodb_copy.job import (
    BackupJob,
    BackupTarget,
    Changes,
    CopyJob,
    DrillJob,
    DrillTarget,
    IncrementalBackupJob,
    IncrementalJob,
    IncrementalTarget,
    Index,
    Job,
    Keep,
    KeyAttribute,
    Notify,
    Objectives,
    Precondition,
    RestoreJob,
    RestoreTarget,
    S3At,
    Share,
    SourceTable,
    TableKeys,
    TargetTable,
    Units,
    load_folder,
    read_job,
)
from dynamodb_copy.job.sections import Section
from job_texts import KINDS, job_of, text_of

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/jobs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", REFERENCE, flags=re.DOTALL)


def completed(example: str) -> str:
    """The example with the required keys that it leaves out; one that says what the job does leaves out none."""
    written = yaml.safe_load(example)
    shortest = {} if written.keys() & {"copy", "restore", "drill"} else yaml.safe_load(text_of())
    missing = {key: value for key, value in shortest.items() if key not in written}
    return example + (yaml.safe_dump(missing) if missing else "")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_reference_is_read(example: str) -> None:
    assert read_job("orders", completed(example)).text.startswith(example)


def tables_below(heading: str) -> list[tuple[str, ...]]:
    """The keys that each table between this heading and the next lists."""
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", REFERENCE, flags=re.DOTALL | re.MULTILINE)
    tables = re.findall(r"^\| Key \|.*\n\|[-|]+\n((?:\|.*\n)+)", section, flags=re.MULTILINE)
    return [tuple(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) for table in tables]


def test_the_reference_has_examples_of_every_kind() -> None:
    assert len(EXAMPLES) >= 10
    assert {type(read_job("orders", completed(example))) for example in EXAMPLES} == set(KINDS)


@pytest.mark.parametrize(
    "section",
    [
        *KINDS,
        *(SourceTable, TargetTable, S3At, BackupTarget, RestoreTarget, TableKeys, KeyAttribute, DrillTarget),
        *(IncrementalTarget, Changes, Index, Keep, Objectives, Notify, Precondition),
    ],
)
def test_the_reference_names_every_key(section: type[Section]) -> None:
    assert [key for key in section.keys() if not re.search(rf"\b{key}\b", REFERENCE)] == []  # noqa: SIM118


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("Keys of every job", Job.keys()),
        ("Copy: table to table", CopyJob.keys()[len(Job.keys()) :]),
        ("Backup: table to S3", BackupJob.keys()[len(Job.keys()) :]),
        ("Incremental copy: table to table", IncrementalJob.keys()[len(Job.keys()) :]),
        ("Incremental backup: table to S3", IncrementalBackupJob.keys()[len(Job.keys()) :]),
        ("Changes", Changes.keys()),
        ("An index", Index.keys()),
        ("Restore: S3 to table", RestoreJob.keys()[len(Job.keys()) :]),
        ("Drill: S3 to a scratch table", DrillJob.keys()[len(Job.keys()) :]),
        ("How long backups stay", Keep.keys()),
        ("Objectives", Objectives.keys()),
        ("Tables", SourceTable.keys()),
        ("Places in S3", S3At.keys()),
    ],
)
def test_the_reference_lists_the_keys_in_order_and_no_others(heading: str, keys: tuple[str, ...]) -> None:
    assert tables_below(heading)[0] == keys


@pytest.mark.parametrize(
    ("heading", "target", "place"),
    [
        ("Copy: table to table", TargetTable, SourceTable),
        ("Incremental copy: table to table", IncrementalTarget, SourceTable),
        ("Restore: S3 to table", RestoreTarget, SourceTable),
    ],
)
def test_the_reference_lists_what_else_a_target_says(heading: str, target: type[Section], place: type[Section]) -> None:
    assert tables_below(heading)[1] == target.keys()[len(place.keys()) :]


def test_the_example_jobs_are_read_without_errors() -> None:
    folder = load_folder(ROOT / "include/jobs")
    copies = [job for job in folder.jobs if isinstance(job, CopyJob)]

    assert folder.errors == {}
    assert {job.name: (job.source.table, job.schedule) for job in copies} == {
        "orders_to_oregon": ("orders", "0 2 * * *"),
        "sessions_to_oregon": ("sessions", "every 6h"),
    }
    assert {type(job.read) for job in copies} == {Share, Units}


def test_the_example_jobs_of_changes_read_a_stream_that_they_switch_on_themselves() -> None:
    jobs = {job.name: job for job in load_folder(ROOT / "include/jobs").jobs}
    replica, chain = jobs["orders_replica"], jobs["orders_chain"]

    assert isinstance(replica, IncrementalJob)
    assert isinstance(chain, IncrementalBackupJob)
    assert replica.changes == chain.changes == Changes(by="stream", enable=True)
    assert (replica.source.ref, replica.schedule) == (chain.source.ref, chain.schedule)
    assert (replica.target.where, replica.schedule) == ("us-west-2/orders_replica", "every 15m")
    assert (chain.target.s3, chain.full_every) == ("s3://example-dr-backups/orders-chain", timedelta(days=7))
    assert chain.keep == Keep(full=4)


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
