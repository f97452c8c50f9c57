"""What a backup promises: the parts that checkpoints name hold everything once, and no upload is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any

import pytest

from contract.sink_cases import FOLDER, SEGMENT, item_of, meanings, pages_of, put
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.engine import copy_segment
from dynamodb_copy.errors import LeaseLostError
from dynamodb_copy.model import Change, Durable, Page, Part
from dynamodb_copy.sinks.s3_backup import S3Backup
from fakes import AlwaysHeld, ListSource, LostAfter, MemoryCheckpoints
from stored_backups import items_in
from unit.aws.buckets import bucket_at, new_bucket, s3
from unit.memory_bucket import MemoryBucket

CONTENTS: list[list[Change]] = [[put(10 * page + at) for at in range(10)] for page in range(6)]
EVERYTHING = meanings([item_of(number) for number in range(60)])


class KilledError(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def _parts_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The items of each page are a part, which comes in pieces."""
    monkeypatch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 0)
    monkeypatch.setattr("dynamodb_copy.sinks.open_part.PIECE_BYTES", 1)


def stored(bucket: Bucket, parts: tuple[Part, ...]) -> list[Any]:
    """What these parts hold."""
    contents = [bucket.read(f"{FOLDER}/data/{part.name}", most_bytes=1 << 20) for part in parts]
    return [item for content in contents for item in items_in(content or b"")]


def killing(*, every: int) -> Callable[..., None]:
    """Kill at each step of that number; the steps of all attempts are counted on."""
    steps = count(1)

    def step(*_: str) -> None:
        if next(steps) % every == 0:
            raise KilledError

    return step


def attempts(bucket: MemoryBucket, checkpoints: MemoryCheckpoints, source: ListSource) -> int:
    """Copy until an attempt comes to its end; how many were killed before."""
    for killed in range(1000):
        sink = S3Backup(bucket, FOLDER, f"{killed:08}", fence=AlwaysHeld(), now=lambda: 0.0)
        try:
            copy_segment(source, sink, SEGMENT, checkpoints)
        except KilledError:
            continue
        return killed
    raise AssertionError("no attempt ever ends")


@pytest.mark.parametrize("every", range(7, 37))
def test_a_backup_that_is_killed_anywhere_holds_every_item_once_in_the_parts_that_count(every: int) -> None:
    step = killing(every=every)
    bucket, checkpoints = MemoryBucket(step=step), MemoryCheckpoints(step=step)

    killed = attempts(bucket, checkpoints, ListSource(CONTENTS, step=step))

    bucket.step = lambda *_: None
    checkpoint = checkpoints.load(SEGMENT)
    assert killed > 0
    assert checkpoint.done
    assert meanings(stored(bucket, checkpoint.parts)) == EVERYTHING
    assert [part.items for part in checkpoint.parts] == [10] * 6


@pytest.mark.integration
@pytest.mark.parametrize("checks", [0, 1, 3, 5, 8, 12, 17])
def test_a_fence_that_falls_leaves_whole_parts_and_no_upload_behind(ministack_endpoint: str, checks: int) -> None:
    name = new_bucket(ministack_endpoint)
    bucket = bucket_at(ministack_endpoint, name)
    sink = S3Backup(bucket, FOLDER, "5f0c11d2", fence=LostAfter(checks), now=lambda: 0.0)
    durables: list[Durable] = []

    with pytest.raises(LeaseLostError):
        durables.extend(sink.absorb(SEGMENT, pages_of(*CONTENTS)))

    parts = tuple([part for durable in durables for part in durable.parts])
    there = [found.key.removeprefix(f"{FOLDER}/data/") for found in bucket.objects(FOLDER)]
    assert there == [part.name for part in parts]
    assert meanings(stored(bucket, parts)) == meanings([item_of(number) for number in range(10 * len(parts))])
    assert not s3(ministack_endpoint).list_multipart_uploads(Bucket=name).get("Uploads")


@pytest.mark.integration
def test_pages_that_end_in_a_failure_leave_no_upload_behind(
    ministack_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 1 << 30)
    name = new_bucket(ministack_endpoint)
    sink = S3Backup(bucket_at(ministack_endpoint, name), FOLDER, "5f0c11d2", fence=AlwaysHeld(), now=lambda: 0.0)

    def broken() -> Iterator[Page]:
        contents: list[list[Change]] = [[put(n, Random(n).randbytes(150_000).hex())] for n in range(9)]  # noqa: S311 - no secrets
        for number, page in enumerate(pages_of(*contents)):
            if number == 7:
                assert s3(ministack_endpoint).list_multipart_uploads(Bucket=name)["Uploads"]
                raise LeaseLostError("another attempt works on this segment now")
            yield page

    with pytest.raises(LeaseLostError):
        list(sink.absorb(SEGMENT, broken()))

    assert not s3(ministack_endpoint).list_multipart_uploads(Bucket=name).get("Uploads")
    assert not s3(ministack_endpoint).list_objects_v2(Bucket=name).get("Contents")
