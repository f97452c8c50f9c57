"""The wire against servers that answer in every way there is, well and badly."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from dynamodb_copy.aws.connection_pool import Timeouts
from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.aws.raw_json import Wire
from dynamodb_copy.errors import (
    AccessError,
    LeaseLostError,
    PermanentError,
    RequestRefusedError,
    ServiceUnavailableError,
)
from fakes import LostAfter
from unit.aws.local_server import (
    LocalServer,
    Reaction,
    answers_early,
    hangs_up,
    never_answers,
    refuses,
    replies,
    reply_head,
    sends,
    served,
)
from unit.aws.wires import PATIENT, SHORT, wire_to

PAGE = {"Items": [{"id": {"S": "é"}}], "Count": 1}
BODY = b'{"Count":1}'


class Pair:
    """A wire and the server at its other end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, *reactions: Reaction, timeouts: Timeouts = PATIENT) -> tuple[Wire, LocalServer]:
        """Start a server with these reactions and a wire to it."""
        server = self._stack.enter_context(served(*reactions))
        wire = self._stack.enter_context(closing(wire_to(server.url, timeouts)))
        return wire, server


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(stack)


def test_a_request_is_dynamodbs_json_over_http(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))

    reply = wire.call("Scan", {"TableName": "orders"})

    assert reply == PAGE
    (request,) = server.received
    assert request.line == "POST / HTTP/1.1"
    assert request.json == {"TableName": "orders"}
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.Scan"
    assert request.headers["content-type"] == "application/x-amz-json-1.0"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


def test_an_endpoints_path_is_kept(pair: Pair) -> None:
    _, server = pair(replies(PAGE))

    with closing(wire_to(f"{server.url}/gateway/dynamodb")) as wire:
        wire.call("Scan", {})

    assert server.received[0].line == "POST /gateway/dynamodb HTTP/1.1"


def test_one_connection_serves_request_after_request(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))

    for _ in range(3):
        wire.call("Scan", {})

    assert [request.connection for request in server.received] == [0, 0, 0]


def test_an_error_answer_keeps_its_connection(pair: Pair) -> None:
    wire, server = pair(refuses("ValidationException"), replies(PAGE))

    with pytest.raises(RequestRefusedError):
        wire.call("Scan", {})
    wire.call("Scan", {})

    assert server.connections == 1


