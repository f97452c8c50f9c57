"""The stack of `make demo` and `make up`: an emulator with two regions, the seeded tables, and Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console

from dynamodb_copy.job import Job, load_folder
from stack.airflow_stack import CONNECTIONS, JOBS_FOLDER, Airflow, airflow
from stack.emulators import ROOT, boto_client, ministack
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule, cut_before_forwarding, matching
from stack.seed import BUCKET_REGION, REGION, make_bucket, seed


@dataclass(frozen=True)
class LocalStack:
    """What is running."""

    airflow: Airflow
    endpoint: str  # of the emulator
    regions: FaultProxy  # what both regions are reached through, so that one can go dark
    jobs: Sequence[Job]  # each of them a DAG that can be triggered


@contextmanager
def local_stack(console: Console, *, port: int, on_schedule: bool) -> Iterator[LocalStack]:
    """Run it all, Airflow on `port`, until the block ends; the tables are seeded and the DAGs known when it begins."""
    jobs = load_folder(JOBS_FOLDER).jobs
    with _home() as home, ministack() as emulator, FaultProxy(emulator.endpoint) as regions:
        console.print("Starting Airflow (api-server, scheduler, dag-processor, triggerer) …")
        endpoints = dict.fromkeys(CONNECTIONS, regions.endpoint)
        with airflow(home, endpoints=endpoints, port=port, on_schedule=on_schedule) as running:
            for table, count in seed(boto_client(emulator.endpoint, "dynamodb", REGION)).items():
                console.print(f"Seeded [bold]{table}[/bold] in {REGION}: {count:,} items")
            make_bucket(boto_client(emulator.endpoint, "s3", BUCKET_REGION))
            running.wait_until_ready([job.name for job in jobs])
            yield LocalStack(running, emulator.endpoint, regions, jobs)


def dark(region: str) -> Rule:
    """Hang up on every request to a region, whichever connection it comes from: its signature names the region."""
    scope = f"/{region}/".encode()
    return Rule(cut_before_forwarding(), when=matching(lambda request: scope in request.head))


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
