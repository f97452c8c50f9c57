"""Backups, restores and drills from the command line, by profiles that lead to the emulator."""

from __future__ import annotations

import io
import json
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dynamodb_copy.assembly import check_chains, list_backups, open_run
from dynamodb_copy.aws.clients import Connect, profile_client
from dynamodb_copy.aws.profiles import profile_region
from dynamodb_copy.cli import Surroundings, main
from dynamodb_copy.job import BackupJob, DrillJob, Job, RestoreJob
from integration.pair import SOURCE_REGION, TARGET_REGION, Pair, item_of
from integration.table_names import table_names
from job_texts import text_of
from stack.emulators import Profile, aws_config, boto_client

pytestmark = pytest.mark.integration

NOWHERE = "state-that-nobody-made"


@dataclass
class Shell:
    """Runs commands on job files of one pair of tables and one bucket; each run has an id of its own."""

    folder: Path
    pair: Pair
    s3: Any
    bucket: str
    captured: pytest.CaptureFixture[str]
    connect: Connect = field(default_factory=lambda: cache(profile_client))  # to make a client takes longest
    numbers: count[int] = field(default_factory=count)
    messages: str = ""
    output: str = ""

    def __call__(self, command: str, kind: type[Job], *options: str, **job: Any) -> int:
        """Run a command on a job of this kind; its exit status."""
        table, place = {"table": self.pair.table}, {"s3": self.uri}
        places: dict[type[Job], dict[str, Any]] = {
            BackupJob: {"from_": table, "to_": place},
            RestoreJob: {"from_": place, "to_": table},
            DrillJob: {"from_": place},
        }
        jobfile = self.folder / f"{kind.__name__}.yaml"
        jobfile.write_text(text_of(kind, **places[kind], retries=0, **job))
        return self.main(command, str(jobfile), *options)

    def main(self, *arguments: str) -> int:
        """Run a command line as `python -m dynamodb_copy` does."""
        to = io.StringIO()
        outside = Surroundings(
            open_run=lambda job, run_id: open_run(job, run_id, self.connect),
            messages=Console(file=to, markup=False, highlight=False, soft_wrap=True),
            pause=threading.Event.wait,
            new_run_id=lambda: f"{self.pair.table}/{next(self.numbers)}",
            now=lambda: datetime.now(UTC),
            region_of=profile_region,
            list_backups=lambda place: list_backups(place, self.connect),
            check_chains=lambda place, deep: check_chains(place, self.connect, deep=deep),
            columns=100,
        )
        status = main(arguments, outside)
        self.messages, self.output = to.getvalue(), self.captured.readouterr().out
        return status

    @property
    def result(self) -> Any:
        """What --json printed."""
        return json.loads(self.output)

    @property
    def uri(self) -> str:
        """Where the backups are."""
        return f"s3://{self.bucket}/nightly"

    @property
    def backups(self) -> list[dict[str, Any]]:
        """What `backups` lists."""
        assert self.main("backups", self.uri, "--profile", "aws_oregon", "--json") == 0
        listed: list[dict[str, Any]] = self.result["backups"]
        return listed

    @property
    def keys(self) -> list[str]:
        """Of all objects."""
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    @property
    def tables(self) -> list[str]:
        """All tables on the side of the backups that are this test's."""
        pages = self.pair.target.client.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"] if self.pair.table in name]


@pytest.fixture
def shell(tmp_path: Path, filled: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Its job's table holds 300 items; its bucket is empty, and its state table is not there yet."""
    for module in ("comparing", "drilling", "running"):  # a full collection takes seconds in a process of many tests
        monkeypatch.setattr(f"dynamodb_copy.cli.{module}.frozen_collector", nullcontext)
    profiles = {
        "aws_virginia": Profile(filled.endpoint, SOURCE_REGION),
        "aws_oregon": Profile(filled.endpoint, TARGET_REGION),
    }
    monkeypatch.setenv("AWS_CONFIG_FILE", str(aws_config(tmp_path / "aws.ini", profiles)))
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", f"state-of-{filled.table}")
    s3, bucket = boto_client(filled.endpoint, "s3", TARGET_REGION), filled.table.replace("table", "bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": TARGET_REGION})
    return Shell(tmp_path, filled, s3, bucket, capsys)


