"""What a table is: its description, TTL and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dynamodb_copy.aws.clients import control
from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.errors import RequestRefusedError, TableError
from dynamodb_copy.model import KeySchema

ON_DEMAND_READ_UNITS = 12_000
ON_DEMAND_WRITE_UNITS = 4_000
"""What a new on-demand table serves at once.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""


@dataclass(frozen=True)
class Table:
    """A table as DescribeTable shows it."""

    description: dict[str, Any]

    @cached_property
    def name(self) -> str:
        """The table's name."""
        return str(self.description["TableName"])

    @cached_property
    def arn(self) -> str:
        """The table's ARN: region, account and name."""
        return str(self.description["TableArn"])

    @cached_property
    def table_id(self) -> str:
        """Changes when a table is dropped and created again."""
        return str(self.description.get("TableId", ""))

    @cached_property
    def keys(self) -> KeySchema:
        """The names of the key attributes."""
        names = {key["KeyType"]: key["AttributeName"] for key in self.description["KeySchema"]}
        return KeySchema(names["HASH"], names.get("RANGE"))

    @cached_property
    def key_types(self) -> list[tuple[str, str]]:
        """Name and type of the key attributes, hash first."""
        types = {a["AttributeName"]: a["AttributeType"] for a in self.description["AttributeDefinitions"]}
        return [(name, types[name]) for name in self.keys if name is not None]

    @cached_property
    def item_count(self) -> int:
        """The service's estimate, some hours old."""
        return int(self.description.get("ItemCount", 0))

    @cached_property
    def size_bytes(self) -> int:
        """The service's estimate, some hours old."""
        return int(self.description.get("TableSizeBytes", 0))

    @cached_property
    def indexes(self) -> list[dict[str, Any]]:
        """The global secondary indexes."""
        return list(self.description.get("GlobalSecondaryIndexes", []))

    @cached_property
    def on_demand(self) -> bool:
        """Whether it is billed per request."""
        return bool(self.description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST")

    @cached_property
    def kms_key(self) -> str | None:
        """The customer's or AWS managed key that encrypts it; None is the AWS owned default."""
        sse = self.description.get("SSEDescription", {})
        return sse.get("KMSMasterKeyArn") if sse.get("SSEType") == "KMS" else None

    @cached_property
    def stream_view(self) -> str | None:
        """What the table's stream shows, such as `NEW_AND_OLD_IMAGES`; None when it has none."""
        specification = self.description.get("StreamSpecification", {})
        return str(specification["StreamViewType"]) if specification.get("StreamEnabled") else None

    @cached_property
    def stream_arn(self) -> str:
        """The ARN of the table's stream; of the last one when it is off, empty when there never was any."""
        return str(self.description.get("LatestStreamArn", ""))

    @cached_property
    def status(self) -> str:
        """`ACTIVE`, `CREATING`, `UPDATING`, `DELETING` and the like."""
        return str(self.description["TableStatus"])

    @cached_property
    def is_active(self) -> bool:
        """Whether the table and all its indexes can be written."""
        indexes_are = [index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in self.indexes]
        return self.status == "ACTIVE" and all(indexes_are)

    @cached_property
    def is_readable(self) -> bool:
        """Whether items can be read; a table that is being changed still serves."""
        return self.status in {"ACTIVE", "UPDATING"}

    def read_capacity(self) -> float:
        """Read units per second that the table serves."""
        return _capacity(self.description, on_demand=self.on_demand, kind="Read")

    def write_capacity(self) -> float:
        """Write units per second that the table serves."""
        return _capacity(self.description, on_demand=self.on_demand, kind="Write")

    def index_write_capacity(self) -> dict[str, float]:
        """Write units per second that each global secondary index serves, by its name."""
        return {i["IndexName"]: _capacity(i, on_demand=self.on_demand, kind="Write") for i in self.indexes}


def _capacity(described: dict[str, Any], *, on_demand: bool, kind: str) -> float:
    """On demand: the maximum if one is set, else the warm throughput, else what every table serves."""
    if not on_demand:
        return float(described["ProvisionedThroughput"][f"{kind}CapacityUnits"])
    maximum = described.get("OnDemandThroughput", {}).get(f"Max{kind}RequestUnits", -1)
    if maximum > 0:
        return float(maximum)
    initial = ON_DEMAND_READ_UNITS if kind == "Read" else ON_DEMAND_WRITE_UNITS
    return float(described.get("WarmThroughput", {}).get(f"{kind}UnitsPerSecond") or initial)


def describe(client: Any, name: str) -> Table | None:
    """Describe a table; None when there is none of that name."""
    try:
        return Table(control(client, "DescribeTable", TableName=name)["Table"])
    except ResourceMissingError:
        return None


def described(client: Any, name: str) -> Table:
    """Describe a table that must exist; raises TableError."""
    table = describe(client, name)
    if table is None:
        raise TableError(f"table {name!r} does not exist in {client.meta.region_name}")
    return table


def ttl_attribute(client: Any, name: str) -> str | None:
    """The attribute that TTL looks at, if TTL is on."""
    described_ttl = control(client, "DescribeTimeToLive", TableName=name).get("TimeToLiveDescription", {})
    if described_ttl.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        return None
    return str(described_ttl["AttributeName"])


def enable_ttl(client: Any, name: str, attribute: str) -> None:
    """Switch TTL on unless it is on already, perhaps by another task in the same moment."""
    if ttl_attribute(client, name) is not None:
        return
    specification = {"Enabled": True, "AttributeName": attribute}
    try:
        control(client, "UpdateTimeToLive", TableName=name, TimeToLiveSpecification=specification)
    except RequestRefusedError:
        if ttl_attribute(client, name) is None:
            raise


def enable_stream(client: Any, name: str, view: str) -> None:
    """Switch the table's stream on; the table is UPDATING for a while."""
    specification = {"StreamEnabled": True, "StreamViewType": view}
    try:
        control(client, "UpdateTable", TableName=name, StreamSpecification=specification)
    except RequestRefusedError:
        if described(client, name).stream_view is None:
            raise


def tags(client: Any, arn: str) -> list[dict[str, str]]:
    """The table's own tags; those of the service (`aws:`) cannot be set by anyone else."""
    found: list[dict[str, str]] = []
    request: dict[str, Any] = {"ResourceArn": arn}
    while True:
        reply = control(client, "ListTagsOfResource", **request)
        found += [tag for tag in reply.get("Tags", []) if not tag["Key"].startswith("aws:")]
        if not reply.get("NextToken"):
            return found
        request["NextToken"] = reply["NextToken"]


def table_names(client: Any) -> Iterator[str]:
    """The names of all tables of the client's region and account."""
    request: dict[str, Any] = {}
    while True:
        reply = control(client, "ListTables", **request)
        yield from reply["TableNames"]
        if "LastEvaluatedTableName" not in reply:
            return
        request["ExclusiveStartTableName"] = reply["LastEvaluatedTableName"]


def delete_table(client: Any, name: str) -> None:
    """Delete a table and all that it holds."""
    control(client, "DeleteTable", TableName=name)


def tag(client: Any, arn: str, added: list[Mapping[str, str]]) -> None:
    """Add tags."""
    if added:
        control(client, "TagResource", ResourceArn=arn, Tags=added)


def untag(client: Any, arn: str, key: str) -> None:
    """Remove one tag."""
    control(client, "UntagResource", ResourceArn=arn, TagKeys=[key])
