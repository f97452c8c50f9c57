"""Keep-alive HTTP connections to one endpoint: TLS, a CA bundle, client certificates and proxies as botocore has them.

http.client under our own pool costs a third of the CPU of a full HTTP client, and it lets one thread have many requests
on the way: a request is sent on a connection of its own and its reply is read when its turn comes.
"""

from __future__ import annotations

import base64
import http.client
import select
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from dynamodb_copy.aws.light_response import LightResponse
from dynamodb_copy.errors import AccessError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one request may take; a lease has to outlast it."""

    connect_seconds: float = 3.0
    read_seconds: float = 10.0

    @property
    def request_seconds(self) -> float:
        """The longest that one request lives."""
        return self.connect_seconds + self.read_seconds


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach one endpoint."""

    url: str  # with its path, at least `/`
    proxy_url: str | None = None
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if urlsplit(self.proxy_url or "").scheme == "https":
            raise AccessError(
                f"proxy {_shown(self.proxy_url or '')}: a proxy is reached by http:// (https endpoints are tunnelled "
                "through it); correct the connection's proxies or HTTPS_PROXY"
            )

    @property
    def host(self) -> str:
        """Host, with the port if the URL names it: the `Host` header."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def target(self) -> str:
        """What the request line names: a plain HTTP proxy wants the whole URL, everyone else the path."""
        return self.url if self.proxy_url and self.tls is None else urlsplit(self.url).path


class ConnectionPool:
    """Free connections to one endpoint; used by one thread at a time."""

    def __init__(self, route: Route, timeouts: Timeouts) -> None:
        self.route = route
        self.timeouts = timeouts
        self._free: list[http.client.HTTPConnection] = []

    def take(self) -> http.client.HTTPConnection:
        """Return a connected connection; raises OSError or HTTPException when the endpoint cannot be reached."""
        while self._free:
            connection = self._free.pop()
            if not _was_closed(connection):
                return connection
            connection.close()
        return self._connected()

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keep the connection for the next request."""
        self._free.append(connection)

    def grow(self, count: int) -> None:
        """Open connections side by side until `count` are free: one after the other each would cost its round trips."""
        missing = count - len(self._free)
        if missing <= 1:
            return
        with ThreadPoolExecutor(missing) as threads:
            opened = threads.map(lambda _: self._connected_or_none(), range(missing))
            self._free.extend(connection for connection in opened if connection is not None)

    def sibling(self) -> ConnectionPool:
        """A pool to the same endpoint without any connection yet."""
        return ConnectionPool(self.route, self.timeouts)

    def close(self) -> None:
        """Close every free connection."""
        while self._free:
            self._free.pop().close()

    def _connected_or_none(self) -> http.client.HTTPConnection | None:
        """What fails here fails again, and is reported, when the connection is taken."""
        try:
            return self._connected()
        except (OSError, http.client.HTTPException):
            return None

    def _connected(self) -> http.client.HTTPConnection:
        connection = _unconnected(self.route, self.timeouts.connect_seconds)
        try:
            connection.connect()
        except BaseException:
            connection.close()  # a tunnel or a handshake that failed leaves its socket open
            raise
        connection.sock.settimeout(self.timeouts.read_seconds)
        return connection


def _unconnected(route: Route, seconds: float) -> http.client.HTTPConnection:
    endpoint = urlsplit(route.url)
    via = urlsplit(route.proxy_url) if route.proxy_url else endpoint
    host, port = via.hostname or "", via.port or (443 if via.scheme == "https" else 80)
    if route.tls is None:
        return http.client.HTTPConnection(host, port, timeout=seconds)
    connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=route.tls)
    if route.proxy_url:
        connection.set_tunnel(endpoint.hostname or "", endpoint.port or 443, proxy_authorization(route.proxy_url))
    return connection


def send(connection: http.client.HTTPConnection, target: str, headers: dict[str, str], body: bytes) -> None:
    """Send a POST as one piece; raises OSError."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = f"POST {target} HTTP/1.1\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
    connection.sock.sendall(head.encode("latin-1") + body)


def receive(connection: http.client.HTTPConnection) -> tuple[LightResponse, bytes]:
    """Read the reply to what was sent and its body; raises OSError and HTTPException."""
    response = LightResponse(connection.sock, method="POST")
    try:
        response.begin()
        return response, response.read()
    except BaseException:
        response.close()  # half a reply would keep the socket open
        raise


def proxy_authorization(proxy_url: str) -> dict[str, str]:
    """The header that carries a proxy URL's user and password."""
    proxy = urlsplit(proxy_url)
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _shown(proxy_url: str) -> str:
    proxy = urlsplit(proxy_url)
    return f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}"


def is_readable(sock: socket.socket, *, within_seconds: float = 0.0) -> bool:
    """Whether something, if only its end, can be read from a socket in that time."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(within_seconds * 1000))


def _was_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has ended; there can be session tickets, which TLS keeps to itself, but no data."""
    if connection.sock is None:
        return True
    if not is_readable(connection.sock):
        return False
    timeout_seconds = connection.sock.gettimeout()
    connection.sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
    try:
        connection.sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        connection.sock.settimeout(timeout_seconds)
        return False
    except OSError:
        return True
    return True
