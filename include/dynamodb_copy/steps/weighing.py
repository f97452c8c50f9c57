"""What changes do to a table as a whole: its items and its digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dynamodb_copy.formats.fingerprints import Fingerprints
from dynamodb_copy.model import Page, Put, Tally
from dynamodb_copy.ports import Step
from dynamodb_copy.steps.tallying import tallying


def weighing(fingerprints: Fingerprints) -> Step:
    """Count changes as `tallying` does, and add the growth of the table and its digest: new images less old ones."""

    def weighed(pages: Iterable[Page]) -> Iterator[Page]:
        for page in tallying(pages):
            puts = [change for change in page.changes if isinstance(change, Put)]
            olds = [change.old for change in page.changes if change.old is not None]
            new = fingerprints.tally([put.item for put in puts], [put.line or b"" for put in puts])
            old = fingerprints.tally(olds)
            weight = Tally(digest=new.digest - old.digest, growth=len(puts) - len(olds))
            yield page._replace(tally=page.tally + weight)

    return weighed
