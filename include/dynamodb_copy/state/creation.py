"""The state table itself: created on first use, on the target's side."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.clients import control
from dynamodb_copy.aws.faults import ResourceInUseError
from dynamodb_copy.aws.tables import describe, enable_ttl
from dynamodb_copy.errors import ServiceUnavailableError, TableError

_KEYS = {"pk": "HASH", "sk": "RANGE"}
_POLLS = 120


def ensure_state_table(client: Any, name: str, clock: Clock) -> None:
    """Create the table unless it is there: on demand, with TTL, point-in-time recovery and deletion protection."""
    if not _is_ours_and_active(client, name):
        _create(client, name, clock)
    enable_ttl(client, name, "expires_at")
    _enable_recovery(client, name)


def _create(client: Any, name: str, clock: Clock) -> None:
    with suppress(ResourceInUseError):  # another task is creating it
        control(
            client,
            "CreateTable",
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in _KEYS],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in _KEYS.items()],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
        )
    for _ in range(_POLLS):
        if _is_ours_and_active(client, name):
            return
        clock.sleep(1.0)
    raise ServiceUnavailableError(f"state table {name!r} is not ACTIVE after {_POLLS} s")


def _enable_recovery(client: Any, name: str) -> None:
    backups = control(client, "DescribeContinuousBackups", TableName=name)["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
        recovery = {"PointInTimeRecoveryEnabled": True}
        control(client, "UpdateContinuousBackups", TableName=name, PointInTimeRecoverySpecification=recovery)


def _is_ours_and_active(client: Any, name: str) -> bool:
    table = describe(client, name)
    if table is None:
        return False
    if tuple(table.keys) != tuple(_KEYS):
        raise TableError(
            f"state table {name!r} has the keys {tuple(table.keys)}, not {tuple(_KEYS)}: it is somebody else's table; "
            "set DYNAMODB_COPY_STATE_TABLE to another name"
        )
    return table.is_active
