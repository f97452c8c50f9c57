"""Incremental copies by the stream, against an emulator."""

from __future__ import annotations

import pytest

from dynamodb_copy.errors import ChangesLostError, TableError, TargetRefusedError
from integration.changes import based, brought_up, caught_up, incremental_run, undrained
from integration.pair import Pair, item_of, unseen

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick_drains")]


def test_the_first_run_copies_everything_and_what_changed_meanwhile(filled: Pair) -> None:
    run = incremental_run(filled, "1")
    based(run)
    filled.source.put(item_of(7, note={"S": "changed"}), item_of(1000))
    filled.source.delete(8)

    for segment in run.hand_over().segments:
        run.apply(segment, unseen, undrained)
    report = run.seal()

    assert filled.target.items() == filled.source.items()
    assert report.verdict.outcome == "equal"
    assert report.up_to
    assert report.items == 300 + 3


def test_the_next_run_writes_only_what_changed(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.source.put(item_of(7, note={"S": "changed"}), item_of(1000))
    filled.source.delete(8, 9)

    with filled.observed("aws_virginia") as proxy:
        report = brought_up(incremental_run(filled, "2"))

    assert filled.target.items() == filled.source.items()
    assert (report.items, report.verdict.target_items) == (4, 4)
    assert (proxy.count("Scan"), proxy.count("Query")) == (0, 0)


def test_a_run_that_was_cut_short_is_taken_over_where_it_was(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.source.fill(range(2000, 2050))
    caught_up(incremental_run(filled, "2"))
    filled.source.fill(range(3000, 3010))

    report = brought_up(incremental_run(filled, "3"))

    assert filled.target.items() == filled.source.items()
    assert report.items == 10


def test_an_earlier_run_that_is_cleared_does_not_rewind_the_target(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.source.put(item_of(5, note={"S": "first"}))
    earlier = incremental_run(filled, "2")
    brought_up(earlier)
    filled.source.put(item_of(5, note={"S": "second"}))
    brought_up(incremental_run(filled, "3"))

    brought_up(incremental_run(filled, "2"))

    assert filled.target.items() == filled.source.items()


def test_a_base_that_was_cut_short_is_made_anew_from_the_same_mark(filled: Pair) -> None:
    based(incremental_run(filled, "1"), only=[0])
    filled.source.delete(*range(20))

    brought_up(incremental_run(filled, "2"))

    assert filled.target.items() == filled.source.items()


def test_a_stream_that_is_off_is_refused_with_the_command_that_switches_it_on(filled: Pair) -> None:
    with pytest.raises(TableError, match=r"update-table .* StreamEnabled=true"):
        incremental_run(filled, "1", changes={"by": "stream"}).prepare()

    assert not filled.target.exists()


def test_a_stream_that_was_replaced_is_a_gap_that_stops_the_job(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    replace_stream(filled)

    with pytest.raises(ChangesLostError, match="was replaced by"):
        incremental_run(filled, "2").prepare()


def test_on_gap_full_starts_over_and_deletes_what_the_source_lost(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    replace_stream(filled)
    filled.source.delete(1, 2, 3)
    replace_stream(filled)

    brought_up(incremental_run(filled, "2", changes={"by": "stream", "enable": True, "on_gap": "full"}))

    assert filled.target.items() == filled.source.items()


def test_starting_over_deletes_nothing_from_a_target_that_may_hold_what_is_not_the_sources(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.target.put(item_of(9999))
    replace_stream(filled)
    filled.source.put(item_of(7, note={"S": "changed"}))

    changes = {"by": "stream", "enable": True, "on_gap": "full"}
    brought_up(incremental_run(filled, "2", changes=changes, to_={"existing": "allow"}))

    there = {item["id"]["S"]: item for item in filled.target.items()}
    assert there["item-00007"]["note"] == {"S": "changed"}
    assert "item-09999" in there


def test_what_was_applied_before_the_source_went_dark_is_sealed(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.source.put(item_of(7, note={"S": "the last word"}))
    caught_up(incremental_run(filled, "2"))

    with filled.observed("aws_virginia") as proxy, proxy.refusing_connections():
        report = incremental_run(filled, "2").seal()

    assert report.items == 1
    assert filled.target.items() == filled.source.items()


def test_a_third_reader_of_a_stream_is_refused_with_the_names_of_the_others(filled: Pair) -> None:
    for number in (1, 2):
        brought_up(incremental_run(filled, str(number), to_={"table": f"{filled.table}-{number}"}))

    with pytest.raises(TargetRefusedError, match=r"2 jobs read the stream .*: orders, orders; allowed: 2"):
        incremental_run(filled, "3").prepare()

    assert not filled.target.exists()
    for number in (1, 2):
        filled.target.client.delete_table(TableName=f"{filled.table}-{number}")


def replace_stream(pair: Pair) -> None:
    update = pair.source.client.update_table
    update(TableName=pair.table, StreamSpecification={"StreamEnabled": False})
    update(TableName=pair.table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})


def test_a_target_that_was_dropped_is_copied_anew(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.target.client.delete_table(TableName=filled.table)
    filled.source.put(item_of(7, note={"S": "changed"}))

    report = brought_up(incremental_run(filled, "2"))

    assert filled.target.items() == filled.source.items()
    assert report.items >= 300


def test_a_run_that_was_killed_after_it_created_a_dropped_target_is_not_a_gap(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.target.client.delete_table(TableName=filled.table)
    filled.target.create()

    brought_up(incremental_run(filled, "2"))

    assert filled.target.items() == filled.source.items()


def test_both_tables_are_compared_whole_and_repaired(filled: Pair) -> None:
    brought_up(incremental_run(filled, "1"))
    filled.target.put(item_of(7, note={"S": "altered by somebody else"}))
    filled.target.delete(8)

    found = incremental_run(filled, "verify").compare()
    repaired = incremental_run(filled, "repair").repair()

    assert (found.outcome, found.missing, found.changed) == ("differs", 1, 1)
    assert repaired.outcome == "equal"
    assert filled.target.items() == filled.source.items()