@pytest.fixture
def backed_up(shell: Shell) -> Shell:
    """One backup is there."""
    assert shell("run", BackupJob) == 0
    return shell


def test_backups_are_planned_made_listed_and_deleted(shell: Shell) -> None:
    assert shell("plan", BackupJob, "--json") == 0
    assert (shell.result["items"], shell.result["would_delete"]) == (300, [])
    assert (shell.backups, shell.keys, shell.tables) == ([], [], [])  # nothing was touched, no state table was made
    shell("run", BackupJob)
    (first,) = shell.backups
    assert (first["kind"], first["sealed"], first["items"], first["verified"]) == ("full", True, 300, "never")
    keep = {"full": 1}

    shell("run", BackupJob)
    assert shell("plan", BackupJob, "--json", keep=keep) == 0
    would_delete = shell.result["would_delete"]
    assert shell("run", BackupJob, keep=keep) == 0

    assert would_delete == [f"{shell.uri}/AWSDynamoDB/{first['id']}"]
    assert f"deleted {would_delete[0]}: keep does not keep it any more" in shell.messages
    assert first["id"] not in [each["id"] for each in shell.backups]


@pytest.mark.parametrize("kind", [RestoreJob, DrillJob])
def test_the_plan_of_a_restore_touches_nothing_and_needs_no_state(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch, kind: type[Job]
) -> None:
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", NOWHERE)
    before = (backed_up.tables, backed_up.keys)

    assert backed_up("plan", kind, "--json", segments=2, write={"units": 100}) == 0

    found = backed_up.result
    assert (found["items"], found["segments"], found["creates_target"]) == (300, 2, True)
    assert (found["write_units"], found["seconds"]) == (300.0, 3.0)
    assert 0 <= found["age_seconds"] < 60
    assert (backed_up.tables, backed_up.keys) == before
    assert NOWHERE not in table_names(backed_up.pair.target.client)


def test_a_drill_proves_the_newest_backup_and_leaves_no_table(backed_up: Shell) -> None:
    before = backed_up.tables

    assert backed_up("run", DrillJob, "--json") == 0

    found = backed_up.result
    assert (found["recovered"], found["scratch_items"]) == (True, 300)
    (proved,) = backed_up.backups
    assert datetime.fromisoformat(proved["verified"]) >= datetime.fromisoformat(found["triggered"])
    assert backed_up.tables == before


def test_a_drill_of_a_damaged_part_fails_with_a_report_and_keeps_what_it_was_told_to(backed_up: Shell) -> None:
    (part,) = [key for key in backed_up.keys if "/data/" in key]
    size = backed_up.s3.head_object(Bucket=backed_up.bucket, Key=part)["ContentLength"]
    backed_up.s3.put_object(Bucket=backed_up.bucket, Key=part, Body=bytes(size))

    assert backed_up("run", DrillJob, "--json", "--keep-scratch") == 1

    assert f"{part}: its MD5 is" in backed_up.messages
    assert (backed_up.result["recovered"], backed_up.result["scratch_items"]) == (False, None)
    (name,) = [name for name in backed_up.tables if "-drill-" in name]
    assert f"scratch table {name} stays" in backed_up.messages


