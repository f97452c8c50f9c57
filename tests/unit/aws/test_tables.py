"""What a table is, and the request that makes another like it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from dynamodb_copy.aws.table_creation import AWS_MANAGED_KEY, create_like
from dynamodb_copy.aws.tables import Table, describe, described, tags, ttl_attribute
from dynamodb_copy.errors import AccessError, TableError
from dynamodb_copy.model import KeySchema
from unit.aws.described_tables import BY_STATUS, BY_TOTAL, KEY, ON_DEMAND, PROVISIONED
from unit.aws.wires import dynamodb

CREATE_TABLE = dynamodb("http://127.0.0.1:1").meta.service_model.operation_model("CreateTable")


class FakeClient:
    """A stock client that remembers what it was asked to create."""

    def __init__(self, error_code: str | None = None) -> None:
        self._error_code = error_code
        self.created: dict[str, Any] = {}

    def create_table(self, **request: Any) -> Any:
        """Check the request against botocore's model of it."""
        problems = ParamValidator().validate(request, CREATE_TABLE.input_shape)
        assert not problems.has_errors(), problems.generate_report()
        if self._error_code:
            error: Any = {"Error": {"Code": self._error_code, "Message": "no"}}
            raise ClientError(error, "CreateTable")
        self.created = request
        return {"TableDescription": {"TableName": request["TableName"], "TableStatus": "CREATING"}}


def request_for(
    description: dict[str, Any], *, wanted_tags: list[dict[str, str]] | None = None, kms_key: str | None = None
) -> dict[str, Any]:
    client = FakeClient()
    made = create_like(client, Table(description), "copied", tags=wanted_tags or [], kms_key=kms_key)
    assert made is not None
    assert made.status == "CREATING"
    return client.created


def test_a_provisioned_table_gets_the_same_keys_indexes_and_capacity() -> None:
    request = request_for(PROVISIONED)

    assert request == {
        "TableName": "copied",
        "AttributeDefinitions": PROVISIONED["AttributeDefinitions"],
        "KeySchema": KEY,
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 120, "WriteCapacityUnits": 60},
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by_total",
                "KeySchema": BY_TOTAL,
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["currency"]},
            }
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_status",
                "KeySchema": BY_STATUS,
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 30},
            }
        ],
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
    }


