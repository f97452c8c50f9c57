"""A run's context whose bucket, state table and one other table are in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.context import RunContext
from dynamodb_copy.state.rows import StateRows
from unit.memory_bucket import MemoryBucket
from unit.state.memory_rows import MemoryRows


@dataclass
class OneTable:
    """A stock client of a region that has at most one table, which is any's of whose name is asked."""

    found: Mapping[str, Any] | None = None

    def describe_table(self, **_asked: str) -> dict[str, Any]:
        """As the service."""
        if self.found is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no table"}}, "DescribeTable")
        return {"Table": self.found}


@dataclass(frozen=True)
class MemoryContext(RunContext[Any]):
    """A run whose bucket and state table are in memory."""

    stored: MemoryBucket = field(default_factory=MemoryBucket)
    remembered: MemoryRows = field(default_factory=MemoryRows)

    def bucket(self, _place: S3At, *, kms_key: str | None = None) -> Bucket:  # noqa: ARG002  # as the context's
        """The one in memory."""
        return self.stored

    @cached_property
    def rows(self) -> StateRows:
        """The one in memory."""
        return self.remembered

    def rows_beside(self, _place: S3At) -> StateRows:
        """The one in memory."""
        return self.remembered

    def ensure_state(self) -> None:
        """It is there."""
