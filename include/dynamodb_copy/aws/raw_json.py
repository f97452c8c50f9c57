"""The data plane: DynamoDB's own JSON over our own connections, with botocore's credentials and signer.

A stock client decodes every attribute of what a copy only passes on, which is nine tenths of its time.
Here items stay the wire JSON that they are; binary stays base64 text.
"""

from __future__ import annotations

import ssl
import zlib
from contextlib import suppress
from copy import copy
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import ConnectionPool, Route, Timeouts, proxy_authorization
from dynamodb_copy.aws.faults import fault
from dynamodb_copy.errors import AccessError, CopyError, ServiceUnavailableError

_AT_ONCE_SECONDS = 0.001  # zero would mean: do not block


class Pending:
    """A request on its way, or one that could not be sent: what went wrong shows when its reply is asked for."""

    def __init__(self, wire: Wire, operation: str, sent: HTTPConnection | Exception) -> None:
        self._wire = wire
        self._operation = operation
        self._sent = sent
        self.reply_bytes = 0

    def reply(self) -> dict[str, Any]:
        """Wait for the reply; raises ServiceUnavailableError for what may pass and a PermanentError for the rest."""
        if isinstance(self._sent, Exception):
            raise self._unavailable(self._sent) from self._sent
        try:
            response = self._sent.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            self.abandon()
            raise self._unavailable(error) from error
        if response.will_close:
            self._sent.close()
        else:
            self._wire.pool.give_back(self._sent)
        self.reply_bytes = len(body)
        return _decoded(self._operation, response, body)

    def see_out(self, seconds: float) -> None:
        """Wait that long at most until the request has ended, however it ends; then it cannot happen any more."""
        if isinstance(self._sent, Exception) or self._sent.sock is None:
            return
        self._sent.sock.settimeout(max(seconds, _AT_ONCE_SECONDS))
        with suppress(CopyError):
            self.reply()
        self.abandon()

    def abandon(self) -> None:
        """Give up waiting; what was sent may still happen."""
        if not isinstance(self._sent, Exception):
            self._sent.close()

    def _unavailable(self, error: Exception) -> ServiceUnavailableError:
        url = self._wire.pool.route.url
        return ServiceUnavailableError(f"{self._operation}: {url} does not answer: {type(error).__name__}: {error}")


class Wire:
    """One DynamoDB endpoint; used by one thread at a time."""

    def __init__(self, client: Any, timeouts: Timeouts, clock: Clock) -> None:
        self.clock = clock
        self.region: str = client.meta.region_name
        self.pool = ConnectionPool(_route(client), timeouts)
        self._credentials = client._request_signer._credentials  # noqa: SLF001 - botocore shows them nowhere else
        self._headers = {"Content-Type": "application/x-amz-json-1.0", "Accept-Encoding": "identity"}
        if self.pool.route.proxy_url and self.pool.route.tls is None:
            self._headers |= proxy_authorization(self.pool.route.proxy_url)

    def sibling(self) -> Wire:
        """The same endpoint over connections of its own, for another thread."""
        twin = copy(self)
        twin.pool = self.pool.sibling()
        return twin

    def close(self) -> None:
        """Close the connections that are free."""
        self.pool.close()

    def post(self, operation: str, body: bytes) -> Pending:
        """Sign and send one request without waiting for its reply."""
        headers = self._signed(operation, body)
        connection = None
        try:
            connection = self.pool.take()
            connection.request("POST", self.pool.route.target, body, headers)
        except (OSError, HTTPException) as error:
            if connection is not None:
                connection.close()
            return Pending(self, operation, error)
        return Pending(self, operation, connection)

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its reply."""
        return self.post(operation, orjson.dumps(request)).reply()

    def _signed(self, operation: str, body: bytes) -> dict[str, str]:
        request = AWSRequest(
            "POST",
            f"{self.pool.route.url}/",
            {**self._headers, "Host": self.pool.route.host, "X-Amz-Target": f"DynamoDB_20120810.{operation}"},
            body,
        )
        try:
            frozen = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise AccessError(f"{operation}: credentials cannot be had: {error}; check the connection") from error
        SigV4Auth(frozen, "dynamodb", self.region).add_auth(request)
        return dict(request.headers.items())


def _decoded(operation: str, response: HTTPResponse, body: bytes) -> dict[str, Any]:
    checksum = response.getheader("x-amz-crc32")
    if checksum is not None and zlib.crc32(body) != int(checksum):
        raise ServiceUnavailableError(f"{operation}: the reply's checksum does not match its body")
    try:
        reply: dict[str, Any] = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        if response.status == HTTPStatus.OK:
            raise ServiceUnavailableError(f"{operation}: the reply is not JSON: {error}") from error
        reply = {}
    if response.status == HTTPStatus.OK:
        return reply
    code = str(reply.get("__type", "")).rsplit("#")[-1]
    message = reply.get("message") or reply.get("Message") or response.reason
    raise fault(code, message, status=response.status, operation=operation)


def _route(client: Any) -> Route:
    """Reach the endpoint as the client would: its CA bundle, client certificate and proxy, however they were set."""
    url = client.meta.endpoint_url.rstrip("/")
    session = client._endpoint.http_session  # noqa: SLF001 - botocore shows what it resolved nowhere else
    proxy_url = session._proxy_config.proxy_url_for(url)  # noqa: SLF001 - as above
    if not url.startswith("https:"):
        return Route(url, proxy_url)
    return Route(url, proxy_url, _tls(session))


def _tls(session: Any) -> ssl.SSLContext:
    authorities: Any = get_cert_path(session._verify)  # noqa: SLF001 - as above
    if authorities is False:
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - the connection says `verify: false`
    elif Path(authorities).is_dir():
        context = ssl.create_default_context(capath=authorities)
    else:
        context = ssl.create_default_context(cafile=authorities)
    if session._cert_file:  # noqa: SLF001 - as above
        context.load_cert_chain(session._cert_file, session._key_file)  # noqa: SLF001 - as above
    return context
