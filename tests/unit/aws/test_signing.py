"""Signatures, judged as the service judges them; and credentials that change while a copy runs."""

from __future__ import annotations

import hmac
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.errors import AccessError, CopyError, ServiceUnavailableError
from stack.emulators import ACCOUNT
from unit.aws.local_server import LocalServer, Reaction, Received, refuses, replies, served
from unit.aws.wires import PATIENT, SECRET, wire_to

BODY = '{"name":"Zoë  \\" /+=%20"}'.encode()


def expected_authorization(server: LocalServer, request: Received, *, secret: str) -> str:
    """What botocore itself makes of the request, at the time that the request says it was signed."""
    received = request.headers["authorization"]
    signed = received.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    credentials = ReadOnlyCredentials(ACCOUNT, secret, None)
    signer = SigV4Auth(credentials, "dynamodb", "us-east-1")
    method, target, _ = request.line.split(" ")
    headers = {name: request.headers[name] for name in signed}
    judged = AWSRequest(method, server.url + target, headers, request.body)
    judged.context["timestamp"] = request.headers["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(judged, signer.canonical_request(judged)), judged)
    return received[: -len(signature)] + signature


class Verifying:
    """A service that knows one secret."""

    def __init__(self) -> None:
        self.server: LocalServer | None = None

    def __call__(self, connection: socket.socket, request: Received) -> bool:
        """Answer if the signature is right."""
        assert self.server is not None
        expected = expected_authorization(self.server, request, secret=SECRET)
        is_right = hmac.compare_digest(expected, request.headers["authorization"])
        reaction: Reaction = replies({"Count": 0}) if is_right else refuses("InvalidSignatureException")
        return reaction(connection, request)


@pytest.mark.parametrize("path", ["", "/", "/gateway", "/gateway/a%20b/"])
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_the_signature_is_botocores_own(path: str, token: str | None) -> None:
    service = Verifying()
    with served(service) as server, closing(wire_to(server.url + path, aws_session_token=token)) as wire:
        service.server = server

        assert wire.post("Scan", BODY).reply() == {"Count": 0}

        assert server.received[0].headers.get("x-amz-security-token") == token


def test_a_wrong_secret_is_an_error_that_names_the_credentials() -> None:
    service = Verifying()
    with served(service) as server, closing(wire_to(server.url, aws_secret_access_key="another")) as wire:  # noqa: S106
        service.server = server

        with pytest.raises(AccessError, match=r"InvalidSignatureException.*credentials are not accepted"):
            wire.call("Scan", {})


def test_what_a_proxy_may_change_is_not_signed() -> None:
    with served(replies({})) as server, closing(wire_to(server.url)) as wire:
        wire.call("Scan", {})

        authorization = server.received[0].headers["authorization"]

    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-target," in authorization


def test_the_region_and_the_service_are_signed() -> None:
    with served(replies({})) as server, closing(wire_to(server.url, region_name="eu-central-1")) as wire:
        wire.call("Scan", {})

        assert "/eu-central-1/dynamodb/aws4_request" in server.received[0].headers["authorization"]


class Role:
    """Credentials as an assumed role gives them: numbered, and each set valid for a time."""

    def __init__(self, *, valid_for: timedelta) -> None:
        self._valid_for = valid_for
        self.error: Exception | None = None
        self.made = 0

    def assume(self) -> dict[str, str]:
        """New credentials."""
        if self.error is not None:
            raise self.error
        self.made += 1
        expiry = (datetime.now(UTC) + self._valid_for).isoformat()
        return {"access_key": "AKIA", "secret_key": "s", "token": f"token-{self.made}", "expiry_time": expiry}

    def credentials(self) -> RefreshableCredentials:
        """Credentials that renew themselves."""
        made: RefreshableCredentials = RefreshableCredentials.create_from_metadata(self.assume(), self.assume, "role")
        return made


def wire_with(server: LocalServer, credentials: Credentials | None) -> Wire:
    session: Any = botocore.session.Session()
    session._credentials = credentials  # noqa: SLF001 - as the amazon provider sets the credentials of a role
    config = Config(retries={"total_max_attempts": 1})
    client = session.create_client("dynamodb", "us-east-1", endpoint_url=server.url, config=config)
    return Wire(client, PATIENT, Clock())


def tokens(server: LocalServer) -> list[str]:
    return [request.headers["x-amz-security-token"] for request in server.received]


def test_credentials_are_renewed_before_they_expire_and_the_token_follows() -> None:
    role = Role(valid_for=timedelta(minutes=5))  # within botocore's 10 minutes: due at every request
    with served(replies({})) as server, closing(wire_with(server, role.credentials())) as wire:
        wire.call("Scan", {})
        wire.call("Scan", {})

        assert tokens(server) == ["token-2", "token-3"]
        assert server.connections == 1


def test_credentials_that_still_last_are_used_again() -> None:
    role = Role(valid_for=timedelta(hours=1))
    with served(replies({})) as server, closing(wire_with(server, role.credentials())) as wire:
        wire.call("Scan", {})
        wire.call("Scan", {})

        assert tokens(server) == ["token-1", "token-1"]


def denied() -> ClientError:
    message = "User: arn:aws:iam::1:user/copy is not authorized to perform: sts:AssumeRole on resource: role/copy"
    response: Any = {
        "Error": {"Code": "AccessDenied", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    return ClientError(response, "AssumeRole")


@pytest.mark.parametrize(
    ("failure", "expected", "said"),
    [
        (denied(), AccessError, "sts:AssumeRole is not permitted"),
        (EndpointConnectionError(endpoint_url="https://sts"), ServiceUnavailableError, "new credentials.*https://sts"),
        (CredentialRetrievalError(provider="process", error_msg="no"), ServiceUnavailableError, "new credentials"),
    ],
)
def test_credentials_that_cannot_be_renewed_say_why_and_nothing_is_sent(
    failure: Exception, expected: type[CopyError], said: str
) -> None:
    role = Role(valid_for=timedelta(minutes=5))
    with served(replies({})) as server, closing(wire_with(server, role.credentials())) as wire:
        role.error = failure

        pending = wire.post("Scan", b"{}")

        assert not pending.was_sent
        with pytest.raises(expected, match=said):
            pending.reply()
        assert server.received == []


def test_new_credentials_that_have_expired_already_point_at_the_clock() -> None:
    role = Role(valid_for=timedelta(hours=-1))
    with (
        served(replies({})) as server,
        closing(wire_with(server, role.credentials())) as wire,
        pytest.raises(AccessError, match=r"still expired.*clock"),
    ):
        wire.call("Scan", {})


def test_a_connection_without_credentials_is_an_error_not_another_ones_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with (
        served(replies({})) as server,
        closing(wire_with(server, None)) as wire,
        pytest.raises(AccessError, match="no credentials"),
    ):
        wire.call("Scan", {})