def test_connections_that_the_server_closed_while_they_were_idle_cost_no_failed_request(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    for pending in [wire.post("Scan", b"{}") for _ in range(3)]:
        pending.reply()

    server.hang_up()
    replied = [pending.reply() for pending in [wire.post("Scan", b"{}") for _ in range(3)]]

    assert replied == [PAGE] * 3
    assert server.connections == 6


@pytest.mark.parametrize(
    "closing_reply",
    [
        replies(PAGE, Connection="close"),
        sends(b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\n" + BODY, keeps_alive=False),
        sends(b"HTTP/1.1 200 OK\r\n\r\n" + BODY, keeps_alive=False),
    ],
    ids=["connection: close", "HTTP/1.0", "a body without a length"],
)
def test_a_reply_that_ends_its_connection_is_whole_and_the_next_request_opens_another(
    pair: Pair, closing_reply: Reaction
) -> None:
    wire, server = pair(closing_reply, replies(PAGE))

    assert wire.call("Scan", {})["Count"] == 1
    assert wire.call("Scan", {})["Count"] == 1

    assert [request.connection for request in server.received] == [0, 1]


def test_a_chunked_reply_is_put_together_and_its_connection_kept(pair: Pair) -> None:
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-amz-crc32: {zlib.crc32(BODY)}\r\n\r\n".encode()
    wire, server = pair(sends(head, b"4;x=y\r\n" + BODY[:4] + b"\r\n7\r\n", BODY[4:] + b"\r\n0\r\n\r\n"))

    assert [wire.call("Scan", {}) for _ in range(2)] == [{"Count": 1}] * 2

    assert server.connections == 1


def test_a_reply_may_follow_an_interim_one(pair: Pair) -> None:
    wire, _ = pair(sends(b"HTTP/1.1 100 Continue\r\n\r\n" + reply_head(BODY) + BODY))

    assert wire.call("Scan", {}) == {"Count": 1}


def test_bodies_of_ten_megabytes_pass_both_ways(pair: Pair) -> None:
    text = "ä" * 5_000_000
    wire, server = pair(replies({"text": text}))

    reply = wire.call("BatchWriteItem", {"text": text})

    assert reply == {"text": text}
    assert server.received[0].json == {"text": text}


def test_many_large_requests_on_their_way_do_not_wait_for_one_another(pair: Pair) -> None:
    wire, server = pair(replies({"UnprocessedItems": {}}))
    body = b'{"padding":"%b"}' % (b"x" * 4_000_000)

    pendings = [wire.post("BatchWriteItem", body) for _ in range(16)]

    assert [pending.reply() for pending in pendings] == [{"UnprocessedItems": {}}] * 16
    assert server.connections == 16


def test_a_server_that_answers_before_it_has_read_the_request_does_not_stop_the_wire() -> None:
    with served(answers_early) as server, closing(wire_to(server.url, SHORT)) as wire:
        server.reads_bodies = False

        pendings = [wire.post("BatchWriteItem", b"x" * 30_000_000) for _ in range(3)]

        for pending in pendings:
            with pytest.raises(ServiceUnavailableError):
                pending.reply()


@pytest.mark.parametrize(
    ("reaction", "said"),
    [
        (hangs_up, "does not answer"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-", keeps_alive=False), "does not answer"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + BODY, keeps_alive=False), "IncompleteRead"),
        (
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + BODY, keeps_alive=False),
            "IncompleteRead",
        ),
        (
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", keeps_alive=False),
            "IncompleteRead",
        ),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n", keeps_alive=False), "BadStatusLine"),
        (sends(reply_head(BODY, Content_Length="1" * 70_000) + BODY, keeps_alive=False), "LineTooLong"),
        (replies(BODY, x_amz_crc32="1"), "checksum"),
        (replies(BODY, x_amz_crc32="none"), "checksum"),
        (replies(b"<html>Welcome to the hotel</html>"), "no JSON object"),
        (replies(b""), "no JSON object"),
        (replies(b"[]"), "no JSON object"),
    ],
    ids=[
        "cut before the reply",
        "cut in the head",
        "cut in the body",
        "cut in a chunk",
        "a chunk without a size",
        "not HTTP",
        "an endless header",
        "a wrong checksum",
        "no checksum in the checksum",
        "HTML",
        "nothing",
        "a list",
    ],
)
def test_a_reply_that_cannot_be_trusted_is_a_transient_error_and_the_next_request_succeeds(
    pair: Pair, reaction: Reaction, said: str
) -> None:
    wire, _ = pair(reaction, replies(PAGE))

    with pytest.raises(ServiceUnavailableError, match=said) as caught:
        wire.call("Scan", {})

    assert not caught.value.throttled
    assert "hotel" not in str(caught.value)
    assert wire.call("Scan", {}) == PAGE


def test_half_a_reply_leaves_no_connection_open(pair: Pair) -> None:
    wire, server = pair(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), timeouts=SHORT)

    with pytest.raises(ServiceUnavailableError):
        wire.call("Scan", {})

    assert server.all_ended(within_seconds=5)


def test_a_swallowed_request_fails_when_its_time_is_over(pair: Pair) -> None:
    wire, server = pair(never_answers, timeouts=SHORT)

    with pytest.raises(ServiceUnavailableError, match=r"no reply within 0\.3 s"):
        wire.call("Scan", {})

    assert server.all_ended(within_seconds=5)


def test_swallowed_requests_wait_side_by_side_not_one_after_the_other(pair: Pair) -> None:
    wire, _ = pair(never_answers, timeouts=SHORT)
    pendings = [wire.post("Scan", b"{}") for _ in range(20)]

    began = wire.clock.now()
    for pending in pendings:
        with pytest.raises(ServiceUnavailableError):
            pending.reply()

    assert wire.clock.now() - began < 10 * SHORT.read_seconds


def test_a_reply_that_came_in_time_counts_however_late_it_is_asked_for(pair: Pair) -> None:
    wire, _ = pair(replies(PAGE), timeouts=SHORT)
    pending = wire.post("Scan", b"{}")

    wire.clock.sleep(1.5 * SHORT.read_seconds)

    assert pending.reply() == PAGE


def test_a_closed_port_is_a_transient_error_that_names_the_endpoint(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    server.close()

    with pytest.raises(ServiceUnavailableError, match=f"{server.url}/ does not answer: ConnectionRefusedError"):
        wire.call("Scan", {})


@pytest.mark.parametrize(
    ("reaction", "expected", "said"),
    [
        (refuses("ResourceNotFoundException", "Requested resource not found"), ResourceMissingError, "not found"),
        (refuses("ValidationException", "too long"), RequestRefusedError, "Scan: ValidationException: too long"),
        (replies({"__type": "x#AccessDenied", "Message": "m"}, status="400 Bad"), AccessError, "dynamodb:Scan"),
        (replies(b"<html/>", status="403 Forbidden"), AccessError, "not DynamoDB's answer"),
        (replies(b"[1]", status="404 Not Found"), AccessError, "HTTP 404: Not Found"),
    ],
)
def test_an_error_answer_is_the_error_that_it_means(
    pair: Pair, reaction: Reaction, expected: type[PermanentError], said: str
) -> None:
    wire, _ = pair(reaction)

    with pytest.raises(expected, match=said):
        wire.call("Scan", {})


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "504 Gateway Timeout"])
@pytest.mark.parametrize("body", [b"<html><b>sorry</b></html>", b""])
def test_a_server_error_is_transient_whatever_its_body(pair: Pair, status: str, body: bytes) -> None:
    wire, _ = pair(replies(body, status=status))

    with pytest.raises(ServiceUnavailableError, match=f"Scan: HTTP {status.replace(' ', ': ', 1)}"):
        wire.call("Scan", {})


