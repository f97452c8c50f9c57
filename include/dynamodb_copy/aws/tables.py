"""What a table is, and how to make another like it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dynamodb_copy.aws.clients import control
from dynamodb_copy.aws.faults import ResourceInUseError, ResourceMissingError
from dynamodb_copy.errors import RequestRefusedError, TableError
from dynamodb_copy.model import KeySchema

ON_DEMAND_READ_UNITS = 12_000
ON_DEMAND_WRITE_UNITS = 4_000
"""What a new on-demand table serves at once.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""

AWS_MANAGED_KEY = "alias/aws/dynamodb"
"""Asked for by leaving the key's name out."""


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


def untag(client: Any, arn: str, key: str) -> None:
    """Remove one tag."""
    control(client, "UntagResource", ResourceArn=arn, TagKeys=[key])


def create_like(
    client: Any, source: Table, name: str, *, tags: list[dict[str, str]], kms_key: str | None
) -> Table | None:
    """Create a table with the source's keys, indexes, billing, capacity and class; None if one is there already.

    TTL is not part of it: it is switched on after the copy was verified. The reply's description counts, because for a
    moment DescribeTable may not know the table yet.
    """
    try:
        reply = control(client, "CreateTable", **_creation(source, name, tags=tags, kms_key=kms_key))
    except ResourceInUseError:
        return None
    return Table(reply["TableDescription"])


def _creation(source: Table, name: str, *, tags: list[dict[str, str]], kms_key: str | None) -> dict[str, Any]:
    request = {
        "TableName": name,
        "AttributeDefinitions": source.description["AttributeDefinitions"],
        "KeySchema": source.description["KeySchema"],
        "BillingMode": "PAY_PER_REQUEST" if source.on_demand else "PROVISIONED",
        **_throughput(source.description, on_demand=source.on_demand),
    }
    local = source.description.get("LocalSecondaryIndexes")
    if local:
        request["LocalSecondaryIndexes"] = [_index(index) for index in local]
    if source.indexes:
        request["GlobalSecondaryIndexes"] = [
            _index(index) | _throughput(index, on_demand=source.on_demand) for index in source.indexes
        ]
    if tags:
        request["Tags"] = tags
    if kms_key:
        named = {} if kms_key == AWS_MANAGED_KEY else {"KMSMasterKeyId": kms_key}
        request["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **named}
    table_class = source.description.get("TableClassSummary", {}).get("TableClass")
    if table_class:
        request["TableClass"] = table_class
    return request


def _index(index: dict[str, Any]) -> dict[str, Any]:
    return {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}


def _throughput(described: dict[str, Any], *, on_demand: bool) -> dict[str, Any]:
    if not on_demand:
        units = described["ProvisionedThroughput"]
        names = ("ReadCapacityUnits", "WriteCapacityUnits")
        return {"ProvisionedThroughput": {name: units[name] for name in names}}
    maxima = {name: units for name, units in described.get("OnDemandThroughput", {}).items() if units > 0}
    return ({"OnDemandThroughput": maxima} if maxima else {}) | _warm(described)


def _warm(described: dict[str, Any]) -> dict[str, Any]:
    """Ask for the source's warm throughput where it is above what every new table serves (AWS charges for it once)."""
    warm = described.get("WarmThroughput", {})
    read, write = warm.get("ReadUnitsPerSecond", 0), warm.get("WriteUnitsPerSecond", 0)
    if read <= ON_DEMAND_READ_UNITS and write <= ON_DEMAND_WRITE_UNITS:
        return {}
    units = {
        "ReadUnitsPerSecond": max(read, ON_DEMAND_READ_UNITS),
        "WriteUnitsPerSecond": max(write, ON_DEMAND_WRITE_UNITS),
    }
    return {"WarmThroughput": units}
