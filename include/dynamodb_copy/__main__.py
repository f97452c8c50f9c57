"""Starts the command line: connections are the names of AWS profiles."""

from __future__ import annotations

import secrets
import shutil
import sys
import threading
from datetime import UTC, datetime

from rich.console import Console

from dynamodb_copy.assembly import check_chains, list_backups, open_run
from dynamodb_copy.aws.clients import profile_client
from dynamodb_copy.aws.profiles import profile_region
from dynamodb_copy.cli import Surroundings, main

_COLUMNS = 100  # of tables that go to a file or another program


def _new_run_id() -> str:
    return f"cli/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _started(argv: list[str]) -> int:
    messages = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    outside = Surroundings(
        open_run=lambda job, run_id: open_run(job, run_id, profile_client),
        messages=messages,
        pause=threading.Event.wait,
        new_run_id=_new_run_id,
        now=lambda: datetime.now(UTC),
        region_of=profile_region,
        list_backups=lambda place: list_backups(place, profile_client),
        check_chains=lambda place, deep: check_chains(place, profile_client, deep=deep),
        columns=shutil.get_terminal_size().columns if sys.stdout.isatty() else _COLUMNS,
    )
    return main(argv, outside)


if __name__ == "__main__":
    sys.exit(_started(sys.argv[1:]))
