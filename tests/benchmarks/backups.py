"""CPU that a client spends per million 400-byte items on a backup, and on its restore."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks.attempt import BenchmarkRun, Outcome, attempting, copying, measure
from benchmarks.endpoints import canned_endpoint
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.material import (
    BUCKET,
    ITEMS_TABLE,
    REGIONS,
    SOURCE,
    TARGET,
    backup_text,
    create_bucket,
    restore_text,
)
from stack.emulators import ACCOUNT

_ITEMS = 400_000
_PROVIDERS_ITEMS = 40_000
_BACKUP_SECONDS = 10.0
_RESTORE_SECONDS = 20.0
_TIMES_LESS_THAN_PROVIDER = 4.0


def backup_cpu() -> Iterator[Figure]:
    """Back up canned pages with digests and checksums, restore them, and let the provider do the first."""
    with canned_endpoint(_ITEMS) as proxy:
        endpoints = dict.fromkeys((SOURCE, TARGET), proxy.endpoint)
        create_bucket(proxy.endpoint)
        backup = BenchmarkRun(endpoints, backup_text(read={"units": 20_000}), "backup-cpu")
        stored = _measured(backup)
        backup.seal()
        restored = _measured(BenchmarkRun(endpoints, restore_text("restored", write={"units": 150_000}), "restore-cpu"))
    providers = _providers()
    assert stored.items == restored.items == _ITEMS, (stored, restored)
    seconds, theirs = _per_million(stored), _per_million(providers)
    yield at_most("backup: client CPU per million items", seconds, _BACKUP_SECONDS, "s")
    what = f"CPU of the provider's DynamoDBToS3Operator ({theirs:.0f} s) over ours"
    yield at_least(what, theirs / seconds, _TIMES_LESS_THAN_PROVIDER, "x")
    yield at_most("restore: client CPU per million items", _per_million(restored), _RESTORE_SECONDS, "s")


def _providers() -> Outcome:
    """What the Amazon provider's operator takes for its scan of a smaller table."""
    with canned_endpoint(_PROVIDERS_ITEMS) as proxy:
        create_bucket(proxy.endpoint)
        with attempting(_export_by_the_provider, proxy.endpoint) as attempt:
            attempt.wait_until_copying()
            return attempt.outcome()


def _export_by_the_provider(reports: Connection, endpoint: str) -> None:
    extra = {"endpoint_url": endpoint, "region_name": REGIONS[SOURCE]}
    connection = {"conn_type": "aws", "login": ACCOUNT, "password": "emulator", "extra": extra}
    os.environ["AIRFLOW_CONN_BENCHMARK"] = json.dumps(connection)
    operator = importlib.import_module("airflow.providers.amazon.aws.transfers.dynamodb_to_s3").DynamoDBToS3Operator(
        task_id="export",
        dynamodb_table_name=ITEMS_TABLE,
        s3_bucket_name=BUCKET,
        source_aws_conn_id="benchmark",
        file_size=64 << 20,
    )

    def export() -> tuple[int, tuple[str, ...]]:
        operator.execute({})
        return _PROVIDERS_ITEMS, ()

    measure(reports, export)


def _measured(run: BenchmarkRun) -> Outcome:
    run.planned()
    with copying(run) as attempt:
        attempt.wait_until_copying()
        return attempt.outcome()


def _per_million(outcome: Outcome) -> float:
    return 1e6 * outcome.cpu_seconds / outcome.items
