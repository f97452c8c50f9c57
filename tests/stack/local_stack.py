"""The stack of `make demo` and `make up`: an emulator with two regions, the seeded tables, and Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console

from stack.airflow_stack import Airflow, airflow
from stack.emulators import ROOT, boto_client, ministack
from stack.seed import REGION, seed


@dataclass(frozen=True)
class LocalStack:
    """What is running."""

    airflow: Airflow
    endpoint: str  # of the emulator
    job_names: Sequence[str]  # each of them a DAG that can be triggered


@contextmanager
def local_stack(console: Console, *, port: int, on_schedule: bool) -> Iterator[LocalStack]:
    """Run it all, Airflow on `port`, until the block ends; the tables are seeded and the DAGs known when it begins."""
    job_names = sorted(file.stem for file in (ROOT / "include" / "jobs").glob("*.yaml"))
    with _home() as home, ministack() as emulator:
        console.print("Starting Airflow (api-server, scheduler, dag-processor, triggerer) …")
        with airflow(home, endpoint=emulator.endpoint, port=port, on_schedule=on_schedule) as running:
            for table, count in seed(boto_client(emulator.endpoint, "dynamodb", REGION)).items():
                console.print(f"Seeded [bold]{table}[/bold] in {REGION}: {count:,} items")
            running.wait_until_ready(job_names)
            yield LocalStack(running, emulator.endpoint, job_names)


@contextmanager
def _home() -> Iterator[Path]:
    """A new AIRFLOW_HOME, removed at the end; it stays after an error, for its logs."""
    parent = ROOT / ".airflow"
    parent.mkdir(exist_ok=True)
    home = Path(mkdtemp(prefix="local-", dir=parent))
    try:
        yield home
    except Exception as error:
        error.add_note(f"The logs are in {home}")
        raise
    except BaseException:  # Ctrl-C: nobody asks for logs
        shutil.rmtree(home)
        raise
    shutil.rmtree(home)
