"""DescribeTable's answers as the service gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
MADE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = [{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "order", "KeyType": "RANGE"}]
BY_STATUS = [{"AttributeName": "status", "KeyType": "HASH"}]
BY_TOTAL = [{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "total", "KeyType": "RANGE"}]

PROVISIONED: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "customer", "AttributeType": "S"},
        {"AttributeName": "order", "AttributeType": "N"},
        {"AttributeName": "status", "AttributeType": "S"},
        {"AttributeName": "total", "AttributeType": "N"},
    ],
    "TableName": "orders",
    "KeySchema": KEY,
    "TableStatus": "ACTIVE",
    "CreationDateTime": MADE,
    "ProvisionedThroughput": {
        "LastIncreaseDateTime": MADE,
        "LastDecreaseDateTime": MADE,
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": 120,
        "WriteCapacityUnits": 60,
    },
    "TableSizeBytes": 4_509_715,
    "ItemCount": 12_000,
    "TableArn": ARN,
    "TableId": "6c1b9d6e-0d0c-4b59-8a3e-1c2f6c2f8a11",
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_total",
            "KeySchema": BY_TOTAL,
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["currency"]},
            "IndexSizeBytes": 100,
            "ItemCount": 12_000,
            "IndexArn": f"{ARN}/index/by_total",
        }
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_status",
            "KeySchema": BY_STATUS,
            "Projection": {"ProjectionType": "KEYS_ONLY"},
            "IndexStatus": "ACTIVE",
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": 10,
                "WriteCapacityUnits": 30,
            },
            "IndexSizeBytes": 100,
            "ItemCount": 12_000,
            "IndexArn": f"{ARN}/index/by_status",
            "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
        }
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "LatestStreamLabel": "2026-03-01T12:00:00.000",
    "LatestStreamArn": f"{ARN}/stream/2026-03-01T12:00:00.000",
    "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:us-east-1:1:key/k"},
    "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS", "LastUpdateDateTime": MADE},
    "DeletionProtectionEnabled": True,
    "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
}

ON_DEMAND: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "session", "AttributeType": "B"},
        {"AttributeName": "user", "AttributeType": "S"},
    ],
    "TableName": "sessions",
    "KeySchema": [{"AttributeName": "session", "KeyType": "HASH"}],
    "TableStatus": "ACTIVE",
    "CreationDateTime": MADE,
    "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    "TableSizeBytes": 0,
    "ItemCount": 0,
    "TableArn": ARN,
    "TableId": "f0a4d2b0-6a6e-4c67-94a5-6ad1e6f0a001",
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": MADE},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_user",
            "KeySchema": [{"AttributeName": "user", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "IndexStatus": "ACTIVE",
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": 0,
                "WriteCapacityUnits": 0,
            },
            "IndexSizeBytes": 0,
            "ItemCount": 0,
            "IndexArn": f"{ARN}/index/by_user",
            "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
        }
    ],
    "DeletionProtectionEnabled": False,
    "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
}