def test_a_restore_brings_all_back_and_changes_since_the_backup_are_found(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = backed_up.pair.source, backed_up.pair.target
    assert backed_up("run", RestoreJob, "--json") == 0
    assert (backed_up.result["verdict"]["outcome"], target.items()) == ("equal", source.items())
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", NOWHERE)
    assert backed_up("verify", RestoreJob) == 0
    target.put(item_of(7, note={"S": "changed"}), item_of(300))
    target.delete(8)
    before = (target.items(), backed_up.tables, backed_up.keys)

    assert backed_up("verify", RestoreJob, "--json", "--show-keys") == 1

    found = backed_up.result
    assert (found["outcome"], found["changed"], found["missing"], found["extra"]) == ("differs", 1, 1, 1)
    assert {json.loads(key)["id"]["S"] for key in found["differing"]} == {"item-00007", "item-00008", "item-00300"}
    assert f"compared with {backed_up.uri}/AWSDynamoDB/" in found["statement"]
    assert (target.items(), backed_up.tables, backed_up.keys) == before


def test_an_older_backup_is_restored_and_compared_when_that_is_asked_for(backed_up: Shell) -> None:
    as_of = backed_up.backups[0]["ended"]
    backed_up.pair.source.delete(1)
    backed_up("run", BackupJob)

    assert backed_up("run", RestoreJob, "--as-of", as_of) == 0

    assert len(backed_up.pair.target.items()) == 300
    assert backed_up("verify", RestoreJob, "--as-of", as_of) == 0
    assert backed_up("verify", RestoreJob, "--json") == 0
    assert (backed_up.result["outcome"], backed_up.result["extra"]) == ("superset", 1)


def test_a_table_that_holds_items_is_refused_by_plan_and_run_alike(backed_up: Shell) -> None:
    target = backed_up.pair.target
    target.create()
    target.put(item_of(1))

    for command in ("plan", "run"):
        assert backed_up(command, RestoreJob) == 2
        assert "holds items; a restore would mix with them" in backed_up.messages

    assert len(target.items()) == 1


def test_an_export_without_point_in_time_recovery_is_refused_by_plan_and_run_alike(shell: Shell) -> None:
    for command in ("plan", "run"):
        assert shell(command, BackupJob, engine="export") == 2
        assert "point-in-time recovery of" in shell.messages

    assert (shell.keys, shell.tables) == ([], [])


def test_a_list_names_what_is_damaged_and_needs_no_state_table(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (table,) = [key for key in backed_up.keys if key.endswith("/table.json")]
    backed_up.s3.put_object(Bucket=backed_up.bucket, Key=table, Body=b"{}")
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", NOWHERE)

    (found,) = backed_up.backups

    assert (found["kind"], found["verified"]) == ("damaged", "unknown")
    assert found["problem"].startswith(f"s3://{backed_up.bucket}/{table}: does not agree with backup.json")
    assert backed_up.result["notes"] == [f"verified is unknown: there is no state table {NOWHERE!r} in us-west-2"]


def test_a_chain_is_checked_with_the_root_hashes_of_the_state_table(backed_up: Shell) -> None:
    place = ("chain", backed_up.uri, "--profile", "aws_oregon", "--json")

    assert backed_up.main(*place, "--deep") == 0
    assert (backed_up.result["fulls"], backed_up.result["problems"], backed_up.result["notes"]) == (1, [], [])

    (table,) = [key for key in backed_up.keys if key.endswith("/table.json")]
    backed_up.s3.put_object(Bucket=backed_up.bucket, Key=table, Body=b"{}")
    assert backed_up.main(*place) == 1
    assert {problem["kind"] for problem in backed_up.result["problems"]} == {"damaged"}


def test_a_chain_is_checked_without_a_state_table_and_says_so(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", NOWHERE)

    assert backed_up.main("chain", backed_up.uri, "--profile", "aws_oregon", "--json") == 0

    (note,) = backed_up.result["notes"]
    assert note.startswith("root hashes are unknown, so an edited backup cannot be told: there is no state table")


@pytest.mark.parametrize(
    ("uri", "profile", "message"),
    [
        ("s3://bucket-that-nobody-made", "aws_oregon", "NoSuchBucket"),
        ("s3://dr-backups", "nobody", "there is no such AWS profile"),
    ],
)
def test_a_place_that_is_not_there_exits_with_2(shell: Shell, uri: str, profile: str, message: str) -> None:
    assert shell.main("backups", uri, "--profile", profile) == 2

    assert message in shell.messages
