"""The golden incremental export, and the chain that it makes with the golden full one."""

from __future__ import annotations

from datetime import UTC, datetime

from dynamodb_copy.chain import Chain
from dynamodb_copy.chain_check import check_chain
from dynamodb_copy.chains import chain_for
from dynamodb_copy.formats.dynamodb_json import canonical_item
from dynamodb_copy.model import Delete, KeySchema, Put
from dynamodb_copy.sources.increments import Increments
from stack import golden, golden_changes
from stored_backups import source_of
from stored_chains import applied
from unit.memory_bucket import MemoryBucket

KEYS = KeySchema("pk", "sk")


def moved() -> MemoryBucket:
    """Both exports, in another place than their manifests name."""
    files = golden.stored_files() | golden_changes.stored_files()
    return MemoryBucket({f"moved/{path}": content for path, content in files.items()})


def the_chain() -> Chain:
    return chain_for(moved(), "moved", until=None, known_root=lambda _: None)


def test_the_golden_folder_is_what_its_program_writes() -> None:
    assert golden_changes.stored_files() == golden_changes.golden_files()


def test_it_continues_the_golden_full_export() -> None:
    chain = the_chain()

    assert [increment.id for increment in chain.increments] == [golden_changes.EXPORT.id]
    assert chain.span[1] == datetime(2026, 3, 3, 10, 30, tzinfo=UTC)
    assert check_chain(moved(), "moved", lambda _: None, deep=True).whole


def test_insertion_update_and_both_spellings_of_a_deletion_are_read() -> None:
    source = Increments(the_chain().increments, KEYS, 3)

    changes = [
        change for segment in source.segments() for page in source.pages(segment, None) for change in page.changes
    ]

    found = {(str(change.written_at)[:10], type(change), change.old is not None) for change in changes}
    assert found == {
        ("1772530380", Put, False),
        ("1772533740", Put, True),
        ("1772532660", Delete, True),
        ("1772531220", Delete, True),
    }


def test_both_together_are_what_the_table_was_at_the_end() -> None:
    chain = the_chain()
    full, changes = source_of(chain.full, KEYS, 1), Increments(chain.increments, KEYS, 1)
    base = [put.item for page in full.pages(full.segments()[0], None) for put in page.changes if isinstance(put, Put)]
    replayed = [change for page in changes.pages(changes.segments()[0], None) for change in page.changes]

    held = applied(base, replayed, KEYS)

    keys = {(item["pk"]["S"], item["sk"]["N"]) for item in held}
    before = {(item["pk"]["S"], item["sk"]["N"]) for item in golden.ITEMS}
    assert keys == (before | {("texts", "9")}) - {("documents", "3"), ("texts", "0")}
    updated = {"pk": {"S": "numbers"}, "sk": {"N": "-7"}, "set": {"NS": ["-1", "0.5"]}}
    assert [canonical_item(item) for item in held if item["sk"] == {"N": "-7"}] == [canonical_item(updated)]