def test_too_many_requests_is_throttling(pair: Pair) -> None:
    wire, _ = pair(replies(b"", status="429 Too Many Requests"))

    with pytest.raises(ServiceUnavailableError) as caught:
        wire.call("Scan", {})

    assert caught.value.throttled


def test_a_fence_that_falls_keeps_the_request_from_the_network_and_the_connection_for_others(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    fence = LostAfter(1)
    wire.post("Scan", b"{}", fence=fence.check).reply()

    with pytest.raises(LeaseLostError):
        wire.post("Scan", b"{}", fence=fence.check)
    wire.call("Scan", {})

    assert len(server.received) == 2
    assert server.connections == 1


def test_the_fence_is_checked_when_the_connection_stands(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    connections: list[int] = []

    wire.post("Scan", b"{}", fence=lambda: connections.append(server.connections_within(1.0))).reply()

    assert connections == [1]


def test_seeing_a_request_out_waits_for_its_end_and_takes_its_connection_away(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    pending = wire.post("Scan", b"{}")

    pending.see_out(seconds=5)

    assert len(server.received) == 1
    assert server.all_ended(within_seconds=5)


def test_seeing_out_what_never_ends_takes_no_longer_than_allowed(pair: Pair) -> None:
    wire, server = pair(never_answers)
    pending = wire.post("Scan", b"{}")

    began = wire.clock.now()
    pending.see_out(seconds=0.1)

    assert wire.clock.now() - began < PATIENT.read_seconds / 2
    assert server.all_ended(within_seconds=5)


def test_a_request_that_was_answered_needs_no_seeing_out(pair: Pair) -> None:
    wire, server = pair(refuses("ValidationException"))
    pending = wire.post("Scan", b"{}")
    with pytest.raises(RequestRefusedError):
        pending.reply()

    began = wire.clock.now()
    pending.see_out(seconds=5)
    pending.abandon()
    wire.post("Scan", b"{}").see_out(seconds=5)

    assert wire.clock.now() - began < 2
    assert server.connections == 1


def test_growing_opens_connections_side_by_side_and_they_are_used(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))

    wire.pool.grow(5)
    opened = server.connections_within(1.0, of=5)
    for pending in [wire.post("Scan", b"{}") for _ in range(5)]:
        pending.reply()

    assert (opened, server.connections) == (5, 5)


def test_growing_towards_a_closed_port_fails_when_the_request_is_sent(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    server.close()

    wire.pool.grow(3)

    with pytest.raises(ServiceUnavailableError):
        wire.call("Scan", {})


def test_a_sibling_has_connections_of_its_own(pair: Pair) -> None:
    wire, server = pair(replies(PAGE))
    wire.call("Scan", {})

    with closing(wire.sibling()) as sibling:
        reply: dict[str, Any] = sibling.call("Scan", {})

    assert reply == PAGE
    assert [request.connection for request in server.received] == [0, 1]
