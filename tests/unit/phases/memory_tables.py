"""The tables of one region in memory, and a run that knows no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from unit.phases.memory_context import MemoryContext

NOW = 1_795_572_000.0  # 2026-11-25T02:00:00Z
ACCOUNT_ARN = "arn:aws:dynamodb:us-west-2:123456789012:table"


@dataclass
class Tables:
    """A stock client of the tables of one region."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)  # by ARN
    deleted: list[str] = field(default_factory=list)
    before: Callable[[str, dict[str, Any]], None] = lambda _operation, _request: None

    def add(self, name: str, *tags: dict[str, str], **changes: Any) -> dict[str, Any]:
        """A table that is a day and an hour old, unless said otherwise."""
        described: dict[str, Any] = {
            "TableName": name,
            "TableArn": f"{ACCOUNT_ARN}/{name}",
            "TableId": f"id of {name}",
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "CreationDateTime": NOW - 25 * 3600,
        }
        self.tables[name] = described | changes
        self.tags[described["TableArn"]] = list(tags)
        return self.tables[name]

    def describe_table(self, **request: Any) -> dict[str, Any]:
        """As the service."""
        return {"Table": self._found("DescribeTable", request)}

    def list_tables(self, **_: Any) -> dict[str, Any]:
        """As the service."""
        return {"TableNames": sorted(self.tables)}

    def list_tags_of_resource(self, **request: Any) -> dict[str, Any]:
        """As the service."""
        self.before("ListTagsOfResource", request)
        return {"Tags": self.tags[request["ResourceArn"]]}

    def untag_resource(self, **request: Any) -> dict[str, Any]:
        """As the service."""
        arn, keys = request["ResourceArn"], request["TagKeys"]
        self.tags[arn] = [tag for tag in self.tags[arn] if tag["Key"] not in keys]
        return {}

    def delete_table(self, **request: Any) -> dict[str, Any]:
        """As the service."""
        if self._found("DeleteTable", request)["TableStatus"] != "ACTIVE":
            raise refused("ResourceInUseException", "DeleteTable")
        del self.tables[request["TableName"]]
        self.deleted.append(request["TableName"])
        return {}

    def _found(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.before(operation, request)
        if request["TableName"] not in self.tables:
            raise refused("ResourceNotFoundException", operation)
        return self.tables[request["TableName"]]


def refused(code: str, operation: str) -> ClientError:
    """What a stock client raises."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def context_of(job: Any, tables: Tables | None = None, *, run_id: str = "manual__1") -> MemoryContext:
    """A run of the job; all its tables are among these."""
    client = tables or Tables()
    return MemoryContext(job, run_id, lambda *_: client, wall=lambda: NOW)
