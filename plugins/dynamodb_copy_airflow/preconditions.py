"""What must hold before a job reads anything.

The provider's sensors go on with default credentials when a connection is missing, and its DynamoDB sensor takes
every error for "not yet"; these checks raise.
"""

from __future__ import annotations

from typing import Any

from dynamodb_copy.aws.clients import Connect, control
from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.job import Precondition
from dynamodb_copy.job.places import TableAt
from dynamodb_copy.job.preconditions import ObjectAt, PrefixAt


def holds(precondition: Precondition, connect: Connect, *, s3_region: str) -> bool:
    """Say whether the precondition holds now; S3 is asked in `s3_region`, whose partition has to be the bucket's.

    Raises:
        CopyError: it cannot be known: a missing connection, bucket or permission, or no answer.
    """
    match precondition:
        case Precondition(table_exists=TableAt() as table):
            return _exists(connect("dynamodb", table.region, table.connection), table.table)
        case Precondition(table_has_items=TableAt() as table):
            return _has_items(connect("dynamodb", table.region, table.connection), table.table)
        case Precondition(s3_key_exists=ObjectAt() as place):
            return _first_object(connect("s3", s3_region, place.connection), place.s3) == place.s3
        case Precondition(s3_prefix_not_empty=PrefixAt() as place):
            return _first_object(connect("s3", s3_region, place.connection), place.s3) is not None
    raise NotImplementedError(f"no check for {precondition!r}")


def _exists(client: Any, table: str) -> bool:
    try:
        control(client, "DescribeTable", TableName=table)
    except ResourceMissingError:
        return False
    return True


def _has_items(client: Any, table: str) -> bool:
    """Read one item, consistently; a page may be empty although a later one is not."""
    request: dict[str, Any] = {"TableName": table, "Limit": 1, "ConsistentRead": True}
    reply = control(client, "Scan", **request)
    while not reply["Items"] and "LastEvaluatedKey" in reply:
        reply = control(client, "Scan", **request, ExclusiveStartKey=reply["LastEvaluatedKey"])
    return bool(reply["Items"])


def _first_object(client: Any, address: str) -> str | None:
    """The first object whose address begins so; an object of just that address comes before all others."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    reply = control(client, "ListObjectsV2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    return next((f"s3://{bucket}/{found['Key']}" for found in reply.get("Contents", ())), None)
