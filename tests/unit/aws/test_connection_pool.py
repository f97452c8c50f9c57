"""The ways to an endpoint: TLS, authorities, proxies."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from cryptography.x509 import DNSName

from dynamodb_copy.aws.clients import control
from dynamodb_copy.aws.connection_pool import ConnectionPool, Route, Timeouts
from dynamodb_copy.errors import AccessError, ServiceUnavailableError
from unit.aws.certificates import Authority, authority
from unit.aws.local_server import LocalServer, Received, hangs_up, replies, served, tunnels
from unit.aws.wires import SHORT, dynamodb, wire_to

PAGE = {"Count": 1}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(trusted: Authority) -> Iterator[LocalServer]:
    with served(replies(PAGE), tls=trusted.server()) as server:
        yield server


def test_an_authority_can_be_named_by_the_connection(secure: LocalServer, trusted: Authority) -> None:
    with closing(wire_to(secure.url, verify=str(trusted.bundle))) as wire:
        assert [wire.call("Scan", {}) for _ in range(2)] == [PAGE] * 2

    assert secure.connections == 1


def test_an_authority_can_be_named_by_the_environment(
    secure: LocalServer, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted.bundle))

    with closing(wire_to(secure.url)) as wire:
        assert wire.call("Scan", {}) == PAGE


def test_authorities_can_be_a_folder(secure: LocalServer, trusted: Authority, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=str(trusted.bundle))
    (certificate,) = context.get_ca_certs(binary_form=True)
    hashed = tmp_path / f"{_subject_hash()}.0"
    hashed.write_text(ssl.DER_cert_to_PEM_cert(certificate))

    with closing(wire_to(secure.url, verify=str(tmp_path))) as wire:
        assert wire.call("Scan", {}) == PAGE


def _subject_hash() -> str:
    """OpenSSL's X509_NAME_hash: SHA-1 over the canonical subject, its first four bytes little-endian."""
    name = b"an authority of the tests"
    value = b"\x0c" + bytes([len(name)]) + name
    attribute = b"\x06\x03\x55\x04\x03" + value
    pair = b"\x30" + bytes([len(attribute)]) + attribute
    canonical = b"\x31" + bytes([len(pair)]) + pair
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def test_verification_can_be_switched_off(secure: LocalServer) -> None:
    with closing(wire_to(secure.url, verify=False)) as wire:
        assert wire.call("Scan", {}) == PAGE


def test_an_unknown_authority_is_refused_for_good_and_the_hint_names_the_setting(secure: LocalServer) -> None:
    with closing(wire_to(secure.url)) as wire, pytest.raises(AccessError, match=r"certificate is not trusted.*verify"):
        wire.call("Scan", {})

    assert secure.received == []


def test_a_certificate_for_another_host_is_refused_for_good(trusted: Authority) -> None:
    with (
        served(replies(PAGE), tls=trusted.server(DNSName("dynamodb.example"))) as server,
        closing(wire_to(server.url, verify=str(trusted.bundle))) as wire,
        pytest.raises(AccessError, match=r"certificate is not trusted.*host name"),
    ):
        wire.call("Scan", {})


def test_the_stock_clients_refusal_of_a_certificate_is_the_same_error(secure: LocalServer) -> None:
    client = dynamodb(secure.url, config=Config(retries={"total_max_attempts": 1}))

    with pytest.raises(AccessError, match=r"ListTables.*certificate is not trusted"):
        control(client, "ListTables")


def test_a_client_certificate_is_shown_to_an_endpoint_that_asks(trusted: Authority) -> None:
    demanding = trusted.server()
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(trusted.bundle)
    own = str(trusted.issue(DNSName("copy.example")))

    with (
        served(replies(PAGE), tls=demanding) as server,
        closing(wire_to(server.url, verify=str(trusted.bundle), config=Config(client_cert=own))) as wire,
    ):
        assert wire.call("Scan", {}) == PAGE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_connections_that_were_opened_ahead_are_used_though_session_tickets_wait_in_them(
    trusted: Authority, version: ssl.TLSVersion
) -> None:
    context = trusted.server()
    context.minimum_version = context.maximum_version = version
    with (
        served(replies(PAGE), tls=context) as server,
        closing(wire_to(server.url, verify=str(trusted.bundle))) as wire,
    ):
        wire.pool.grow(3)

        replied = [pending.reply() for pending in [wire.post("Scan", b"{}") for _ in range(3)]]

        assert replied == [PAGE] * 3
        assert server.connections == 3


def test_tls_connections_that_the_server_closed_cost_no_failed_request(trusted: Authority) -> None:
    with (
        served(replies(PAGE), tls=trusted.server()) as server,
        closing(wire_to(server.url, verify=str(trusted.bundle))) as wire,
    ):
        wire.call("Scan", {})
        server.hang_up()

        assert wire.call("Scan", {}) == PAGE


