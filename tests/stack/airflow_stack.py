"""Starts a whole Airflow on this machine, on loopback only, and stops it without leaving a process behind.

Four components on SQLite, each in a session of its own: tasks move to other process groups, but never out of a session.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.airflow_api import PAGE_LIMIT, AirflowApi
from stack.emulators import ACCOUNT, HOST, ROOT
from stack.sessions import sessions_that_end_with_us

CONNECTIONS = {"aws_virginia": "us-east-1", "aws_oregon": "us-west-2"}
"""The connections that the example jobs name, and their regions."""

JOBS_FOLDER = ROOT / "include" / "jobs"
"""The example jobs."""

_COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_HEALTHY = dict.fromkeys(("metadatabase", "scheduler", "dag_processor", "triggerer"), "healthy")
_NOT_INHERITED = ("AWS_", "AIRFLOW_", "_AIRFLOW_", "DYNAMODB_COPY_")
_START_SECONDS = 120
_POLL_SECONDS = 0.25
_LOG_TAIL_LINES = 25


class StackError(Exception):
    """The stack cannot start; the message carries what is known of why."""


@dataclass(frozen=True)
class Airflow:
    """A running Airflow: its API, and the processes behind it."""

    api: AirflowApi
    home: Path
    processes: Mapping[str, subprocess.Popen[bytes]]

    def wait_until_ready(self, dag_ids: Sequence[str]) -> None:
        """Return once every component is healthy and the DAGs can be triggered; raise StackError if not in time."""
        self._wait_for(lambda: self.api.health().items() >= _HEALTHY.items(), "Airflow to be healthy")
        for dag_id in dag_ids:
            self._wait_for(lambda: self._is_known(dag_id), f"DAG {dag_id}")  # noqa: B023 - called before the next turn

    def require_alive(self) -> None:
        """Raise StackError with the end of its log if a component has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} ended with status {process.returncode}:\n{_log_tail(self.home, name)}")

    def _is_known(self, dag_id: str) -> bool:
        if self.api.dag_is_known(dag_id):
            return True
        if errors := self.api.import_errors():
            raise StackError("Airflow cannot load every DAG file:\n" + "\n".join(errors))
        return False

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            self.require_alive()
            if time.monotonic() > deadline:
                raise StackError(f"Waited {_START_SECONDS} s for {what}; the logs are in {self.home}")
            time.sleep(_POLL_SECONDS)


@contextmanager
def airflow(
    home: Path, *, endpoints: Mapping[str, str], port: int, on_schedule: bool, jobs_folder: Path = JOBS_FOLDER
) -> Iterator[Airflow]:
    """Run Airflow in `home`, with connections to these endpoints by name, until the block ends.

    It is still starting when the block begins: do what else is to be done, then `wait_until_ready`. DAGs run
    when triggered, and `on_schedule` if asked for.
    """
    environment = _environment(home, endpoints=endpoints, port=port) | {
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(on_schedule),
        "DYNAMODB_COPY_JOBS_DIR": str(jobs_folder),
    }
    processes: dict[str, subprocess.Popen[bytes]] = {}
    _create_database(environment)
    with sessions_that_end_with_us() as ends_with_us:
        for name, arguments in _COMPONENTS.items():
            processes[name] = _start(home, name, arguments, environment=environment)
            ends_with_us(processes[name])
        yield Airflow(AirflowApi(f"http://{HOST}:{port}"), home, processes)


def exit_on_signals() -> None:
    """Leave by an exception when asked to end, so that everything started is stopped on the way out."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with it ignored
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))


def _environment(home: Path, *, endpoints: Mapping[str, str], port: int) -> dict[str, str]:
    url = f"http://{HOST}:{port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return inherited | _no_real_aws() | _connections(endpoints) | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": str(ROOT / "include"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": "6",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # no login: reachable from this machine only
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": str(PAGE_LIMIT),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
    }  # fmt: skip


def _no_real_aws() -> dict[str, str]:
    """Whatever a client forgets to say, it finds nothing, and no credentials of this machine's owner."""
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:9",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _connections(endpoints: Mapping[str, str]) -> dict[str, str]:
    return {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(
            {
                "conn_type": "aws",
                "login": ACCOUNT,
                "password": "testing",
                "extra": {"region_name": CONNECTIONS[name], "endpoint_url": endpoint},
            }
        )
        for name, endpoint in endpoints.items()
    }


def _create_database(environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-c", "from airflow.utils import db; db.initdb()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"Airflow's database cannot be created:\n{done.stderr[-2000:]}")


def _start(
    home: Path, name: str, arguments: Sequence[str], *, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with (home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _log_tail(home: Path, name: str) -> str:
    lines = (home / f"{name}.log").read_text(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_TAIL_LINES:])
