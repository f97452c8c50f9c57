from __future__ import annotations

import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary_items import KEYS, brief, respelled
from dynamodb_copy import differences as differences_module
from dynamodb_copy.errors import LeaseLostError, ServiceUnavailableError, TooManyDifferencesError
from dynamodb_copy.formats.dynamodb_json import key_bucket, key_hash
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import BUCKETS, Change, Cursor, Digest, Item, Page, Put, Segment, Tally
from dynamodb_copy.steps.counting import counting
from dynamodb_copy.verify import THREADS, differences, survey
from fakes import ListSource, in_pages, survives

FINGERPRINTS = Fingerprints(KEYS)
ALL = range(BUCKETS)


def item_of(number: int, value: str = "") -> Item:
    return {"id": {"S": str(number)}, "value": {"S": value}, "n": {"N": str(number)}}


def hashes(numbers: set[int]) -> set[bytes]:
    return {key_hash(item_of(number), KEYS) for number in numbers}


def scattered(items: Sequence[Item], segments: int, *, page_size: int = 2) -> ListSource:
    """The items over that many segments, some of which may be empty."""
    parts: list[list[Change]] = [[] for _ in range(segments)]
    for at, item in enumerate(items):
        parts[at * 7 % segments].append(Put(item))
    return ListSource(*(in_pages(part, page_size) for part in parts))


class Endless(ListSource):
    """One segment fails once another was read; the others go on for a very long time."""

    pages_each = 200_000

    def __init__(self, segments: int, failing: int | None) -> None:
        super().__init__(*[[[]]] * segments)
        self.failing = failing
        self.others_read = threading.Event()
        self.started: set[int] = set()
        self.read_of: Counter[int] = Counter()

    @property
    def read(self) -> int:
        """Pages of all segments."""
        return self.read_of.total()

    def pages(self, segment: Segment, after: Cursor | None) -> Iterator[Page]:
        """Fail, or yield empty pages."""
        assert after is None
        self.started.add(segment.index)
        if segment.index == self.failing:
            self.others_read.wait(10)
            raise ServiceUnavailableError("the table does not answer")
        for _ in range(self.pages_each):
            self.read_of[segment.index] += 1
            yield Page([], {}, Tally(pages=1))
            self.others_read.set()


@given(st.lists(st.integers(0, 40), unique=True), st.integers(1, 12), st.integers(1, 4))
@brief
def test_a_survey_adds_up_every_page_of_every_segment(numbers: list[int], segments: int, page_size: int) -> None:
    items = [item_of(number) for number in numbers]
    source = scattered(items, segments, page_size=page_size)

    tally = survey(source, [counting(FINGERPRINTS)], on_page=survives)

    assert len(source.asked) == len(set(source.asked))
    pages = Tally(pages=len(source.asked), read_units=len(source.asked) / 2)
    assert tally == FINGERPRINTS.tally(items) + pages


def test_every_page_is_announced_before_it_is_looked_at() -> None:
    announced: list[None] = []
    source = scattered([item_of(number) for number in range(20)], 3)

    survey(source, [], on_page=lambda: announced.append(None))

    assert len(announced) == len(source.asked) == 11


@given(
    same=st.sets(st.integers(0, 99)),
    missing=st.sets(st.integers(100, 199), max_size=20),
    extra=st.sets(st.integers(200, 299), max_size=20),
    changed=st.sets(st.integers(300, 399), max_size=20),
    segments=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    random=st.randoms(use_true_random=True),
)
@brief
def test_two_sides_differ_in_exactly_the_keys_that_were_altered(  # noqa: PLR0913 - what hypothesis draws
    *,
    same: set[int],
    missing: set[int],
    extra: set[int],
    changed: set[int],
    segments: tuple[int, int],
    random: Random,
) -> None:
    expected = [item_of(number) for number in same | missing | changed]
    actual = [respelled(item_of(number), random) for number in same | extra]
    actual += [item_of(number, "changed") for number in changed]
    random.shuffle(actual)

    found = differences(
        scattered(expected, segments[0]), scattered(actual, segments[1]), FINGERPRINTS, ALL, on_page=survives
    )

    assert found.missing == hashes(missing)
    assert found.extra == hashes(extra)
    assert found.changed == hashes(changed)


