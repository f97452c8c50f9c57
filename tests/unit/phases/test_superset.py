"""The judgement over one key bucket while writers are at work, on all the histories that chance comes up with."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.differences import BucketDifferences
from dynamodb_copy.model import DIGEST_MODULUS
from dynamodb_copy.phases.verifying import is_superset

SEEDS = st.integers(0, 2**32)

Held = dict[bytes, int]
"""A bucket's items: hash of the item by hash of the key."""


@dataclass
class History:
    """A bucket of both tables from the read of its page until the verdict."""

    seed: int
    mirrors: bool = False
    source: Held = field(default_factory=dict)
    target: Held = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)  # noqa: S311 - repeatable, no secrets
        self.source = {self.key(number): self.item() for number in range(self.chance.randrange(40))}
        self.before = {self.key(number): self.item() for number in range(20, 20 + self.chance.randrange(40))}
        self.read = dict(self.source)
        self.target = self.before | self.read  # the copy

    @staticmethod
    def key(number: int) -> bytes:
        """The hash of a key."""
        return number.to_bytes(16, "big")

    def item(self) -> int:
        """The hash of an item that was never there."""
        return self.chance.getrandbits(128)

    def writers(self, *, changes: int, deletes: int, returns: int = 0) -> None:
        """The source goes on: items change, come anew, go, and come back that the target had kept."""
        for number in range(changes):
            self.source[self.key(100 + number) if number % 2 else self.any_of(self.source)] = self.item()
        for _ in range(deletes):
            self.source.pop(self.any_of(self.read), None)
        for _ in range(returns):
            self.source[self.any_of(self.before)] = self.item()

    def any_of(self, held: Held) -> bytes:
        """One of these keys."""
        return self.chance.choice(sorted(held) or [self.key(99)])

    def mirror(self) -> None:
        """Delete what the source does not have."""
        gone = self.target.keys() - self.source.keys()
        self.deleted |= {self.target.pop(key) for key in gone}

    def is_superset(self) -> bool:
        """The verdict's judgement."""
        expected, actual = self.source, self.target
        extra = actual.keys() - expected.keys()
        changed = {key for key in actual.keys() & expected.keys() if actual[key] != expected[key]}
        here = BucketDifferences(
            missing=frozenset(expected.keys() - actual.keys()),
            extra=frozenset(extra),
            changed=frozenset(changed),
            extra_items=tuple(actual[key] for key in extra),
            changed_items=tuple(actual[key] for key in changed),
        )
        left = sum(actual.values()) - sum(self.read.values()) - here.extra_sum
        return is_superset(here, left % DIGEST_MODULUS, self.deleted if self.mirrors else None)


@given(seed=SEEDS, changes=st.integers(0, 30))
def test_changes_to_the_source_do_not_count_against_the_copy(seed: int, changes: int) -> None:
    history = History(seed)
    history.writers(changes=changes, deletes=0)

    assert history.is_superset()


@given(seed=SEEDS, changes=st.integers(0, 30), deletes=st.integers(0, 2), returns=st.integers(0, 2))
def test_a_few_deletes_and_returns_among_many_changes_do_not_either(
    seed: int, changes: int, deletes: int, returns: int
) -> None:
    history = History(seed)
    history.writers(changes=changes, deletes=deletes, returns=returns)

    assert history.is_superset()


@given(seed=SEEDS, deletes=st.integers(0, 40))
def test_any_number_of_deletes_alone_does_not_either(seed: int, deletes: int) -> None:
    history = History(seed)
    history.writers(changes=0, deletes=deletes)

    assert history.is_superset()


@given(seed=SEEDS, changes=st.integers(0, 30), early=st.integers(0, 2), late=st.integers(0, 2))
def test_what_mirror_deleted_after_it_was_read_does_not_either(seed: int, changes: int, early: int, late: int) -> None:
    history = History(seed, mirrors=True)
    history.writers(changes=changes, deletes=early)
    history.mirror()
    history.writers(changes=0, deletes=late)

    left_over = history.target.keys() - history.source.keys()
    never_read = left_over - history.read.keys()
    assert history.is_superset() or never_read


@given(seed=SEEDS, changes=st.integers(0, 30), deletes=st.integers(0, 4), mirrors=st.booleans())
@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_damage_to_the_target_always_counts(
    seed: int, changes: int, deletes: int, *, mirrors: bool, damage: str
) -> None:
    history = History(seed, mirrors=mirrors)
    history.writers(changes=changes, deletes=deletes)
    if mirrors:
        history.mirror()
    sound = sorted(key for key, item in history.target.items() if history.source.get(key) == item)
    if not sound:
        return
    if damage == "changed":
        history.target[sound[0]] = history.item()
    else:
        del history.target[sound[0]]

    assert not history.is_superset()


@given(seed=SEEDS)
def test_items_that_came_into_a_mirrored_target_from_elsewhere_count(seed: int) -> None:
    history = History(seed, mirrors=True)
    history.target = dict(history.read)
    history.target[history.key(77)] = history.item()

    assert not history.is_superset()


def test_more_items_than_can_be_tried_in_fours_are_tried_in_twos() -> None:
    history = History(1)
    history.source |= {history.key(1_000 + number): history.item() for number in range(2_000)}
    history.read = dict(history.source)
    history.target = dict(history.source)
    history.target |= {history.key(9_000 + number): history.item() for number in range(2_000)}
    history.writers(changes=10, deletes=2)

    assert history.is_superset()
