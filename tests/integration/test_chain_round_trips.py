"""Chains that the product itself makes of a table's stream, drilled and restored, against an emulator."""

from __future__ import annotations

import orjson
import pytest

from integration.backups import Store, contents
from integration.chains import drilled, restored
from integration.changes import chain_run, extended, next_second
from integration.pair import Pair, item_of

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick_drains", "filled")]


def changed(pair: Pair, text: str) -> None:
    """Some items that change, come and go."""
    pair.source.put(*[item_of(number, note={"S": text}) for number in range(5, 300, 7)])
    pair.source.fill(range(1000, 1003))
    pair.source.delete(6, 7, 8)


def state_of(store: Store, folder: str) -> dict[str, object] | None:
    state: dict[str, object] | None = orjson.loads(store.read(f"{folder}/backup.json"))["state"]
    return state


def test_a_chain_comes_back_as_the_table_was_and_once_drilled_it_carries_its_figures(pair: Pair, store: Store) -> None:
    extended(chain_run(store, "1"))
    next_second()
    changed(pair, "first")
    first, moment = contents(pair.source), next_second()
    changed(pair, "second")
    extended(chain_run(store, "2"))

    drill = drilled(store.drill())
    changed(pair, "third")
    extended(chain_run(store, "3"))
    again = drilled(store.drill("again"))
    restored(store.restore(), moment)

    assert drill.problems == again.problems == ()
    assert drill.expected_items == 300
    assert contents(pair.target) == first
    *_, last = [folder for folder in store.folders() if not folder.endswith("/data")]
    carried = state_of(store, last)
    assert carried is not None
    assert carried["items"] == again.expected_items == len(contents(pair.source))
