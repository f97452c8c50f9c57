"""Everything that can go wrong between a client and DynamoDB, and the rules that say when.

A fault takes a request and the way onward, and returns the client's answer:
it may delay, refuse, alter, or never come back. Rules stand in order; the first is nearest to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from stack.proxy_wire import CutConnectionError, Reply, Request, answer

Forward = Callable[[Request], Awaitable[Reply]]


Fault = Callable[[Request, Forward], Awaitable[Reply]]
"""Returns the client's answer; raises CutConnectionError to hang up."""

When = Callable[[int, Request], bool]
"""Whether a fault strikes: gets how many requests the rule has seen (from 1) and the request."""


def always(_number: int, _request: Request) -> bool:
    """Strike each time."""
    return True


def nth(*numbers: int) -> When:
    """Strike these requests of the operation, counted from 1."""
    return lambda number, _request: number in numbers


def every(step: int) -> When:
    """Strike every `step`-th request of the operation."""
    return lambda number, _request: number % step == 0


def chance(probability: float) -> When:
    """Strike by chance; the proxy's seed makes it repeatable."""
    return lambda _number, request: request.random.random() < probability


def matching(predicate: Callable[[Request], bool]) -> When:
    """Strike the requests that the predicate picks."""
    return lambda _number, request: predicate(request)


@dataclass
class Rule:
    """A fault, the operation that it strikes (None: every one) and when."""

    fault: Fault
    operation: str | None = None
    when: When = always
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def strikes(self, request: Request) -> bool:
        """Count the request and say whether this one is struck."""
        if self.operation not in {None, request.operation}:
            return False
        self.seen += 1
        strikes = self.when(self.seen, request)
        self.struck += strikes
        return strikes


def error(code: str, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Reply:
    """An error in the service's JSON shape; `code` may carry its namespace before a `#`."""
    name = code if "#" in code else f"com.amazonaws.dynamodb.v20120810#{code}"
    return answer(orjson.dumps({"__type": name, "message": message}), status=status)


def throughput_exceeded() -> Reply:
    """What the service answers beyond a table's provisioned capacity."""
    return error(
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. "
        "Consider increasing your provisioning level with the UpdateTable API.",
    )


def refused(make_reply: Callable[[], Reply]) -> Fault:
    """Answer with an error; nothing reaches the table."""

    async def fault(_request: Request, _forward: Forward) -> Reply:
        return make_reply()

    return fault


def throttled() -> Fault:
    """ProvisionedThroughputExceededException."""
    return refused(throughput_exceeded)


def throttled_on_demand() -> Fault:
    """ThrottlingException, as on-demand tables and the control plane give."""
    return refused(lambda: error("com.amazon.coral.availability#ThrottlingException", "Rate of requests exceeds."))


def request_limit_exceeded() -> Fault:
    """RequestLimitExceeded: the account's quota."""
    return refused(lambda: error("RequestLimitExceeded", "Throughput exceeds the current throughput limit."))


def internal_error() -> Fault:
    """InternalServerError, status 500."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return refused(lambda: error("InternalServerError", "Internal server error", status=status))


def service_unavailable() -> Fault:
    """Status 503 with an HTML page, as load balancers give."""
    page = b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
    return refused(lambda: answer(page, status=HTTPStatus.SERVICE_UNAVAILABLE, content_type="text/html"))


def expired_token() -> Fault:
    """ExpiredTokenException: the session's credentials are too old."""
    code = "com.amazon.coral.service#ExpiredTokenException"
    return refused(lambda: error(code, "The security token included in the request is expired"))


def access_denied() -> Fault:
    """AccessDeniedException that names the request's action."""

    async def fault(request: Request, _forward: Forward) -> Reply:
        user = "arn:aws:sts::123456789012:assumed-role/copy/session"
        message = f"User: {user} is not authorized to perform: dynamodb:{request.operation}"
        return error("com.amazon.coral.service#AccessDeniedException", message)

    return fault


def delayed(seconds: float, *, jitter_seconds: float = 0.0) -> Fault:
    """Wait, plus up to the jitter, before forwarding; any number of requests wait at the same time."""

    async def fault(request: Request, forward: Forward) -> Reply:
        await asyncio.sleep(seconds + jitter_seconds * request.random.random())
        return await forward(request)

    return fault


def cut_before_forwarding() -> Fault:
    """Hang up; the table never hears of the request."""

    async def fault(_request: Request, _forward: Forward) -> Reply:
        raise CutConnectionError

    return fault


def cut_after_forwarding() -> Fault:
    """Hang up when it is done: the write happened and the client never hears."""

    async def fault(request: Request, forward: Forward) -> Reply:
        await forward(request)
        raise CutConnectionError

    return fault


def truncated_body() -> Fault:
    """Announce the whole body, send half of it, hang up."""

    async def fault(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        return Reply(reply.head, reply.body, sent_bytes=len(reply.body) // 2)

    return fault


def wrong_checksum() -> Fault:
    """Send an x-amz-crc32 that is not the body's."""

    async def fault(request: Request, forward: Forward) -> Reply:
        return (await forward(request)).with_wrong_checksum()

    return fault


def swallowed() -> Fault:
    """Accept the request and never answer; the table never hears of it."""

    async def fault(_request: Request, _forward: Forward) -> Reply:
        never: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        return await never

    return fault


def poisoned_by(marker: str) -> Fault:
    """Fail a BatchWriteItem or PutItem whole when one of its items has the attribute `marker`."""

    async def fault(request: Request, forward: Forward) -> Reply:
        if any(marker in item for item in _items(request)):
            text = "One or more parameter values were invalid: Type mismatch for Index Key"
            return error("com.amazon.coral.validate#ValidationException", text)
        return await forward(request)

    return fault


def _items(request: Request) -> list[dict[str, Any]]:
    batch = request.json.get("RequestItems", {"": [{"PutRequest": request.json}]})
    writes = [write for table in batch.values() for write in table]
    return [write["PutRequest"].get("Item", {}) for write in writes if "PutRequest" in write]
