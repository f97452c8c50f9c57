"""A bucket of its own for each test, and backups, restores and drills through it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import pytest

from arbitrary_items import meaning
from contract.emulated_table import EmulatedTable
from dynamodb_copy.assembly import BackupRun, DrillRun, RestoreRun, open_run
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.job import BackupJob, DrillJob, RestoreJob
from dynamodb_copy.report import Report
from dynamodb_copy.runs.opened import Run
from integration.pair import TARGET_REGION, TIMEOUTS, Pair, Side, impatient_client, unseen
from job_texts import kind_of

R = TypeVar("R", bound=Run[Any])


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket on the target's side, a prefix in it, and runs of a pair of tables that write or read there."""

    pair: Pair
    bucket: str
    prefix: str = "nightly/orders"

    @property
    def place(self) -> dict[str, str]:
        """As job files write it."""
        return {"s3": f"s3://{self.bucket}/{self.prefix}", "region": TARGET_REGION, "connection": "aws_oregon"}

    @property
    def client(self) -> Any:
        """A stock client of S3."""
        return impatient_client(self.pair.endpoint, TARGET_REGION, "s3")

    def create(self) -> None:
        """Make the bucket."""
        self.client.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": TARGET_REGION})

    def backup(
        self, run_id: str = "backup", *, connect: Connect | None = None, clock: Clock | None = None, **job: Any
    ) -> BackupRun:
        """Open a run of a backup of the pair's source, as one process does."""
        source = {"table": self.pair.table, **job.pop("from_", {})}
        target = {**self.place, **job.pop("to_", {})}
        made = kind_of(BackupJob, from_=source, to_=target, **{"read": "unlimited", "segments": 2, **job})
        return open_run(made, self._id(run_id), connect or self.pair.connect, timeouts=TIMEOUTS, clock=clock)

    def restore(
        self, run_id: str = "restore", *, connect: Connect | None = None, clock: Clock | None = None, **job: Any
    ) -> RestoreRun:
        """Open a run of a restore into the pair's target."""
        source = {**self.place, **job.pop("from_", {})}
        target = {"table": self.pair.table, **job.pop("to_", {})}
        rate = {"write": "unlimited", "segments": 2} if job.get("engine") != "import" else {}
        made = kind_of(RestoreJob, from_=source, to_=target, **{**rate, **job})
        return open_run(made, self._id(run_id), connect or self.pair.connect, timeouts=TIMEOUTS, clock=clock)

    def drill(
        self, run_id: str = "drill", *, connect: Connect | None = None, clock: Clock | None = None, **job: Any
    ) -> DrillRun:
        """Open a run of a drill."""
        source = {**self.place, **job.pop("from_", {})}
        made = kind_of(DrillJob, from_=source, **{"write": "unlimited", "segments": 2, **job})
        return open_run(made, self._id(run_id), connect or self.pair.connect, timeouts=TIMEOUTS, clock=clock)

    def all_keys(self, prefix: str = "") -> list[str]:
        """Of all objects below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def folders(self) -> list[str]:
        """The backups' own folders, sealed or not, by their names."""
        parent = f"{self.prefix}/AWSDynamoDB/".removeprefix("/")
        return sorted({parent + key.removeprefix(parent).partition("/")[0] for key in self.all_keys(parent)})

    def read(self, key: str) -> bytes:
        """An object's content."""
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes) -> None:
        """Write an object, over one that may be there."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def delete(self, *keys: str) -> None:
        """Delete objects."""
        for key in keys:
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def contents(self, folder: str) -> dict[str, bytes]:
        """All objects of a folder, by their names in it."""
        return {key.removeprefix(f"{folder}/"): self.read(key) for key in self.all_keys(f"{folder}/")}

    def summary(self, folder: str) -> dict[str, Any]:
        """What `manifest-summary.json` says."""
        values: dict[str, Any] = orjson.loads(self.read(f"{folder}/manifest-summary.json"))
        return values

    def parts(self, folder: str) -> list[dict[str, Any]]:
        """What `manifest-files.json` says."""
        return [orjson.loads(line) for line in self.read(f"{folder}/manifest-files.json").splitlines()]

    def _id(self, run_id: str) -> str:
        return f"{self.pair.table}/{run_id}"


def at(moment: float, run: R) -> R:
    """The same run at another time, in epoch seconds."""
    return type(run)(replace(run._context, wall=lambda: moment))  # noqa: SLF001 - only tests set this clock


def on_wire(side: Side) -> EmulatedTable:
    """The table, filled and read as wire JSON."""
    return EmulatedTable(side.client, side.table)


def contents(side: Side) -> set[object]:
    """What a table holds, whatever the spelling."""
    return {meaning(item) for item in on_wire(side).items}


def stored(run: BackupRun) -> BackupRun:
    """The run, after its copy."""
    run.prepare()
    for segment in run.plan().segments:
        run.copy(segment, unseen)
    return run


def whole_backup(run: BackupRun) -> Report:
    """All verbs of the run, one after the other."""
    return stored(run).seal()


def loaded(run: RestoreRun, as_of: datetime | None = None) -> RestoreRun:
    """The run, after its copy."""
    run.choose(as_of)
    run.prepare()
    for segment in run.plan().segments:
        run.copy(segment, unseen)
    return run


def whole_restore(run: RestoreRun, as_of: datetime | None = None) -> Report:
    """All verbs of the run, one after the other."""
    loaded(run, as_of).verify()
    return run.seal()


def rehearsed(run: DrillRun) -> DrillRun:
    """The run, after its copy."""
    run.choose()
    run.drop_leftovers()
    run.create()
    for segment in run.plan().segments:
        run.copy(segment, unseen)
    return run


def whole_drill(run: DrillRun, triggered: datetime | None = None) -> DrillReport:
    """All verbs of the run, one after the other; it begins now unless said otherwise."""
    began = triggered or datetime.now(UTC)
    rehearsed(run).check_rows()
    run.check_content()
    report = run.report(began)
    run.drop()
    return report


def bucket_of(pair: Pair) -> Store:
    """A new bucket for a pair."""
    made = Store(pair, pair.table.replace("table", "bucket"))
    made.create()
    return made


@pytest.fixture
def store(pair: Pair) -> Store:
    """A bucket of the test's own."""
    return bucket_of(pair)


@pytest.fixture
def backed_up(filled: Pair) -> Store:
    """A backup of a simple table of 300 items, in a bucket of the test's own."""
    made = bucket_of(filled)
    whole_backup(made.backup())
    return made
