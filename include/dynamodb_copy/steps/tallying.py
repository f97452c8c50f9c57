"""Counts of changes that pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.model import Change, Delete, Page, Put, Tally


def tallying(pages: Iterable[Page]) -> Iterator[Page]:
    """Add the changes, those that delete and the bytes of the items to each page's tally; items get their lines."""
    for page in pages:
        changes = [_with_line(change) for change in page.changes]
        size_bytes = sum([len(change.line) for change in changes if isinstance(change, Put) and change.line])
        deletes = sum([isinstance(change, Delete) for change in changes])
        tally = page.tally + Tally(items=len(changes), bytes=size_bytes, deletes=deletes)
        yield page._replace(changes=changes, tally=tally)


def _with_line(change: Change) -> Change:
    if isinstance(change, Delete) or change.line is not None:
        return change
    return Put(change.item, change.written_at, sorted_line(change.item), change.old)