def proxied(proxy: LocalServer, *, user: str = "") -> Config:
    url = proxy.url.replace("//", f"//{user}")
    return Config(proxies={"http": url, "https": url})


def test_an_http_endpoint_is_asked_for_by_its_whole_url_at_the_proxy() -> None:
    with (
        served(replies(PAGE)) as proxy,
        closing(wire_to("http://dynamodb.invalid:8000/path", config=proxied(proxy, user="me:p%40ss@"))) as wire,
    ):
        assert [wire.call("Scan", {}) for _ in range(2)] == [PAGE] * 2

        request = proxy.received[0]
        assert request.line == "POST http://dynamodb.invalid:8000/path HTTP/1.1"
        assert request.headers["host"] == "dynamodb.invalid:8000"
        assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert "proxy-authorization" not in request.headers["authorization"]
        assert proxy.connections == 1


def test_an_https_endpoint_is_tunnelled_through_the_proxy_which_alone_sees_the_proxys_password(
    trusted: Authority,
) -> None:
    with (
        served(replies(PAGE), tls=trusted.server()) as server,
        served(tunnels) as proxy,
        closing(
            wire_to(server.url, verify=str(trusted.bundle), config=proxied(proxy, user="me:secret@")),
        ) as wire,
    ):
        assert [wire.call("Scan", {}) for _ in range(2)] == [PAGE] * 2

        (tunnel,) = proxy.received
        assert tunnel.line.startswith(f"CONNECT 127.0.0.1:{server.port} ")
        assert tunnel.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
        assert server.received[0].line == "POST / HTTP/1.1"
        assert "proxy-authorization" not in server.received[0].headers


def test_a_tunnelled_endpoint_has_to_prove_who_it_is(trusted: Authority) -> None:
    with (
        served(replies(PAGE), tls=trusted.server(DNSName("dynamodb.example"))) as server,
        served(tunnels) as proxy,
        closing(wire_to(server.url, verify=str(trusted.bundle), config=proxied(proxy))) as wire,
        pytest.raises(AccessError, match="not trusted"),
    ):
        wire.call("Scan", {})


def asks_for_a_password(connection: socket.socket, _: Received) -> bool:
    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    return False


@pytest.mark.parametrize("answer", [asks_for_a_password, hangs_up])
def test_a_proxy_that_opens_no_tunnel_is_an_error_and_no_connection_stays(answer: Any) -> None:
    with (
        served(answer) as proxy,
        closing(wire_to("https://dynamodb.invalid", SHORT, config=proxied(proxy))) as wire,
    ):
        wire.pool.grow(3)

        with pytest.raises(ServiceUnavailableError, match=r"https://dynamodb\.invalid/ does not answer"):
            wire.call("Scan", {})

        assert proxy.all_ended(within_seconds=5)


def test_a_proxy_that_wants_a_password_for_plain_http_is_an_error_for_good() -> None:
    with (
        served(asks_for_a_password) as proxy,
        closing(wire_to("http://dynamodb.invalid", config=proxied(proxy))) as wire,
        pytest.raises(AccessError, match=r"HTTP 407.*its proxy"),
    ):
        wire.call("Scan", {})


def test_a_proxy_that_is_itself_reached_by_tls_is_refused_without_showing_its_password() -> None:
    config = Config(proxies={"https": "https://me:secret@proxy.invalid:3128"})

    with pytest.raises(AccessError, match=r"https://proxy\.invalid:3128.*http://") as caught:
        wire_to("https://dynamodb.invalid", config=config)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("bypassed", "through_the_proxy"), [("", 1), ("127.0.0.1", 0), ("localhost,127.0.0.1", 0)])
def test_the_environments_proxy_and_its_exceptions_count(
    monkeypatch: pytest.MonkeyPatch, bypassed: str, through_the_proxy: int
) -> None:
    with served(replies(PAGE)) as server, served(replies(PAGE)) as proxy:
        for name, value in (("HTTP_PROXY", proxy.url), ("NO_PROXY", bypassed)):
            monkeypatch.setenv(name, value)
            monkeypatch.setenv(name.lower(), value)

        with closing(wire_to(server.url)) as wire:
            wire.call("Scan", {})

        assert (len(proxy.received), len(server.received)) == (through_the_proxy, 1 - through_the_proxy)


def test_a_host_that_swallows_connections_fails_within_the_time_for_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # they fill the queue: the kernel drops what comes then
            one.setblocking(False)  # noqa: FBT003 - the socket's own signature
            one.connect_ex(full.getsockname())
        pool = ConnectionPool(Route(f"http://127.0.0.1:{full.getsockname()[1]}/"), Timeouts(0.2, 60.0))

        with pytest.raises(TimeoutError):
            pool.take()

        for one in waiting:
            one.close()
