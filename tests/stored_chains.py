"""Small chains: full backups with marks, increments as the product writes them, and windows as the service does."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from arbitrary_items import KEYS
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import EXPORTS
from dynamodb_copy.formats import increment_writer, manifest, manifest_writer
from dynamodb_copy.formats.dynamodb_json import key_hash, key_of
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.formats.increment_manifest import IncrementDetails, TableState
from dynamodb_copy.formats.manifest_writer import instant
from dynamodb_copy.formats.marks import Mark, stream_mark
from dynamodb_copy.model import Change, Delete, Item, KeySchema, Page, Part, Put, Segment, Tally
from dynamodb_copy.sinks.s3_increment import S3Increment
from fakes import AlwaysHeld, in_pages
from stack.native_layout import Export, Window, written_export
from stored_backups import EXPORT, SETTINGS, Written, item_of, write_backup

PREFIX = "nightly"
DATA = f"{PREFIX}/{EXPORTS}/data"
BEGAN = 1_764_036_000
"""Epoch seconds of minute 0 of every history: 2025-11-25T02:00:00Z."""


def second_of(minute: float) -> float:
    """Epoch seconds of a minute of the history."""
    return BEGAN + 60 * minute


def micros_of(minute: float) -> int:
    """Epoch microseconds of a minute of the history."""
    return int(second_of(minute) * 1_000_000)


def mark_at(minute: float, read: int | None = None) -> Mark:
    """The mark of a minute, of a stream of which so much is read; without it, of a window by time."""
    time = instant(second_of(minute))
    return Mark(time) if read is None else stream_mark(time, {"shardId-0": str(read)})


def id_at(minute: float, kind: str = "0") -> str:
    """The id of what was planned then."""
    return f"{int(second_of(minute) * 1000):014d}-{kind * 8:.8}"


def write_full(
    bucket: Bucket, items: Sequence[Item], minute: float, *, mark: Mark | None = None, took: float = 1.0
) -> Written:
    """A full backup by a scan that took so many minutes, and the mark at which its increments begin."""
    at = second_of(minute)
    ended = second_of(minute + took)
    export = replace(EXPORT, id=id_at(minute, "f"), exported_at=at, started_at=at, ended_at=ended)
    written = write_backup(bucket, [items[::2], items[1::2]], export)
    if mark is None:
        return written
    _describe(bucket, export.folder, mark=mark)
    return replace(written, root=_root(bucket, export.folder))


def write_described_export(bucket: Bucket, items: Sequence[Item], minute: float) -> Written:
    """A full export beside which this product has put what a table needs to be made again."""
    written = write_full(bucket, items, minute, took=0.0)
    _describe(bucket, written.folder, engine="export")
    return replace(written, root=_root(bucket, written.folder))


def _describe(bucket: Bucket, folder: str, **changes: Any) -> None:
    content = bucket.read(f"{folder}/backup.json", most_bytes=1 << 30)
    details = replace(manifest.read_details(content or b"", "backup.json"), **changes)
    for name, changed in manifest_writer.with_details_checksum(manifest_writer.details_json(details)):
        bucket.put(f"{folder}/{name}", changed)


def write_native_full(bucket: Bucket, items: Sequence[Item], minute: float) -> str:
    """A full export of the service's own; its folder."""
    at = second_of(minute)
    export = replace(EXPORT, id=id_at(minute, "e"), exported_at=at, started_at=at, ended_at=at + 300)
    return _put(bucket, export, [items, []])


def write_window(bucket: Bucket, changes: Iterable[Change], start: float, end: float, *, keys: KeySchema = KEYS) -> str:
    """An incremental export of the service's own, from one minute up to another; its folder."""
    lines = [line_of(change, keys) for change in last_of_each_key(changes, keys)]
    window = Window(second_of(start), second_of(end), "NEW_AND_OLD_IMAGES")
    at = second_of(end)
    export = replace(EXPORT, id=id_at(end, "d"), exported_at=at, started_at=at + 60, ended_at=at + 360, window=window)
    return _put(bucket, export, [lines[::3], lines[1::3], lines[2::3], []])


@dataclass(frozen=True, slots=True)
class Stretch:
    """What an increment of ours is of."""

    start: Mark
    end: Mark
    sealed: float  # the minute
    previous: str | None = None
    state: TableState | None = None

    @property
    def id(self) -> str:
        """The folder's name."""
        return id_at(self.sealed, "a")

    @property
    def folder(self) -> str:
        """The key below which its manifests lie, without a slash at its end."""
        return f"{PREFIX}/{EXPORTS}/{self.id}"


def write_increment(
    bucket: Bucket, segments: Sequence[Sequence[Change]], stretch: Stretch, *, keys: KeySchema = KEYS
) -> Written:
    """Store and seal an increment of ours from the changes of each of its segments, in their order."""
    sink = S3Increment(bucket, DATA, stretch.id, "5f0c11d2", keys, fence=AlwaysHeld(), now=lambda: 0.0)
    pages = [_pages_of(changes) for changes in segments]
    durables = [
        durable
        for index, of_segment in enumerate(pages)
        for durable in sink.absorb(Segment(index, len(pages)), of_segment)
    ]
    return seal_increment(
        bucket,
        [part for durable in durables for part in durable.parts],
        growth_of([change for changes in segments for change in changes], keys),
        stretch,
    )