def test_only_the_asked_buckets_are_compared() -> None:
    expected = [item_of(number) for number in range(50)]
    bucket = key_bucket(key_hash(expected[17], KEYS))

    found = differences(scattered(expected, 3), scattered([], 2), FINGERPRINTS, [bucket], on_page=survives)

    assert set(found.buckets) == {bucket}
    assert key_hash(expected[17], KEYS) in found.missing


def test_the_buckets_whose_digests_differ_are_those_that_hold_the_differences() -> None:
    ours, theirs = [item_of(n) for n in range(50)], [item_of(n, "changed" if n == 17 else "") for n in range(1, 51)]
    sides = scattered(ours, 3), scattered(theirs, 4)
    digests = [survey(side, [counting(FINGERPRINTS)], on_page=survives).digest for side in sides]

    buckets = digests[0].differing(digests[1])
    found = differences(*sides, FINGERPRINTS, buckets, on_page=survives)

    assert set(found.buckets) == buckets
    assert [found.missing, found.changed, found.extra] == [hashes({0}), hashes({17}), hashes({50})]


def test_items_that_expire_are_no_difference() -> None:
    with_ttl = Fingerprints(KEYS, "n", 10)
    source = scattered([item_of(number) for number in range(12)], 2)

    found = differences(source, scattered([item_of(10)], 2), with_ttl, ALL, on_page=survives)

    assert found.missing == hashes({11})
    assert not found.extra


@pytest.mark.parametrize("failing", [0, THREADS - 1])
def test_a_segment_that_fails_ends_the_others_and_its_error_is_raised(failing: int) -> None:
    source = Endless(THREADS, failing)

    with pytest.raises(ServiceUnavailableError, match="the table does not answer"):
        survey(source, [], on_page=survives)

    assert source.read < THREADS * source.pages_each / 2


def test_no_page_is_read_any_more_of_segments_that_had_not_begun() -> None:
    source = Endless(4 * THREADS, THREADS - 1)

    with pytest.raises(ServiceUnavailableError):
        survey(source, [], on_page=survives)

    assert len(source.started) <= THREADS


def test_what_the_watcher_raises_ends_the_reading() -> None:
    source = Endless(THREADS, None)

    def lost() -> None:
        raise LeaseLostError("another run holds the target")

    with pytest.raises(LeaseLostError, match="another run holds the target"):
        survey(source, [], on_page=lost)

    assert source.read <= THREADS


def test_an_interrupted_reading_ends_without_reading_the_rest() -> None:
    class InterruptedReadingError(Exception):
        pass

    def interrupted(_signal: int, _frame: FrameType | None) -> None:
        raise InterruptedReadingError

    source = Endless(THREADS, None)
    before = signal.signal(signal.SIGUSR1, interrupted)
    sent = threading.Event()

    def interrupt_once() -> None:
        if len(source.started) == THREADS and not sent.is_set():
            sent.set()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    try:
        with pytest.raises(InterruptedReadingError):
            survey(source, [], on_page=interrupt_once)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert source.read < THREADS * source.pages_each / 2


@pytest.mark.parametrize("failing", [None, 1])
def test_temporary_files_are_gone_afterwards(
    failing: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[int] = []
    full = scattered([item_of(number) for number in range(10)], 2)
    other: ListSource = full if failing is None else Endless(2, failing)

    def look() -> None:
        seen.append(len(list(tmp_path.glob("dynamodb-copy-*/*/*"))))

    if failing is None:
        differences(full, other, FINGERPRINTS, ALL, on_page=look)
    else:
        with pytest.raises(ServiceUnavailableError):
            differences(full, other, FINGERPRINTS, ALL, on_page=look)

    assert max(seen) > 0
    assert list(tmp_path.iterdir()) == []


def test_more_differences_than_can_be_listed_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences_module, "MOST_KEYS", 5)
    items = [item_of(number) for number in range(6)]

    with pytest.raises(TooManyDifferencesError, match="more than 5 keys differ"):
        differences(scattered(items, 2), scattered([], 2), FINGERPRINTS, ALL, on_page=survives)


def test_surveys_of_equal_sides_have_equal_digests() -> None:
    items = [item_of(number) for number in range(30)]

    digests = [
        survey(scattered(order, segments), [counting(FINGERPRINTS)], on_page=survives).digest
        for order, segments in ((items, 1), (items[::-1], 5))
    ]

    assert digests[0] == digests[1] != Digest()
