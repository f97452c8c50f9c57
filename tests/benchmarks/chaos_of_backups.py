"""Backups and restores that are killed at random moments, and tried again."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from rich.console import Console

from benchmarks.attempt import BenchmarkRun, Outcome, copying_in_small_parts
from benchmarks.endpoints import TwoRegions
from benchmarks.figures import Figure, all_of
from benchmarks.lanes import ITEMS, SEGMENTS, TIMEOUTS, Case, Lanes
from benchmarks.material import BUCKET, REGIONS, TARGET, backup_text, create_bucket, restore_text
from stack.emulators import boto_client, ministack

_STORE = "store"
"""The connection of the bucket; dynalite has none."""
_UNDISTURBED = "undisturbed"
_ELBOW_ROOM = 2.0
"""How much longer a run takes beside the others than alone."""


class _Sealed(NamedTuple):
    """What there is of a backup, read without the product."""

    digest: str
    items: int
    lines: str  # hash of all lines of all parts, sorted
    strays: tuple[str, ...]  # below data/ or in the manifest, and not in both
    unfinished_uploads: int


@dataclass(frozen=True, slots=True)
class _Store:
    """A bucket, and an undisturbed backup in it."""

    endpoint: str

    def backup(self, regions: TwoRegions, name: str) -> BenchmarkRun:
        text = backup_text(name, store=_STORE, segments=SEGMENTS)
        return BenchmarkRun(self._endpoints(regions), text, f"backup-{name}", TIMEOUTS)

    def restore(self, regions: TwoRegions, name: str) -> BenchmarkRun:
        text = restore_text(f"restored-{name}", _UNDISTURBED, store=_STORE, segments=SEGMENTS)
        return BenchmarkRun(self._endpoints(regions), text, f"restore-{name}", TIMEOUTS)

    def sealed(self, prefix: str) -> _Sealed:
        client = boto_client(self.endpoint, "s3", REGIONS[TARGET])
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        keys = [found["Key"] for page in pages for found in page["Contents"]]
        (summary_key,) = [key for key in keys if key.endswith("/manifest-summary.json")]
        folder = summary_key.rpartition("/")[0]
        listed = {key for key in keys if key.startswith(f"{folder}/data/")}
        parts = [orjson.loads(line) for line in _read(client, f"{folder}/manifest-files.json").splitlines()]
        named = {part["dataFileS3Key"] for part in parts}
        lines = [line for key in sorted(named & listed) for line in gzip.decompress(_read(client, key)).splitlines()]
        details = orjson.loads(_read(client, f"{folder}/backup.json"))
        return _Sealed(
            digest=details["digest"],
            items=details["items"],
            lines=hashlib.sha256(b"\n".join(sorted(lines))).hexdigest(),
            strays=tuple(sorted(listed ^ named)),
            unfinished_uploads=len(client.list_multipart_uploads(Bucket=BUCKET, Prefix=folder).get("Uploads", [])),
        )

    def _endpoints(self, regions: TwoRegions) -> dict[str, str]:
        return {**regions.endpoints, _STORE: self.endpoint}


@dataclass(frozen=True, slots=True)
class _Disturbed:
    good: bool
    in_time: bool  # whether the kill met a run that was still at work
    told: str


def chaos_of_backups(lanes: Lanes, kills: int, console: Console) -> Iterator[Figure]:
    """Disturb backups of a small table, then restores of one, and hold them against undisturbed ones."""
    with ministack() as emulator:
        create_bucket(emulator.endpoint)
        store = _Store(emulator.endpoint)
        backup_seconds, restore_seconds = _undisturbed(store, lanes.ways[0])
        exact = store.sealed(_UNDISTURBED)
        assert (exact.items, exact.strays, exact.unfinished_uploads) == (ITEMS, (), 0), exact

        def kill_a_backup(case: Case) -> _Disturbed:
            name = f"killed-{case.number}"
            run = store.backup(case.regions, name)
            in_time = _killed_and_finished(run, case.random.uniform(0, backup_seconds))
            run.seal()
            found = store.sealed(name)
            return _Disturbed(found == exact, in_time, "exact" if found == exact else f"{found}, not {exact}")

        def kill_a_restore(case: Case) -> _Disturbed:
            run = store.restore(case.regions, f"killed-{case.number}")
            in_time = _killed_and_finished(run, case.random.uniform(0, restore_seconds))
            outcome = run.verdict().outcome
            return _Disturbed(outcome == "equal", in_time, outcome)

        backups = _shown("backup", lanes.all("backups", kills, kill_a_backup), kills, console)
        restores = _shown("restore", lanes.all("restores", kills, kill_a_restore), kills, console)
    yield all_of(f"kill -9 of a {ITEMS:,}-item backup, then retry: exact", backups, kills, "times")
    yield all_of("kill -9 of its restore, then retry: equal by digest", restores, kills, "times")


def _undisturbed(store: _Store, regions: TwoRegions) -> tuple[float, float]:
    """Back up and restore; return the seconds from which moments are drawn."""
    backup, restore = store.backup(regions, _UNDISTURBED), store.restore(regions, _UNDISTURBED)
    backup.planned()
    stored = _finished(backup)
    backup.seal()
    restore.planned()
    loaded = _finished(restore)
    assert restore.verdict().outcome == "equal"
    return _ELBOW_ROOM * stored.seconds, _ELBOW_ROOM * loaded.seconds


def _killed_and_finished(run: BenchmarkRun, seconds: float) -> bool:
    """Kill the run with SIGKILL after that long, and let another attempt finish it; False if it was done by then."""
    run.planned()
    with copying_in_small_parts(run) as attempt:
        attempt.wait_until_copying()
        time.sleep(seconds)
        in_time = not attempt.reports.poll()
    _finished(run)
    return in_time


def _finished(run: BenchmarkRun) -> Outcome:
    with copying_in_small_parts(run) as attempt:
        attempt.wait_until_copying()
        outcome = attempt.outcome()
    assert outcome.items == ITEMS, outcome
    return outcome


def _shown(what: str, disturbed: Iterator[_Disturbed], kills: int, console: Console) -> int:
    """Print what came of each; return how many ended well."""
    seen: list[_Disturbed] = []
    for found in disturbed:
        seen.append(found)
        when = "while it ran" if found.in_time else "when it was done"
        console.print(f"{what}, kill {len(seen)}/{kills} {when}: {found.told}")
    console.print(f"{sum(found.in_time for found in seen)} of {kills} kills met a {what} at work")
    return sum(found.good for found in seen)


def _read(client: Any, key: str) -> bytes:
    content: bytes = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content
