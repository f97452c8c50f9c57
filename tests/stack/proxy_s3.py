"""Faults of S3 for the fault proxy: which requests they strike, and answers in its own words."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from itertools import count

from stack.proxy_faults import Fault, Forward, When, refused
from stack.proxy_wire import Reply, Request, answer


def lines(pattern: str, *numbers: int) -> When:
    """Strike requests that begin like that (`PUT .*partNumber=2`): all, or only these, counted from 1."""
    seen = count(1)
    line = re.compile(pattern.encode())

    def strikes(_number: int, request: Request) -> bool:
        return line.match(request.head) is not None and (not numbers or next(seen) in numbers)

    return strikes


def s3_answers(body: str, *, status: HTTPStatus = HTTPStatus.OK) -> Fault:
    """Answer with that XML; nothing reaches the bucket."""
    return refused(lambda: answer(body.encode(), status=status, content_type="application/xml"))


def s3_refuses(code: str, status: HTTPStatus, message: str = "no") -> Fault:
    """Answer with an error in the service's XML shape."""
    return s3_answers(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>", status=status)


def s3_refuses_head(status: HTTPStatus) -> Fault:
    """Answer with a status alone, as S3 does to HEAD."""
    return refused(lambda: answer(b"", status=status, content_type="application/xml"))


def of_region(region: str, fault: Fault) -> Fault:
    """Say in each answer where the bucket lies, as S3 does and its stock client needs."""

    async def located(request: Request, forward: Forward) -> Reply:
        reply = await fault(request, forward)
        return replace(reply, head=reply.head.replace(b"\r\n", f"\r\nx-amz-bucket-region: {region}\r\n".encode(), 1))

    return located


def replaced_in_request(old: bytes, new: bytes) -> Fault:
    """Change what reaches the bucket: in the head, or bytes of the body by as many others."""

    async def fault(request: Request, forward: Forward) -> Reply:
        head, body = request.head.replace(old, new, 1), request.body.replace(old, new, 1)
        return await forward(replace(request, head=head, body=body))

    return fault


def replaced_in_reply(old: bytes, new: bytes) -> Fault:
    """Change as many bytes of what reaches the client."""

    async def fault(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        return replace(reply, head=reply.head.replace(old, new, 1), body=reply.body.replace(old, new, 1))

    return fault
