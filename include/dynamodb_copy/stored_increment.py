"""One increment as it is stored: what its files say, and where its parts lie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.formats.increment_manifest import IncrementDetails, IncrementSummary
from dynamodb_copy.formats.manifest import ManifestLine
from dynamodb_copy.formats.marks import Mark


@dataclass(frozen=True, slots=True)
class Increment:
    """A sealed increment whose files agree with one another."""

    bucket: Bucket
    folder: str  # key without a slash at its end
    summary: IncrementSummary
    files: tuple[ManifestLine, ...]  # those of ours in the order in which they are applied
    details: IncrementDetails | None  # of an increment of ours
    root: str

    @property
    def id(self) -> str:
        """The folder's own name."""
        return self.folder.rpartition("/")[2]

    @property
    def uri(self) -> str:
        """The folder's address."""
        return f"s3://{self.bucket.name}/{self.folder}"

    @property
    def start(self) -> Mark:
        """Where it begins."""
        return Mark(self.summary.from_time) if self.details is None else self.details.start

    @property
    def end(self) -> Mark:
        """Where it ends."""
        return Mark(self.summary.to_time) if self.details is None else self.details.end

    @property
    def is_window(self) -> bool:
        """Whether it holds only the last state of each key, so that it is a whole or nothing."""
        return self.start.hash is None

    @property
    def sealed(self) -> datetime:
        """When it was: nothing that was written later is in it."""
        return self.end.moment if self.details is None else datetime.fromisoformat(self.details.ended)

    def key_of(self, name: str) -> str:
        """Where a part is: in the `data/` folder beside the increment's own, wherever both were moved."""
        return f"{self.folder.rpartition('/')[0]}/data/{name}"
