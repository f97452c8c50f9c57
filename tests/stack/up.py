"""`make up`: the demo's stack with Airflow's UI on port 8080, until Ctrl-C."""

from __future__ import annotations

import socket
import sys
import time

from rich.console import Console

from stack.airflow_stack import StackError, exit_on_signals
from stack.emulators import HOST, EmulatorError
from stack.local_stack import LocalStack, local_stack

_PORT = 8080


def main() -> int:
    """Run the stack until it is interrupted; return 1 if it cannot start or a component ends."""
    exit_on_signals()
    console = Console(highlight=False)
    try:
        _require_free_port()
        with local_stack(console, port=_PORT, on_schedule=True) as stack:
            console.print(_welcome(stack), soft_wrap=True)
            while True:
                stack.airflow.require_alive()
                time.sleep(1)
    except (EmulatorError, StackError) as error:
        console.print(
            "\n".join([str(error), *getattr(error, "__notes__", [])]), markup=False, soft_wrap=True, style="red"
        )
        return 1
    except KeyboardInterrupt:
        console.print("Stopped: nothing is left running.")
        return 0


def _require_free_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, _PORT))
        except OSError as error:
            raise StackError(
                f"Port {_PORT} is taken ({error.strerror}): end the program that listens there, and try again"
            ) from error


def _welcome(stack: LocalStack) -> str:
    jobs = "\n".join(f"    {job.name:<20} include/jobs/{job.name}.yaml" for job in stack.jobs)
    return f"""
[bold green]Airflow is up: http://localhost:{_PORT}[/bold green]   no login, reachable from this machine only

  Open Dags, choose a job, and press Trigger; Graph shows the segments, and the log of [bold]seal[/bold], or of a
  drill's [bold]report[/bold], what was measured and proven. Start orders_backup and orders_chain
  before what restores from them:
{jobs}
  A new or changed job file shows within a minute.

  The tables, in both regions: aws dynamodb scan --endpoint-url {stack.endpoint} --region us-west-2 --table-name orders
  Ctrl-C stops everything.
"""


if __name__ == "__main__":
    sys.exit(main())
