"""What a full backup and its increments lead to: agreed upon by a plain fold, and by a replay."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS
from chain_histories import History, history_of, meanings, moment, store_by_stream, store_by_windows
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.catalogue import entries, open_backup, open_increment
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.model import Item, Put
from dynamodb_copy.phases.choosing import last_micros
from dynamodb_copy.phases.ends import export_source
from dynamodb_copy.ports import Source
from dynamodb_copy.sources import chain_state
from dynamodb_copy.sources.chain_state import ChainState, Folded
from dynamodb_copy.sources.increments import Increments
from dynamodb_copy.state.plans import Plan
from stored_chains import PREFIX, applied
from unit.memory_bucket import MemoryBucket

CUTS = [10, 20, 40]


def unheard() -> None:
    """Nobody waits for the lease."""


def opened(bucket: Bucket, history: History, folder: Path, **limits: Any) -> ChainState:
    """The state that a stored history leads to."""
    (full,) = [entry.folder for entry in entries(bucket, PREFIX) if entry.kind == "full"]
    plan = cast("Plan", SimpleNamespace(keys=KEYS))
    source = export_source(open_backup(bucket, full, lambda _: None), plan, 2)
    increments = [open_increment(bucket, each, lambda _: None) for each in history.folders]
    return ChainState(source, increments, folder=folder, **{"until": None, "on_block": unheard, **limits})


def items_of(source: Source) -> list[Item]:
    """All that a source holds, read by several threads."""

    def read(segment: Any) -> list[Item]:
        return [
            change.item for page in source.pages(segment, None) for change in page.changes if isinstance(change, Put)
        ]

    with ThreadPoolExecutor(4) as threads:
        return [item for items in threads.map(read, source.segments()) for item in items]


def replayed(bucket: Bucket, history: History, before: Sequence[Item], until: int | None, segments: int) -> list[Item]:
    """What the loader's replay makes of a table that holds these items."""
    increments = [open_increment(bucket, each, lambda _: None) for each in history.folders]
    source = Increments(increments, KEYS, segments, until)
    pages = [page for segment in source.segments() for page in source.pages(segment, None)]
    return applied(before, [change for page in pages for change in page.changes])


@given(seed=st.integers(0, 10_000), minute=st.floats(2, 40, exclude_max=True), segments=st.integers(1, 16))
def test_any_second_of_any_history_is_what_the_table_held_and_what_a_replay_makes(
    seed: int, minute: float, segments: int
) -> None:
    bucket, history, as_of = MemoryBucket(), history_of(seed, changes=60, keys=20), moment(minute)
    store_by_stream(bucket, history, CUTS)
    until = last_micros(as_of)

    with TemporaryDirectory() as folder:
        state = items_of(opened(bucket, history, Path(folder), until=until))

    scanned = applied(history.before, history.between(0, 2)[::2])
    assert len(state) == len(meanings(state))
    assert meanings(state) == meanings(history.until(as_of))
    assert meanings(replayed(bucket, history, scanned, until, segments)) == meanings(state)


@given(seed=st.integers(0, 10_000), native_full=st.booleans())
def test_windows_lead_to_what_the_table_held_at_their_end(seed: int, native_full: bool) -> None:  # noqa: FBT001
    bucket, history = MemoryBucket(), history_of(seed, changes=60, keys=20)
    store_by_windows(bucket, history, CUTS, native_full=native_full)

    with TemporaryDirectory() as folder:
        state = items_of(opened(bucket, history, Path(folder)))

    assert meanings(state) == meanings(history.at(40))


def test_what_counts_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    bucket, history = MemoryBucket(), history_of(1)
    store_by_stream(bucket, history, CUTS)
    until = last_micros(moment(15))

    folded = opened(bucket, history, tmp_path, until=until).folded()

    late = sum((change.written_at or 0) > until for change in history.changes)
    assert folded == Folded(len(history.changes) - late, late)
    assert late > 0


def test_it_goes_on_after_any_of_its_cursors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_state, "PAGE_BYTES", 200)
    bucket, history = MemoryBucket(), history_of(1)
    store_by_stream(bucket, history, CUTS)
    state = opened(bucket, history, tmp_path)
    *_, last = state.segments()

    pages = list(state.pages(last, None))

    assert len(pages) > 5
    assert [page.cursor is None for page in pages] == [*[False] * (len(pages) - 1), True]
    for number, page in enumerate(pages[:-1], 1):
        assert list(state.pages(last, page.cursor)) == pages[number:]


def test_the_increments_are_read_once_whoever_asks_first(tmp_path: Path) -> None:
    read: list[str] = []
    bucket, history = MemoryBucket(), history_of(1)
    bucket.step = lambda verb, key: read.append(key) if verb == "download" else None
    store_by_stream(bucket, history, CUTS)
    state = opened(bucket, history, tmp_path)

    first, second = items_of(state), items_of(state)

    of_increments = [key for key in read if f"{PREFIX}/AWSDynamoDB/data/" in key]
    assert first == second
    assert len(of_increments) == len(set(of_increments)) > 3


def test_the_lease_can_be_kept_while_the_increments_are_read(tmp_path: Path) -> None:
    bucket, history, heard = MemoryBucket(), history_of(1), list[None]()
    store_by_stream(bucket, history, CUTS)

    opened(bucket, history, tmp_path, on_block=lambda: heard.append(None)).segments()

    assert len(heard) >= 3


def test_a_damaged_part_of_an_increment_is_refused_with_its_name(tmp_path: Path) -> None:
    bucket, history = MemoryBucket(), history_of(1)
    store_by_stream(bucket, history, CUTS)
    key = next(key for key in bucket.contents if f"{PREFIX}/AWSDynamoDB/data/" in key)
    bucket.contents[key] = gzip.compress(gzip.decompress(bucket.contents[key]).replace(b"change", b"chance"))

    with pytest.raises(BackupRefusedError, match=f"{key}: its MD5 is"):
        opened(bucket, history, tmp_path).segments()
