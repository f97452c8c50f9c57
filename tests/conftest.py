"""Emulators for all tests, and an environment from which real AWS cannot be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from stack.emulators import ACCOUNT, ministack, moto_server

_CLOSED_PORT = "http://127.0.0.1:9"
_LOOPBACK = "127.0.0.1,localhost,::1,0.0.0.0"


def _isolate() -> None:
    """Keep what a person's shell says about AWS from tests and their children; runs before any test is imported."""
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID=ACCOUNT,
        AWS_SECRET_ACCESS_KEY="emulator",  # noqa: S106  emulators accept any
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )
    # every other host lies behind a proxy that refuses, also for child processes
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = os.environ[name.lower()] = _CLOSED_PORT
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = _LOOPBACK


_isolate()


@pytest.fixture(scope="session")
def ministack_endpoint() -> Iterator[str]:
    """All regions in one emulator, for the whole session: tests take fresh table names."""
    with ministack() as emulator:
        yield emulator.endpoint


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """The second emulator, for the whole session: tests take fresh table names."""
    with moto_server() as emulator:
        yield emulator.endpoint


@pytest.fixture
def table_name() -> str:
    """A table name that no other test has."""
    return f"table-{uuid4().hex[:12]}"
