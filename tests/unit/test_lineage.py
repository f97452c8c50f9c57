from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.lineage import END, Frontier, Shard, advance, frontier_hash, groups, leaves, lost, unaccounted


def shard(name: str, parent: str | None = None, *, is_closed: bool = False) -> Shard:
    return Shard(name, parent, is_closed)


FAMILY = [shard("a", "forgotten"), shard("b", "a"), shard("c", "a"), shard("d", "b"), shard("z")]


@st.composite
def families(draw: st.DrawFn) -> list[Shard]:
    """Shards that split one after the other, parents before their children."""
    parents = draw(st.lists(st.integers(-2, 30), min_size=1, max_size=25))
    return [shard(str(n), str(parent) if 0 <= parent < n else None) for n, parent in enumerate(parents)]


FRONTIERS = st.dictionaries(st.text("abc", min_size=1), st.sampled_from(["", END, "7"]))


def test_the_mark_before_a_base_is_every_shard_without_listed_children() -> None:
    assert leaves(FAMILY) == {"c": "", "d": "", "z": ""}
    assert leaves([]) == {}


@given(families())
def test_nothing_is_unaccounted_for_after_the_mark_nor_lost(family: list[Shard]) -> None:
    mark = leaves(family)

    assert mark
    assert unaccounted(mark, family) == lost(mark, family) == []


@given(families(), families())
def test_what_splits_after_the_mark_descends_from_it(before: list[Shard], after: list[Shard]) -> None:
    mark = leaves(before)
    born = [shard(f"new {n.id}", f"new {n.parent}" if n.parent else next(iter(mark))) for n in after]

    assert unaccounted(mark, before + born) == []


@given(families(), st.data())
def test_reading_to_the_end_and_advancing_never_leaves_a_shard_unaccounted_for(
    family: list[Shard], data: st.DataObject
) -> None:
    frontier = {one.id: "" for one in family if one.parent is None}
    for _ in range(len(family)):
        ended = data.draw(st.sampled_from(sorted(frontier)))
        frontier = advance(frontier | {ended: END}, family)

        assert unaccounted(frontier, family) == lost(frontier, family) == []


def test_a_shard_that_was_read_to_its_end_gives_way_to_its_children() -> None:
    assert advance({"a": END, "z": "7"}, FAMILY) == {"b": "", "c": "", "z": "7"}


def test_a_shard_without_listed_children_stays_and_so_does_one_that_is_still_read() -> None:
    assert advance({"d": END, "b": "5"}, FAMILY) == {"d": END, "b": "5"}


def test_a_child_that_is_being_read_already_is_not_begun_anew() -> None:
    assert advance({"a": END, "b": "5"}, FAMILY) == {"b": "5", "c": ""}


def test_children_of_a_forgotten_shard_are_found() -> None:
    assert advance({"forgotten": END}, FAMILY) == {"a": ""}


def test_a_shard_whose_ancestors_were_forgotten_before_they_were_read_is_unaccounted_for() -> None:
    assert unaccounted({"z": "7", "y": "3"}, FAMILY) == ["a", "b", "c", "d"]


def test_a_sibling_that_nobody_reads_is_unaccounted_for() -> None:
    assert unaccounted({"b": "", "z": ""}, FAMILY) == ["c"]


def test_a_shard_that_is_forgotten_is_lost_unless_it_was_read_to_its_end() -> None:
    assert lost({"forgotten": "7", "gone": "", "done": END, "z": "7"}, FAMILY) == ["forgotten", "gone"]


@given(FRONTIERS, st.integers(1, 5))
def test_groups_hold_every_shard_once_and_differ_by_one_at_most(frontier: Frontier, count: int) -> None:
    dealt = groups(frontier, count)

    sizes = [len(group) for group in dealt]
    assert sum(sizes) == len(frontier)
    assert {shard: after for group in dealt for shard, after in group.items()} == frontier
    assert len(dealt) == max(1, min(count, len(frontier)))
    assert max(sizes) - min(sizes) <= 1


@given(FRONTIERS)
def test_equal_frontiers_have_equal_hashes_whatever_their_order(frontier: Frontier) -> None:
    turned = dict(reversed(frontier.items()))

    assert frontier_hash(frontier) == frontier_hash(turned)
    assert len(frontier_hash(frontier)) == 64
    assert frontier_hash(frontier | {"d": "1"}) != frontier_hash(frontier | {"d": "2"})
