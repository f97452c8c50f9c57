"""How to make a table like another."""

from __future__ import annotations

from typing import Any

from dynamodb_copy.aws.clients import control
from dynamodb_copy.aws.faults import ResourceInUseError
from dynamodb_copy.aws.tables import ON_DEMAND_READ_UNITS, ON_DEMAND_WRITE_UNITS, Table

AWS_MANAGED_KEY = "alias/aws/dynamodb"
"""Asked for by leaving the key's name out."""


def create_like(
    client: Any, source: Table, name: str, *, tags: list[dict[str, str]], kms_key: str | None
) -> Table | None:
    """Create a table with the source's keys, indexes, billing, capacity and class; None if one is there already.

    TTL is not part of it: it is switched on after the copy was verified. The reply's description counts, because for a
    moment DescribeTable may not know the table yet.
    """
    try:
        reply = control(client, "CreateTable", **creation(source, name, tags=tags, kms_key=kms_key))
    except ResourceInUseError:
        return None
    return Table(reply["TableDescription"])


def creation(source: Table, name: str, *, tags: list[dict[str, str]], kms_key: str | None) -> dict[str, Any]:
    """The request that creates a table like the source."""
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
