"""Counts and digests of what passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dynamodb_copy.formats.dynamodb_json import sorted_line
from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Page, Put
from dynamodb_copy.ports import Step


def sorted_lines(puts: list[Put]) -> list[bytes]:
    """The items as JSON with sorted keys."""
    return [put.line or sorted_line(put.item) for put in puts]


def counting(fingerprints: Fingerprints) -> Step:
    """Add items, bytes and digest of each page to its tally."""

    def counted(pages: Iterable[Page]) -> Iterator[Page]:
        for page in pages:
            puts = [change for change in page.changes if isinstance(change, Put)]
            yield page._replace(tally=page.tally + fingerprints.tally([put.item for put in puts], sorted_lines(puts)))

    return counted
