"""What must hold before a job reads anything.

The provider's sensors go on with default credentials when a connection is missing, and its DynamoDB sensor takes
every error for "not yet"; these checks raise.
"""

from __future__ import annotations

from typing import Any

from dynamodb_copy.aws.clients import control
from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.job import Precondition
from dynamodb_copy.job.sections import ObjectAt, PrefixAt, TableAt
from dynamodb_copy_airflow.connections import airflow_client


def holds(precondition: Precondition, *, s3_region: str) -> bool:
    """Say whether the precondition holds now; S3 is asked in `s3_region`, whose partition has to be the bucket's.

    Raises:
        CopyError: it cannot be known: a missing connection, bucket or permission, or no answer.
    """
    match precondition:
        case Precondition(table_exists=TableAt() as table):
            return _exists(table)
        case Precondition(table_has_items=TableAt() as table):
            return _has_items(table)
        case Precondition(s3_key_exists=ObjectAt() as place):
            return place.s3 in _first_object(place, s3_region)
        case Precondition(s3_prefix_not_empty=PrefixAt() as place):
            return bool(_first_object(place, s3_region))
    raise NotImplementedError(f"no check for {precondition!r}")


def _exists(at: TableAt) -> bool:
    client = airflow_client("dynamodb", at.region, at.connection)
    try:
        control(client, "DescribeTable", TableName=at.table)
    except ResourceMissingError:
        return False
    return True


def _has_items(at: TableAt) -> bool:
    """Read one item, consistently; a page may be empty although a later one is not."""
    client = airflow_client("dynamodb", at.region, at.connection)
    request: dict[str, Any] = {"TableName": at.table, "Limit": 1, "ConsistentRead": True}
    reply = control(client, "Scan", **request)
    while not reply["Items"] and "LastEvaluatedKey" in reply:
        reply = control(client, "Scan", **request, ExclusiveStartKey=reply["LastEvaluatedKey"])
    return bool(reply["Items"])


def _first_object(at: ObjectAt | PrefixAt, region: str) -> list[str]:
    """The first object whose address begins so; an object of just that address comes before all others."""
    bucket, _, prefix = at.s3.removeprefix("s3://").partition("/")
    client = airflow_client("s3", region, at.connection)
    reply = control(client, "ListObjectsV2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
    return [f"s3://{bucket}/{found['Key']}" for found in reply.get("Contents", ())]
