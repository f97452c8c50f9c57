"""`make demo`: every job of include/jobs, once, through Airflow, between two emulated regions.

Succeeds only if every run does and every target holds exactly what its source holds.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from stack.airflow_api import AirflowApi
from stack.airflow_stack import StackError, exit_on_signals
from stack.emulators import EmulatorError, free_port
from stack.local_stack import LocalStack, local_stack

_POLL_SECONDS = 0.5
_RUN_SECONDS = 300
_LOG_TAIL_MESSAGES = 30
_STYLES = {"success": "green", "failed": "red", "upstream_failed": "red", "up_for_retry": "yellow"}
_UNREMARKABLE = (None, "scheduled", "queued")


class DemoFailedError(Exception):
    """A run failed, or a target is not proven to equal its source."""


class Demo:
    """The runs of one demo and what was told of them."""

    def __init__(self, console: Console, stack: LocalStack, started: float) -> None:
        self._console = console
        self._api: AirflowApi = stack.airflow.api
        self._started = started
        self._runs = {name: self._api.trigger(name) for name in stack.job_names}
        self._told: dict[tuple[str, str], str] = {}

    def watch(self) -> None:
        """Return when every run has ended, or after five minutes; tell each change on the way."""
        deadline = time.monotonic() + _RUN_SECONDS
        going = set(self._runs)
        while going and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            for name in sorted(going):
                state = self._api.run_state(name, self._runs[name])
                self._tell(name)
                if state in {"success", "failed"}:
                    going.remove(name)

    def _tell(self, name: str) -> None:
        for task_id, summary in summaries(self._api.task_instances(name, self._runs[name])):
            if self._told.get((name, task_id)) != summary:
                self._told[name, task_id] = summary
                elapsed = time.monotonic() - self._started
                self._console.print(f"[dim]{elapsed:5.1f} s[/dim]  {name:<20} {task_id:<14} {summary}", soft_wrap=True)

    def report(self) -> None:
        """Print every run's report, or why there is none; raise DemoFailedError unless all are proven equal."""
        verdicts = {name: self._verdict(name) for name in self._runs}
        for name, verdict in verdicts.items():
            self._console.rule(name, align="left")
            self._console.print(
                self._report_text(name) if verdict else self._failure_text(name), markup=False, soft_wrap=True
            )
        self._console.rule()
        wrong = [f"{name}: {verdict or 'no verdict'}" for name, verdict in verdicts.items() if verdict != "equal"]
        if wrong:
            raise DemoFailedError("; ".join(wrong))

    def _verdict(self, name: str) -> str:
        """The outcome of a comparison by content; empty unless the run succeeded."""
        run_id = self._runs[name]
        if self._api.run_state(name, run_id) != "success":
            return ""
        verdict = self._api.asset_figures(name, run_id).get("verdict", {})
        return str(verdict["outcome"]) if verdict.get("mode") == "content" else "not compared by content"

    def _report_text(self, name: str) -> str:
        (seal,) = [task for task in self._tasks(name) if task["task_id"] == "seal"]
        reports = [said for said in self._api.task_log(seal) if said.startswith(f"{name}: ")]
        return "\n".join(reports) or "The seal task logged no report."

    def _failure_text(self, name: str) -> str:
        failed = [task for task in self._tasks(name) if task["state"] == "failed"]
        if not failed:
            return f"The run is {self._api.run_state(name, self._runs[name])}; no task of it failed."
        tail = self._api.task_log(failed[0])[-_LOG_TAIL_MESSAGES:]
        return "\n".join([f"{failed[0]['task_id']} failed; the end of its log:", *tail])

    def _tasks(self, name: str) -> list[dict[str, Any]]:
        return self._api.task_instances(name, self._runs[name])


def summaries(tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (task id, what it does now) of each task that has begun; a mapped task's segments count together."""
    instances: dict[str, list[str]] = {}
    for task in tasks:
        if task["state"] not in _UNREMARKABLE:
            instances.setdefault(task["task_id"], []).append(task["state"])
    mapped = Counter(task["task_id"] for task in tasks if task["map_index"] >= 0)
    for task_id, states in instances.items():
        yield task_id, _segments(states, mapped[task_id]) if task_id in mapped else _styled(states[0], states[0])


def _segments(states: Sequence[str], total: int) -> str:
    counts = Counter(states)
    parts = [f"{counts.pop('success', 0)} of {total} segments done", *(f"{n} {state}" for state, n in counts.items())]
    return _styled(", ".join(parts), min(states, key=lambda state: (state == "success", state)))


def _styled(text: str, state: str) -> str:
    style = _STYLES.get(state, "default")
    return f"[{style}]{text}[/{style}]"


def main() -> int:
    """Run the demo; return 0 if every target is proven equal, 1 otherwise."""
    exit_on_signals()
    console = Console(highlight=False)
    started = time.monotonic()
    try:
        with local_stack(console, port=free_port(), on_schedule=False) as stack:
            demo = Demo(console, stack, started)
            demo.watch()
            demo.report()
    except (DemoFailedError, EmulatorError, StackError) as error:
        console.print(f"[red]demo failed[/red] after {time.monotonic() - started:.0f} s")
        console.print("\n".join([str(error), *getattr(error, "__notes__", [])]), markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(f"Every target equals its source, by content. {time.monotonic() - started:.0f} s in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