def seal_increment(bucket: Bucket, parts: Sequence[Part], counted: Tally, stretch: Stretch) -> Written:
    """Write the files that describe an increment whose parts are there."""
    table = manifest_writer.table_json(SETTINGS)
    files = manifest_writer.files_json(parts, f"{PREFIX}/{EXPORTS}")
    details = IncrementDetails(
        id=stretch.id,
        engine="stream",
        began=stretch.end.time,
        ended=instant(second_of(stretch.sealed)),
        items=sum(part.items for part in parts),
        bytes=counted.bytes,
        growth=counted.growth,
        digest=counted.digest,
        start=stretch.start,
        end=stretch.end,
        previous=stretch.previous,
        state=stretch.state,
        parts=increment_writer.increment_parts(parts),
        files={manifest.FILES: manifest.sha256_of(files), manifest.TABLE: manifest.sha256_of(table)},
    )
    origin = increment_writer.Origin(EXPORT.table_arn, EXPORT.table_id, "elsewhere", PREFIX, stretch.folder)
    described = {
        manifest.FILES: files,
        manifest.DETAILS: increment_writer.increment_details_json(details),
        manifest.SUMMARY: increment_writer.increment_summary_json(details, origin),
    }
    for name, content in [(manifest.TABLE, table), *manifest_writer.with_checksums(described)]:
        bucket.put(f"{stretch.folder}/{name}", content)
    return Written(stretch.folder, _root(bucket, stretch.folder), [])


def growth_of(changes: Sequence[Change], keys: KeySchema = KEYS) -> Tally:
    """What these changes add to a table: items, bytes of the new ones, and the digest."""
    prints = Fingerprints(keys)
    new = prints.tally([change.item for change in changes if isinstance(change, Put)])
    old = prints.tally([change.old for change in changes if change.old is not None])
    digest = new.digest - old.digest
    return Tally(items=len(changes), bytes=new.bytes, digest=digest, growth=new.items - old.items)


def line_of(change: Change, keys: KeySchema = KEYS) -> dict[str, Any]:
    """A change as a line of the service's own has it, written without the product."""
    written_at = {"WriteTimestampMicros": {"N": str(change.written_at)}}
    key = key_of(change.item if isinstance(change, Put) else change.key, keys)
    images = {"OldImage": change.old, "NewImage": change.item if isinstance(change, Put) else None}
    return {"Metadata": written_at, "Keys": key, **{name: image for name, image in images.items() if image is not None}}


def last_of_each_key(changes: Iterable[Change], keys: KeySchema = KEYS) -> list[Change]:
    """What a window keeps of changes: the last of each key, with the item as it was before the first."""
    last: dict[bytes, Change] = {}
    before: dict[bytes, Item | None] = {}
    for change in changes:
        hashed = key_hash(change.item if isinstance(change, Put) else change.key, keys)
        before.setdefault(hashed, change.old)
        last[hashed] = change._replace(old=before[hashed])
    return list(last.values())


def applied(items: Iterable[Item], changes: Iterable[Change], keys: KeySchema = KEYS) -> list[Item]:
    """What a table holds after these changes, by key hash."""
    held = {key_hash(item, keys): item for item in items}
    for change in changes:
        if isinstance(change, Put):
            held[key_hash(change.item, keys)] = change.item
        else:
            held.pop(key_hash(change.key, keys), None)
    return [held[hashed] for hashed in sorted(held)]


def lines_in(packed: bytes) -> list[dict[str, Any]]:
    """The lines of a part, read without the product."""
    return [orjson.loads(line) for line in gzip.decompress(packed).splitlines()]


def new_images_in(packed: bytes) -> list[Item]:
    """The new images in a part, read without the product."""
    return [line["NewImage"] for line in lines_in(packed) if "NewImage" in line]


def history(moves: Sequence[tuple[int, bool]]) -> list[Change]:
    """A change each minute: an item is put, or deleted if it is there, with the items before them."""
    held: dict[int, Item] = {}
    changes: list[Change] = []
    for minute, (number, is_delete) in enumerate(moves):
        written_at, old = micros_of(minute), held.get(number)
        if is_delete and old is not None:
            changes.append(Delete({"id": old["id"]}, written_at, held.pop(number)))
        else:
            held[number] = item_of(number, f"of minute {minute}")
            changes.append(Put(held[number], written_at, old=old))
    return changes


def _pages_of(changes: Sequence[Change], size: int = 4) -> Iterator[Page]:
    pages = in_pages(changes, size)
    for number, page in enumerate(pages, 1):
        yield Page(page, {"page": number} if number < len(pages) else None, Tally(pages=1))


def _put(bucket: Bucket, export: Export, partitions: Sequence[Sequence[Any]]) -> str:
    for key, content in written_export(export, partitions).items():
        bucket.put(key, content)
    return export.folder


def _root(bucket: Bucket, folder: str) -> str:
    names = (manifest.SUMMARY, manifest.FILES, manifest.TABLE, manifest.DETAILS)
    return manifest.root_hash({name: bucket.read(f"{folder}/{name}", most_bytes=1 << 30) for name in names})
