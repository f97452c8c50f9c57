"""Made-up histories of a table, stored as chains, and what the table held at any moment of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from arbitrary_items import KEYS, meaning
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.formats import increment_manifest, increment_writer, manifest, manifest_writer
from dynamodb_copy.formats.change_lines import change_bucket
from dynamodb_copy.model import Change, Delete, Item, Put
from stored_backups import item_of
from stored_chains import (
    BEGAN,
    Stretch,
    applied,
    mark_at,
    micros_of,
    write_described_export,
    write_full,
    write_increment,
    write_native_full,
    write_window,
)


@dataclass(frozen=True, slots=True)
class History:
    """What a table held at minute 0, and what was written to it since, in order."""

    before: Sequence[Item]
    changes: Sequence[Change]
    folders: list[str] = field(default_factory=list)  # of the increments that are stored of it

    def until(self, moment: datetime) -> list[Item]:
        """What the table held at the end of the moment's second."""
        last = (int(moment.timestamp()) + 1) * 1_000_000
        return applied(self.before, [change for change in self.changes if (change.written_at or 0) < last])

    def between(self, start: float, end: float) -> list[Change]:
        """What was written from one minute up to another."""
        return [change for change in self.changes if micros_of(start) <= (change.written_at or 0) < micros_of(end)]

    def at(self, minute: float) -> list[Item]:
        """What the table held at a minute."""
        return applied(self.before, [each for each in self.changes if (each.written_at or 0) < micros_of(minute)])


def history_of(seed: int, *, changes: int = 200, keys: int = 40, minutes: float = 40) -> History:
    """A history in which items come, change and go, several within a second; the same for the same seed."""
    random = Random(seed)  # noqa: S311  # a test's, to be had again
    held = {number: item_of(number, "at first") for number in range(keys // 2)}
    before, made = list(held.values()), list[Change]()
    for moment in sorted(random.uniform(0, minutes) for _ in range(changes)):
        written_at = micros_of(round(moment, 2)) + random.randrange(1000)
        if made:
            written_at = max(written_at, (made[-1].written_at or 0) + random.choice([0, 1]))
        number = random.randrange(keys)
        old = held.get(number)
        if old is not None and random.random() < 0.4:
            made.append(Delete({"id": old["id"]}, written_at, held.pop(number)))
        else:
            held[number] = item_of(number, f"change {len(made)}")
            made.append(Put(held[number], written_at, old=old))
    return History(before, made)


def store_by_stream(bucket: Bucket, history: History, cuts: Sequence[float], *, scanned: float = 2.0) -> None:
    """A full backup of minute 0 by a scan, which shows some later changes, and increments up to each of the cuts."""
    seen = applied(history.before, history.between(0, scanned)[::2])
    write_full(bucket, seen, 0, mark=mark_at(0, 0), took=scanned)
    for number, (start, end) in enumerate(zip([0, *cuts], cuts, strict=False)):
        changes = history.between(start, end)
        halves = [[each for each in changes if change_bucket(_key_of(each), KEYS) % 2 == half] for half in range(2)]
        stretch = Stretch(mark_at(start, number), mark_at(end, number + 1), sealed=end + 0.1)
        history.folders.append(write_increment(bucket, halves, stretch).folder)


def store_by_windows(bucket: Bucket, history: History, cuts: Sequence[float], *, native_full: bool = True) -> None:
    """A full export of minute 0, with our files beside it or without, and an incremental export for each window."""
    if native_full:
        write_native_full(bucket, history.before, 0)
    else:
        write_described_export(bucket, history.before, 0)
    for start, end in zip([0, *cuts], cuts, strict=False):
        history.folders.append(write_window(bucket, history.between(start, end), start, end))


def part_of(bucket: Bucket, folder: str) -> str:
    """The key of an increment's largest data file."""
    return str(max(_parts(bucket, folder), key=lambda part: int(part["itemCount"]))["dataFileS3Key"])


def edit(bucket: Bucket, folder: str, change: Callable[[bytes], bytes]) -> None:
    """Change what the largest data file of an increment of ours holds, and make all of its checksums anew."""
    key = part_of(bucket, folder)
    packed = gzip.compress(change(gzip.decompress(_read(bucket, key))))
    bucket.put(key, packed)
    told = {"md5Checksum": manifest.md5_of(packed)}
    parts = [part | told if part["dataFileS3Key"] == key else part for part in _parts(bucket, folder)]
    files = b"".join([orjson.dumps(part) + b"\n" for part in parts])
    details = increment_manifest.read_increment_details(_read(bucket, f"{folder}/{manifest.DETAILS}"), "backup.json")
    sha256, size = manifest.sha256_of(packed), len(packed)
    listed = [
        part._replace(sha256=sha256, size_bytes=size) if key.endswith(f"/{part.name}") else part
        for part in details.parts
    ]
    checksums = {**details.files, manifest.FILES: manifest.sha256_of(files)}
    described = {
        manifest.FILES: files,
        manifest.DETAILS: increment_writer.increment_details_json(
            replace(details, parts=tuple(listed), files=checksums)
        ),
        manifest.SUMMARY: _read(bucket, f"{folder}/{manifest.SUMMARY}"),
    }
    for name, content in manifest_writer.with_checksums(described):
        bucket.put(f"{folder}/{name}", content)


def moment(minute: float) -> datetime:
    """A minute of every history."""
    return datetime.fromtimestamp(BEGAN + 60 * minute, UTC)


def meanings(items: Sequence[Item]) -> set[object]:
    """Items, whatever their spelling."""
    return {meaning(item) for item in items}


def _key_of(change: Change) -> Item:
    return change.item if isinstance(change, Put) else change.key


def _read(bucket: Bucket, key: str) -> bytes:
    return bucket.read(key, most_bytes=1 << 30) or b""


def _parts(bucket: Bucket, folder: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in _read(bucket, f"{folder}/{manifest.FILES}").splitlines()]
