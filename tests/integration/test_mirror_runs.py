from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.errors import ContentDiffersError, MirrorRefusedError, RunIncompleteError, TableError
from integration.pair import Pair, copied, item_of, whole

pytestmark = pytest.mark.integration

MIRROR: dict[str, Any] = {"mirror": {"max_deletes": "20%"}}


def test_mirror_deletes_exactly_what_the_source_does_not_have(filled: Pair) -> None:
    whole(filled.run("1", to_=MIRROR), mirror=True)
    filled.source.delete(*range(10))
    filled.target.fill([10_000])

    report = whole(filled.run("2", to_=MIRROR), mirror=True)

    assert (report.deleted, report.verdict.outcome) == (11, "equal")
    assert filled.target.items() == filled.source.items()


def test_mirror_finds_extra_items_even_when_others_are_missing(filled: Pair) -> None:
    run = copied(filled.run("1", to_=MIRROR))
    filled.target.delete(1, 2, 3)
    filled.target.fill([10_000, 10_001, 10_002])

    assert run.mirror() == 3


def test_mirror_reads_each_key_from_the_source_before_it_deletes_it(filled: Pair) -> None:
    run = copied(filled.run("1", to_=MIRROR))
    filled.source.fill([10_000])  # comes back while the mirror works
    filled.target.fill([10_000, 10_001])

    with filled.observed("aws_virginia") as proxy:
        assert filled.run("1", to_=MIRROR).mirror() == 1
        asked = [e.items for e in proxy.exchanges if e.operation == "BatchGetItem"]

    assert asked == [1]
    assert {item["id"]["S"] for item in filled.target.items()} >= {"item-10000"}
    assert run.mirror() == 1  # of this run in all


def test_mirror_deletes_nothing_when_it_would_have_to_delete_more_than_it_may(filled: Pair) -> None:
    run = copied(filled.run("1", to_=MIRROR))
    filled.target.fill(range(10_000, 10_100))

    with pytest.raises(MirrorRefusedError, match=r"to.mirror.max_deletes: 100 of the target's 400 items.*80 may"):
        run.mirror()

    assert len(filled.target.items()) == 400


def test_the_attempts_of_a_mirror_together_delete_no_more_than_it_may(filled: Pair) -> None:
    run = copied(filled.run("1", to_={"mirror": {"max_deletes": 10}}))
    filled.target.fill(range(10_000, 10_008))
    assert run.mirror() == 8
    filled.target.fill(range(10_000, 10_003))

    with pytest.raises(MirrorRefusedError, match="8 were deleted before"):
        run.mirror()


def test_mirror_refuses_to_empty_the_target_because_the_source_is_empty(filled: Pair) -> None:
    whole(filled.run("1", to_={"mirror": {"max_deletes": "100%"}}), mirror=True)
    filled.source.delete(*range(300))

    run = copied(filled.run("2", to_={"mirror": {"max_deletes": "100%"}}))
    with pytest.raises(MirrorRefusedError, match="the source is empty"):
        run.mirror()

    assert len(filled.target.items()) == 300


def recreated(pair: Pair) -> None:
    """The source is dropped and created again, with a few items."""
    pair.source.client.delete_table(TableName=pair.table)
    pair.source.create()
    pair.source.fill(range(290))


def test_mirror_refuses_a_source_that_was_replaced_during_the_run(filled: Pair) -> None:
    run = copied(filled.run("1", to_=MIRROR))
    filled.target.fill([10_000])
    recreated(filled)

    with pytest.raises(TableError, match="dropped and created again since this run was planned"):
        run.mirror()

    assert len(filled.target.items()) == 301


def test_mirror_refuses_a_source_that_was_replaced_since_the_last_run(filled: Pair) -> None:
    whole(filled.run("1", to_=MIRROR), mirror=True)
    recreated(filled)

    with pytest.raises(MirrorRefusedError, match=r"from.table.*created again.*`existing: allow`"):
        filled.run("2", to_=MIRROR).prepare()

    report = whole(filled.run("3", to_={**MIRROR, "existing": "allow"}), mirror=True)
    assert (report.deleted, report.verdict.outcome) == (10, "equal")


@pytest.mark.parametrize("mode", ["content", "count"])
def test_items_that_were_deleted_after_they_were_read_do_not_make_a_mirror_differ(filled: Pair, mode: str) -> None:
    run = copied(filled.run("1", to_={"mirror": {"max_deletes": "50%"}}, verify=mode))
    filled.source.delete(*range(30))
    filled.target.fill(range(10_000, 10_150))
    filled.source.put(*[item_of(number, note={"S": "changed"}) for number in range(100, 300)])

    assert 150 < run.mirror() < 180  # those in the buckets of what was there before
    assert run.verify().outcome == "equal"


@pytest.mark.parametrize("mode", ["content", "count"])
def test_what_came_into_a_mirrored_target_from_elsewhere_makes_it_differ(filled: Pair, mode: str) -> None:
    run = copied(filled.run("1", to_=MIRROR, verify=mode))
    run.mirror()
    filled.target.fill([10_000])

    with pytest.raises(ContentDiffersError, match="1 extra"):
        run.verify()


def test_a_mirror_that_was_marked_as_success_is_not_verified(filled: Pair) -> None:
    run = copied(filled.run("1", to_=MIRROR, verify="none"))

    with pytest.raises(RunIncompleteError, match="mirror did not come to its end"):
        run.verify()
