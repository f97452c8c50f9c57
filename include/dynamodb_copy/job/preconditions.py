"""What must hold before a job reads anything."""

from __future__ import annotations

from typing import Any

from dynamodb_copy.job.places import TableAt
from dynamodb_copy.job.sections import Section
from dynamodb_copy.job.values import Connection, ObjectUri, PrefixUri, refusal


class ObjectAt(Section):
    """An S3 object and the connection that reaches it."""

    s3: ObjectUri
    connection: Connection


class PrefixAt(Section):
    """An S3 prefix and the connection that reaches it."""

    s3: PrefixUri
    connection: Connection


class Precondition(Section):
    """What must hold before anything is read; exactly one of the four is set."""

    table_exists: TableAt | None = None
    table_has_items: TableAt | None = None
    s3_key_exists: ObjectAt | None = None
    s3_prefix_not_empty: PrefixAt | None = None


def read_precondition(found: Any) -> Any:
    """Check that a list item names one precondition; its keys have checks of their own."""
    if isinstance(found, dict) and (len(found) != 1 or None in found.values()):
        raise refusal(f"exactly one of {', '.join(Precondition.keys())}", "start each with a dash of its own")
    return found
