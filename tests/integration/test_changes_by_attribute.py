"""Incremental copies by an attribute, against an emulator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from dynamodb_copy.errors import TableError
from integration.changes import brought_up, incremental_run, next_second
from integration.pair import Pair, item_of

pytestmark = pytest.mark.integration

SECONDS = {"by": "attribute", "attribute": "updated_at", "format": "epoch_seconds"}
SPELLED: dict[str, Callable[[], dict[str, str]]] = {
    "epoch_seconds": lambda: {"N": str(int(time.time()))},
    "epoch_millis": lambda: {"N": str(int(time.time() * 1000))},
    "iso8601": lambda: {"S": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
}


@pytest.mark.parametrize("form", SPELLED)
def test_what_was_touched_since_the_last_run_is_copied_and_deletes_are_not(filled: Pair, form: str) -> None:
    changes = SECONDS | {"format": form}
    brought_up(incremental_run(filled, "1", changes=changes))
    touched = [item_of(number, updated_at=SPELLED[form](), note={"S": "touched"}) for number in (3, 4, 900)]
    filled.source.put(*touched, item_of(5, note={"S": "untold"}))
    filled.source.delete(6)
    next_second()

    report = brought_up(incremental_run(filled, "2", changes=changes))

    assert report.items == 3
    there = {item["id"]["S"]: item for item in filled.target.items()}
    assert there["item-00003"]["note"] == there["item-00900"]["note"] == {"S": "touched"}
    assert there["item-00005"]["note"] != {"S": "untold"}
    assert "item-00006" in there


def test_an_index_is_queried_in_place_of_a_scan_and_items_come_whole(pair: Pair) -> None:
    names = ("id", "kind", "updated_at")
    pair.source.create(
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "N" if name == "updated_at" else "S"} for name in names
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_update",
                "KeySchema": [
                    {"AttributeName": "kind", "KeyType": "HASH"},
                    {"AttributeName": "updated_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    pair.source.fill(range(50))
    index = {"name": "by_update", "partitions": ["a", "b"]}
    job: dict[str, Any] = {"changes": SECONDS | {"index": index}}
    brought_up(incremental_run(pair, "1", **job))
    now = SPELLED["epoch_seconds"]
    pair.source.put(*[item_of(n, kind={"S": "ab"[n % 2]}, updated_at=now()) for n in range(20)])
    next_second()

    with pair.observed("aws_virginia") as proxy:
        report = brought_up(incremental_run(pair, "2", **job))

    assert report.items == 20
    assert proxy.count("Scan") == 0
    assert pair.target.items() == pair.source.items()


def test_an_index_that_the_table_does_not_have_is_refused(filled: Pair) -> None:
    with pytest.raises(TableError, match=r"changes\.index: .* has no global index 'by_update'; it has none"):
        incremental_run(filled, "1", changes=SECONDS | {"index": {"name": "by_update", "partitions": ["a"]}}).prepare()
