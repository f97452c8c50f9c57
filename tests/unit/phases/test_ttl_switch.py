from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamodb_copy.aws.tables import enable_ttl
from dynamodb_copy.errors import RequestRefusedError


class Client:
    """A client of a table whose TTL somebody else may switch on just before we do."""

    def __init__(self, *, is_overtaken: bool, is_on: bool = False) -> None:
        self._is_overtaken = is_overtaken
        self._is_on = is_on
        self.updates = 0

    def describe_time_to_live(self, **_: Any) -> dict[str, Any]:
        """As the service."""
        status = {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires_at"}
        return {"TimeToLiveDescription": status if self._is_on else {"TimeToLiveStatus": "DISABLED"}}

    def update_time_to_live(self, **_: Any) -> dict[str, Any]:
        """Refuse what is done already, or what the table does not want."""
        self.updates += 1
        self._is_on = self._is_overtaken
        text = (
            "TimeToLive is already enabled" if self._is_overtaken else "Time to live has been modified multiple times"
        )
        raise ClientError({"Error": {"Code": "ValidationException", "Message": text}}, "UpdateTimeToLive")


def test_ttl_that_another_task_switched_on_in_the_same_moment_is_on() -> None:
    client = Client(is_overtaken=True)

    enable_ttl(client, "orders", "expires_at")

    assert client.updates == 1


def test_ttl_that_the_service_refuses_for_another_reason_is_an_error() -> None:
    with pytest.raises(RequestRefusedError, match="modified multiple times"):
        enable_ttl(Client(is_overtaken=False), "orders", "expires_at")


def test_ttl_that_is_on_is_left_alone() -> None:
    client = Client(is_overtaken=False, is_on=True)

    enable_ttl(client, "orders", "expires_at")

    assert client.updates == 0
