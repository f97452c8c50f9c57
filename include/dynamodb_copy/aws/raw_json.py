"""The data plane: DynamoDB's own JSON over our own connections, with botocore's credentials and signer.

A stock client decodes every attribute of what a copy only passes on, which is nine tenths of its time.
Here items stay the wire JSON that they are; binary stays base64 text.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.connection_pool import (
    ConnectionPool,
    Route,
    Timeouts,
    is_readable,
    proxy_authorization,
    receive,
    send,
)
from dynamodb_copy.aws.faults import fault, translated, untrusted
from dynamodb_copy.aws.light_response import LightResponse
from dynamodb_copy.aws.signing import PlainSigner, Unsigned
from dynamodb_copy.errors import AccessError, CopyError, ServiceUnavailableError

TABLES = "DynamoDB_20120810"
STREAMS = "DynamoDBStreams_20120810"

_AT_ONCE_SECONDS = 0.001  # zero would mean: do not block


def _unfenced() -> None:
    """Let everything pass."""


class Pending:
    """A request on its way, or one that could not be sent: what went wrong shows when its reply is asked for."""

    def __init__(self, wire: Wire, operation: str, sent: HTTPConnection | Exception) -> None:
        self._wire = wire
        self._operation = operation
        self._sent: HTTPConnection | Exception | None = sent  # None: its time is over
        self._deadline = time.monotonic() + wire.pool.timeouts.read_seconds
        self.reply_bytes = 0

    @property
    def was_sent(self) -> bool:
        """Whether the request reached the network."""
        return not isinstance(self._sent, Exception)

    def reply(self) -> dict[str, Any]:
        """Wait for the reply; raises ServiceUnavailableError for what may pass and a PermanentError for the rest."""
        connection, self._sent = self._sent, None
        if not isinstance(connection, HTTPConnection):
            raise self._failed(connection) from connection
        try:
            self._wait(connection)
            response, body = receive(connection)
        except (OSError, HTTPException) as error:
            connection.close()
            raise self._failed(error) from error
        if response.will_close:
            connection.close()
        else:
            self._wire.pool.give_back(connection)
        self.reply_bytes = len(body)
        self._wire.replied_on = response.fields.get("date", "")
        return _decoded(self._operation, response, body)

    def see_out(self, seconds: float) -> None:
        """Wait that long at most until the request has ended, however it ends; then it cannot happen any more."""
        connection = self._sent
        if not isinstance(connection, HTTPConnection):
            return
        connection.sock.settimeout(max(seconds, _AT_ONCE_SECONDS))
        self._deadline = time.monotonic() + seconds
        with suppress(CopyError):
            self.reply()
        connection.close()

    def abandon(self) -> None:
        """Give up waiting; what was sent may still happen."""
        if isinstance(self._sent, HTTPConnection):
            self._sent.close()
        self._sent = None

    def _wait(self, connection: HTTPConnection) -> None:
        """Wait until the reply begins; each request's time runs from its own start, however many wait side by side."""
        seconds = max(0.0, self._deadline - time.monotonic())
        if not is_readable(connection.sock, within_seconds=seconds):
            raise TimeoutError(f"no reply within {self._wire.pool.timeouts.read_seconds:g} s")

    def _failed(self, error: Exception | None) -> CopyError:
        if isinstance(error, CopyError):
            return error
        url = self._wire.pool.route.url
        if isinstance(error, ssl.SSLCertVerificationError):
            return untrusted(self._operation, f"{url}: {error}")
        return ServiceUnavailableError(f"{self._operation}: {url} does not answer: {type(error).__name__}: {error}")


class Wire:
    """One endpoint of DynamoDB, or of its streams (`target`); used by one thread at a time."""

    def __init__(self, client: Any, timeouts: Timeouts, clock: Clock, target: str = TABLES) -> None:
        self.clock = clock
        self.replied_on = ""  # the last reply's `Date`
        self._target = target
        self.region: str = client.meta.region_name
        self.pool = ConnectionPool(_route(client), timeouts)
        self._credentials = client._request_signer._credentials  # noqa: SLF001 - botocore shows them nowhere else
        self._unsigned = {"Accept-Encoding": "identity"}  # what proxies may alter or take away
        if self.pool.route.proxy_url and self.pool.route.tls is None:
            self._unsigned |= proxy_authorization(self.pool.route.proxy_url)

    def sibling(self) -> Wire:
        """The same endpoint over connections of its own, for another thread."""
        twin = copy(self)
        twin.pool = self.pool.sibling()
        return twin

    def close(self) -> None:
        """Close the connections that are free."""
        self.pool.close()

    def service_time(self) -> float | None:
        """The service's clock when it sent the last reply, in whole epoch seconds; None if it did not say."""
        try:
            return parsedate_to_datetime(self.replied_on).timestamp()
        except ValueError:
            return None

    def post(self, operation: str, body: bytes, *, fence: Callable[[], None] = _unfenced) -> Pending:
        """Sign and send one request without waiting for its reply.

        The fence is checked last: new credentials and a new connection may have taken their time. What it raises is
        raised here, and nothing was sent; every other failure shows when the reply is asked for.
        """
        try:
            headers = self._signed(operation, body)
            connection = self.pool.take()
        except (CopyError, OSError, HTTPException) as error:
            return Pending(self, operation, error)
        try:
            fence()
        except BaseException:
            self.pool.give_back(connection)
            raise
        return Pending(self, operation, self._sent(connection, body, headers))

    def _sent(self, connection: HTTPConnection, body: bytes, headers: dict[str, str]) -> HTTPConnection | Exception:
        try:
            send(connection, self.pool.route.target, headers, body)
        except (OSError, HTTPException) as error:
            connection.close()
            return error
        return connection

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its reply."""
        return self.post(operation, orjson.dumps(request)).reply()

    def _signed(self, operation: str, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Host": self.pool.route.host,
            "X-Amz-Target": f"{self._target}.{operation}",
        }
        request = Unsigned(self.pool.route.url, headers, body)
        PlainSigner(self._frozen_credentials(operation), "dynamodb", self.region).sign(request)
        return request.headers | self._unsigned

    def _frozen_credentials(self, operation: str) -> Any:
        """The credentials of this moment, refreshed if they are about to expire."""
        if self._credentials is None:
            raise AccessError(f"{operation}: the connection has no credentials; complete it")
        try:
            return self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise translated(error, f"{operation} (new credentials)") from error
        except RuntimeError as error:  # botocore's word for new credentials that have expired already
            raise AccessError(f"{operation}: {error} Check the clock of this machine and the connection") from error


def _decoded(operation: str, response: LightResponse, body: bytes) -> dict[str, Any]:
    checksum = response.fields.get("x-amz-crc32")
    if checksum is not None and str(zlib.crc32(body)) != checksum:
        raise ServiceUnavailableError(f"{operation}: the reply's checksum does not match its body")
    reply = _json_object(body)
    if response.status == HTTPStatus.OK:
        if reply is None:
            raise ServiceUnavailableError(f"{operation}: the reply of {len(body)} bytes is no JSON object")
        return reply
    reply = reply or {}
    code = str(reply.get("__type", "")).rsplit("#")[-1]
    message = reply.get("message") or reply.get("Message") or response.reason
    raise fault(code, message, status=response.status, operation=operation)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _route(client: Any) -> Route:
    """Reach the endpoint as the client would: its CA bundle, client certificate and proxy, however they were set."""
    url = client.meta.endpoint_url
    if not urlsplit(url).path:
        url += "/"
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
