"""DynamoDB (and S3, STS, SNS) on this machine: one process each, on 127.0.0.1 and a free port, gone with its owner."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any
from urllib.parse import urlsplit

import boto3

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
ACCOUNT = "123456789012"
"""As access key: ministack takes a 12-digit one as the account; moto always uses this account."""
_START_SECONDS = 60.0  # a cold cache on a loaded machine; a warm one takes 1 to 4
_STOP_SECONDS = 5.0
_one_at_a_time = Lock()


class EmulatorError(Exception):
    """An emulator is not installed, or did not start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    endpoint: str  # http://127.0.0.1:PORT
    pid: int


@dataclass(frozen=True, slots=True)
class Profile:
    """An AWS profile that leads to an emulator."""

    endpoint: str
    region: str
    account: str = ACCOUNT


@contextmanager
def ministack() -> Iterator[Emulator]:
    """All regions and accounts in one process; streams, S3, STS. Raises EmulatorError."""
    program = ROOT / ".venv" / "emulators" / "bin" / "ministack"
    port = free_port()
    environment = {
        "BIND_HOST": HOST,  # its default is all interfaces
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "DOCKER_HOST": "unix:///nonexistent",  # at its start it removes containers of earlier runs
    }
    with _running([_installed(program, "make setup")], port, environment=environment) as emulator:
        yield emulator


@contextmanager
def moto_server() -> Iterator[Emulator]:
    """A second opinion on semantics. Raises EmulatorError."""
    program = Path(sys.executable).with_name("moto_server")
    port = free_port()
    with _running([_installed(program, "make setup"), "-H", HOST, "-p", str(port)], port) as emulator:
        yield emulator


@contextmanager
def dynalite(folder: Path, region: str) -> Iterator[Emulator]:
    """One region, stored in `folder`, fast at any size: for benchmarks. Raises EmulatorError.

    It is looked for in `.local/dynalite`, or where DYNALITE_DIR says.
    """
    home = Path(os.environ.get("DYNALITE_DIR", ROOT / ".local" / "dynalite"))
    install = "npm install --prefix .local/dynalite dynalite@4.0.0"
    program = _installed(home / "node_modules" / "dynalite" / "cli.js", install)
    node = _installed(Path(shutil.which("node") or "node"), "install Node.js 20 or later")
    port = free_port()
    command = [node, program, "--host", HOST, "--port", str(port), "--path", str(folder)]
    at_once = ["--createTableMs", "20", "--deleteTableMs", "20"]
    environment = {"AWS_REGION": region, "AWS_ACCOUNT_ID": ACCOUNT}
    with _running([*command, *at_once], port, environment=environment) as emulator:
        yield emulator


@contextmanager
def latency_proxy(upstream: str, *, latency_ms: float) -> Iterator[Emulator]:
    """A process that answers for `upstream`, later. Raises EmulatorError."""
    port = free_port()
    command = [sys.executable, "-m", "stack.fault_proxy", "--upstream", upstream, "--port", str(port)]
    environment = {"PYTHONPATH": str(ROOT / "tests")}
    with _running([*command, "--latency-ms", str(latency_ms)], port, environment=environment) as proxy:
        yield proxy


def aws_config(file: Path, profiles: Mapping[str, Profile]) -> Path:
    """Write an AWS configuration file whose profiles lead to emulators; for AWS_CONFIG_FILE."""
    file.write_text("\n".join(_profile_section(name, profile) for name, profile in profiles.items()))
    return file


def boto_client(endpoint: str, service: str, region: str, *, account: str = ACCOUNT) -> Any:
    """A stock boto3 client of that service at the emulator."""
    with _one_at_a_time:
        return _session().client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="emulator",  # noqa: S106  emulators accept any
        )


@cache
def _session() -> Any:  # its type wants each service's name as a literal
    """One for all: to read the services' models takes longer than all else. Threads must not use it at once."""
    return boto3.session.Session()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listened on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _profile_section(name: str, profile: Profile) -> str:
    lines = {
        "region": profile.region,
        "endpoint_url": profile.endpoint,
        "aws_access_key_id": profile.account,
        "aws_secret_access_key": "emulator",
    }
    return f"[profile {name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


def _installed(program: Path, command: str) -> str:
    if not program.exists():
        raise EmulatorError(f"{program} is missing; run: {command}")
    return str(program)


@contextmanager
def _running(command: Sequence[str], port: int, *, environment: Mapping[str, str] | None = None) -> Iterator[Emulator]:
    endpoint = f"http://{HOST}:{port}"
    with TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            with _dies_with_this_process(process.pid):
                _wait_until_it_answers(endpoint, process, log)
                yield Emulator(endpoint, process.pid)
        finally:
            _stop(process)


@contextmanager
def _dies_with_this_process(group: int) -> Iterator[None]:
    """Kill the group when our end of a pipe closes, however we end; a death signal would miss its children."""
    script = 'read -r _ || kill -KILL "-$1"'
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", script, "watcher", str(group)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        watcher.communicate(b"\n")  # a line, not the end: nothing to kill


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(endpoint) and process.poll() is None:
            return
        time.sleep(0.05)
    log.seek(0)
    text = log.read().decode(errors="replace")[-2000:]
    raise EmulatorError(f"{process.args!r} did not answer at {endpoint} (exit status {process.poll()}):\n{text}")


def _answers(endpoint: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=5)
    try:
        connection.request("POST", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what the first process left behind, or itself
    process.wait()