def test_an_on_demand_table_gets_no_capacity_of_its_own() -> None:
    request = request_for(ON_DEMAND)

    assert request == {
        "TableName": "copied",
        "AttributeDefinitions": ON_DEMAND["AttributeDefinitions"],
        "KeySchema": [{"AttributeName": "session", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_user",
                "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }


def test_streams_and_deletion_protection_are_not_taken_along() -> None:
    request = request_for(PROVISIONED)

    assert request.keys().isdisjoint({"StreamSpecification", "DeletionProtectionEnabled", "SSESpecification"})


@pytest.mark.parametrize(
    ("described_maxima", "requested"),
    [
        ({"MaxReadRequestUnits": 900, "MaxWriteRequestUnits": 300}, True),
        ({"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 300}, True),
        ({"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}, False),
    ],
)
def test_maxima_of_an_on_demand_table_are_kept_where_they_are_set(
    described_maxima: dict[str, int], *, requested: bool
) -> None:
    request = request_for(ON_DEMAND | {"OnDemandThroughput": described_maxima})

    assert ("OnDemandThroughput" in request) is requested
    assert -1 not in request.get("OnDemandThroughput", {}).values()
    assert request.get("OnDemandThroughput", {}).items() <= described_maxima.items()


@pytest.mark.parametrize(
    ("warm", "requested"),
    [
        ((12_000, 4_000), None),
        ((12_000, 9_000), (12_000, 9_000)),
        ((50_000, 4_000), (50_000, 4_000)),
        ((50_000, 100), (50_000, 4_000)),
        ((100, 9_000), (12_000, 9_000)),
    ],
)
def test_a_table_that_is_warmer_than_a_new_one_is_made_as_warm(
    warm: tuple[int, int], requested: tuple[int, int] | None
) -> None:
    described_warmth = {"ReadUnitsPerSecond": warm[0], "WriteUnitsPerSecond": warm[1], "Status": "ACTIVE"}
    (index,) = ON_DEMAND["GlobalSecondaryIndexes"]
    source = ON_DEMAND | {"WarmThroughput": described_warmth}

    table = request_for(source)
    indexed = request_for(ON_DEMAND | {"GlobalSecondaryIndexes": [index | {"WarmThroughput": described_warmth}]})

    expected = requested and {"ReadUnitsPerSecond": requested[0], "WriteUnitsPerSecond": requested[1]}
    assert table.get("WarmThroughput") == expected
    assert indexed["GlobalSecondaryIndexes"][0].get("WarmThroughput") == expected


@pytest.mark.parametrize(
    ("kms_key", "specification"),
    [
        (None, None),
        (AWS_MANAGED_KEY, {"Enabled": True, "SSEType": "KMS"}),
        ("alias/copies", {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/copies"}),
    ],
)
def test_encryption_is_what_the_job_says(kms_key: str | None, specification: dict[str, Any] | None) -> None:
    assert request_for(PROVISIONED, kms_key=kms_key).get("SSESpecification") == specification


def test_tags_are_given_with_the_creation() -> None:
    wanted = [{"Key": "team", "Value": "commerce"}]

    assert request_for(PROVISIONED, wanted_tags=wanted)["Tags"] == wanted


def test_a_table_of_that_name_is_left_as_it_is() -> None:
    client = FakeClient("ResourceInUseException")

    assert create_like(client, Table(PROVISIONED), "copied", tags=[], kms_key=None) is None


def test_a_creation_that_is_not_permitted_names_the_action() -> None:
    with pytest.raises(AccessError, match="dynamodb:CreateTable is not permitted"):
        create_like(FakeClient("AccessDeniedException"), Table(PROVISIONED), "copied", tags=[], kms_key=None)


def test_a_provisioned_table_serves_what_is_provisioned() -> None:
    table = Table(PROVISIONED)

    assert (table.read_capacity(), table.write_capacity()) == (120.0, 60.0)
    assert table.index_write_capacity() == {"by_status": 30.0}


def test_an_on_demand_table_serves_what_it_is_warm_for_unless_a_maximum_is_set() -> None:
    warm = {"ReadUnitsPerSecond": 40_000, "WriteUnitsPerSecond": 20_000}
    maximum = {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 500}

    assert Table(ON_DEMAND).index_write_capacity() == {"by_user": 4_000.0}
    assert Table(ON_DEMAND | {"WarmThroughput": {}}).read_capacity() == 12_000.0
    assert Table(ON_DEMAND | {"WarmThroughput": warm}).write_capacity() == 20_000.0
    limited = Table(ON_DEMAND | {"WarmThroughput": warm, "OnDemandThroughput": maximum})
    assert (limited.read_capacity(), limited.write_capacity()) == (40_000.0, 500.0)


def test_keys_are_read_with_their_types_hash_first() -> None:
    description = PROVISIONED | {"KeySchema": KEY[::-1]}

    assert Table(description).keys == KeySchema("customer", "order")
    assert Table(description).key_types == [("customer", "S"), ("order", "N")]
    assert Table(ON_DEMAND).keys == KeySchema("session")


@pytest.mark.parametrize(
    ("status", "index_status", "active", "readable"),
    [
        ("ACTIVE", "ACTIVE", True, True),
        ("ACTIVE", "CREATING", False, True),
        ("UPDATING", "ACTIVE", False, True),
        ("CREATING", "CREATING", False, False),
        ("DELETING", "ACTIVE", False, False),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ACTIVE", False, False),
    ],
)
def test_a_table_is_active_with_all_its_indexes_and_readable_while_it_is_changed(
    status: str, index_status: str, *, active: bool, readable: bool
) -> None:
    (index,) = ON_DEMAND["GlobalSecondaryIndexes"]
    changed = {"TableStatus": status, "GlobalSecondaryIndexes": [index | {"IndexStatus": index_status}]}
    table = Table(ON_DEMAND | changed)

    assert (table.is_active, table.is_readable) == (active, readable)


@pytest.mark.parametrize(
    ("sse", "key"),
    [
        ({"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:key"}, "arn:key"),
        ({"Status": "ENABLED", "SSEType": "AES256"}, None),
        ({}, None),
    ],
)
def test_only_a_key_in_kms_is_a_key_to_care_for(sse: dict[str, str], key: str | None) -> None:
    assert Table(PROVISIONED | {"SSEDescription": sse}).kms_key == key


class Answering:
    """A stock client that answers one operation, page after page."""

    def __init__(self, operation: str, *replies: Any) -> None:
        self._replies = iter(replies)
        self.meta = dynamodb("http://127.0.0.1:1").meta
        setattr(self, operation, self._next)

    def _next(self, **_: Any) -> Any:
        reply = next(self._replies)
        if isinstance(reply, str):
            error: Any = {"Error": {"Code": reply, "Message": "no"}}
            raise ClientError(error, "Operation")
        return reply


def test_all_pages_of_tags_are_read_and_those_of_the_service_left_out() -> None:
    first = {"Tags": [{"Key": "aws:cloudformation:stack-id", "Value": "1"}], "NextToken": "more"}
    second = {"Tags": [{"Key": "team", "Value": "commerce"}]}

    assert tags(Answering("list_tags_of_resource", first, second), "arn") == [{"Key": "team", "Value": "commerce"}]


@pytest.mark.parametrize(("status", "found"), [("ENABLED", "at"), ("ENABLING", "at"), ("DISABLED", None)])
def test_ttl_counts_while_it_is_on_or_comes_on(status: str, found: str | None) -> None:
    reply = {"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": "at"}}

    assert ttl_attribute(Answering("describe_time_to_live", reply), "orders") == found


def test_a_table_that_is_not_there_is_none_or_an_error_as_the_caller_needs_it() -> None:
    assert describe(Answering("describe_table", "ResourceNotFoundException"), "orders") is None
    with pytest.raises(TableError, match="table 'orders' does not exist in us-east-1"):
        described(Answering("describe_table", "ResourceNotFoundException"), "orders")
