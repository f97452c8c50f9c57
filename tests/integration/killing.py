"""Processes that die at one of their requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from dynamodb_copy.aws.raw_json import Pending, Wire
from integration.pair import SOURCE_REGION, TARGET_REGION, impatient_client


class KilledError(BaseException):
    """The process is no more."""


class Process:
    """Counts the requests of a process, and kills it before or after one of them; nothing leaves it after that."""

    def __init__(self, dies_at: int, *, after_sending: bool) -> None:
        self._dies_at = dies_at
        self._after_sending = after_sending
        self._requests = count(1)
        self.is_doomed = False  # by the request under way
        self._is_dead = False

    def before(self, **_: Any) -> None:
        """A request is about to be sent."""
        if self._is_dead:
            raise KilledError
        self.is_doomed = next(self._requests) >= self._dies_at
        if self.is_doomed and not self._after_sending:
            self._die()

    def after(self, **_: Any) -> None:
        """A request was answered, which the process may not live to see."""
        if self.is_doomed:
            self._die()

    def _die(self) -> None:
        self._is_dead = True
        raise KilledError


@contextmanager
def living(process: Process, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All requests of the block, of both services and both planes, are this process's."""
    send = Wire.post

    def post(wire: Wire, operation: str, body: bytes, **options: Any) -> Pending:
        process.before()
        pending = send(wire, operation, body, **options)
        if process.is_doomed:
            pending.see_out(5.0)
        process.after()
        return pending

    clients = [
        impatient_client(endpoint, region, service)
        for region in (SOURCE_REGION, TARGET_REGION)
        for service in ("dynamodb", "s3")
    ]
    hooks = (("before-call", process.before), ("after-call", process.after))
    with monkeypatch.context() as patched:
        patched.setattr(Wire, "post", post)
        for client in clients:
            for event, hook in hooks:
                client.meta.events.register(event, hook)
        try:
            yield
        finally:
            for client in clients:
                for event, hook in hooks:
                    client.meta.events.unregister(event, hook)
