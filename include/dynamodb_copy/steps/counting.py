"""Counts and digests of what passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Page, Put
from dynamodb_copy.ports import Step


def counting(fingerprints: Fingerprints) -> Step:
    """Add items, bytes and digest of each page to its tally."""

    def counted(pages: Iterable[Page]) -> Iterator[Page]:
        for page in pages:
            items = [change.item for change in page.changes if isinstance(change, Put)]
            yield page._replace(tally=page.tally + fingerprints.tally(items))

    return counted
