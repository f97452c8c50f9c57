"""Starts the command line: connections are the names of AWS profiles."""

from __future__ import annotations

import secrets
import sys
import threading
from datetime import UTC, datetime

from rich.console import Console

from dynamodb_copy.assembly import open_run
from dynamodb_copy.aws.clients import profile_client
from dynamodb_copy.cli import Surroundings, main


def _new_run_id() -> str:
    return f"cli/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _started(argv: list[str]) -> int:
    messages = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    outside = Surroundings(
        open_run=lambda job, run_id: open_run(job, run_id, profile_client),
        messages=messages,
        pause=threading.Event.wait,
        new_run_id=_new_run_id,
    )
    return main(argv, outside)


if __name__ == "__main__":
    sys.exit(_started(sys.argv[1:]))
