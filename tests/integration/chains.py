"""Restores and drills of chains that are made up, through a bucket of an emulator."""

from __future__ import annotations

from datetime import datetime

import pytest

import stored_backups
import stored_chains
from dynamodb_copy.assembly import DrillRun, RestoreRun
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.drill_report import DrillReport
from dynamodb_copy.formats.manifest import TableSettings
from dynamodb_copy.report import Report
from integration.backups import Store, loaded, rehearsed
from integration.pair import Pair, unseen
from stored_backups import TABLE_ARN
from stored_chains import PREFIX

SETTINGS = TableSettings(
    {
        "TableName": "orders",
        "TableArn": TABLE_ARN,
        "TableStatus": "ACTIVE",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    },
    None,
    (),
)


@pytest.fixture
def shelf(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A bucket of the test's own for made-up chains, of a table that a restore can create.

    The state table is the test's own too: made-up chains have the same ids in every test.
    """
    monkeypatch.setenv("DYNAMODB_COPY_STATE_TABLE", pair.table.replace("table", "state"))
    for module in (stored_backups, stored_chains):
        monkeypatch.setattr(module, "SETTINGS", SETTINGS)
    made = Store(pair, pair.table.replace("table", "bucket"), PREFIX)
    made.create()
    return made


def bucket_of(store: Store) -> Bucket:
    """As the product sees it."""
    return Bucket(store.client, store.bucket)


def replayed(run: RestoreRun, as_of: datetime | None = None) -> RestoreRun:
    """The run, after both of its stages."""
    loaded(run, as_of)
    for segment in run.hand_over().segments:
        run.apply(segment, unseen)
    return run


def restored(run: RestoreRun, as_of: datetime | None = None) -> Report:
    """All verbs of the run, one after the other."""
    replayed(run, as_of).verify()
    return run.seal()


def drilled(run: DrillRun, as_of: datetime | None = None) -> DrillReport:
    """All verbs of the run, one after the other."""
    run.choose(as_of)
    began = run.began()
    rehearsed(run)
    for segment in run.hand_over().segments:
        run.apply(segment, unseen)
    run.check_rows()
    run.check_content()
    report = run.report(began)
    run.drop()
    return report
