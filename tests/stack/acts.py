"""An act of the demo: runs of some jobs at once, watched to their end, and held against what they have to prove."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from dynamodb_copy.job import BackupJob, DrillJob, IncrementalBackupJob, IncrementalJob, Job
from stack.local_stack import LocalStack

_POLL_SECONDS = 0.5
_RUN_SECONDS = 300
_LOG_TAIL_MESSAGES = 30
_STYLES = {"success": "green", "failed": "red", "upstream_failed": "red", "up_for_retry": "yellow"}
_UNREMARKABLE = (None, "scheduled", "queued")


class DemoFailedError(Exception):
    """A run failed, or did not prove what it shall."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where all acts are played."""

    console: Console
    stack: LocalStack
    started: float  # by `time.monotonic`


class Act:
    """Some jobs' runs, side by side, and what was told of them."""

    def __init__(self, stage: Stage, jobs: Iterable[Job], parameters: Mapping[str, Mapping[str, Any]]) -> None:
        self._console = stage.console
        self._api = stage.stack.airflow.api
        self._started = stage.started
        self._jobs = list(jobs)
        self._runs = {job.name: self._api.trigger(job.name, parameters.get(job.name)) for job in self._jobs}
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

    def report(self) -> None:
        """Print every run's report, or why there is none; raise DemoFailedError unless all prove what they shall."""
        wrong = []
        for job in self._jobs:
            proof = self._proof(job)
            self._console.rule(job.name, align="left")
            text = self._report_text(job) if proof else self._failure_text(job.name)
            self._console.print(text, markup=False, soft_wrap=True)
            if proof != proof_of(job):
                wrong.append(f"{job.name}: {proof or 'no report'}")
        self._console.rule()
        if wrong:
            raise DemoFailedError("; ".join(wrong))

    def figures(self, name: str) -> dict[str, Any]:
        """What a run that succeeded has measured."""
        return self._api.asset_figures(name, self._runs[name])

    def _tell(self, name: str) -> None:
        for task_id, summary in summaries(self._tasks(name)):
            if self._told.get((name, task_id)) != summary:
                self._told[name, task_id] = summary
                elapsed = time.monotonic() - self._started
                self._console.print(f"[dim]{elapsed:5.1f} s[/dim]  {name:<20} {task_id:<14} {summary}", soft_wrap=True)

    def _proof(self, job: Job) -> str:
        """What the run's figures prove; empty unless the run succeeded."""
        if self._api.run_state(job.name, self._runs[job.name]) != "success":
            return ""
        figures = self.figures(job.name)
        if isinstance(job, DrillJob):
            return "recovered" if figures.get("recovered") else "not recovered"
        verdict = figures.get("verdict", {})
        return f"{verdict.get('outcome')} by {verdict.get('mode')}"

    def _report_text(self, job: Job) -> str:
        reporter = "report" if isinstance(job, DrillJob) else "seal"
        (task,) = [task for task in self._tasks(job.name) if task["task_id"] == reporter]
        reports = [said for said in self._api.task_log(task) if said.startswith(f"{job.name}: ")]
        return "\n".join(reports) or f"The {reporter} task logged no report."

    def _failure_text(self, name: str) -> str:
        failed = [task for task in self._tasks(name) if task["state"] == "failed"]
        if not failed:
            return f"The run is {self._api.run_state(name, self._runs[name])}; no task of it failed."
        tail = self._api.task_log(failed[0])[-_LOG_TAIL_MESSAGES:]
        return "\n".join([f"{failed[0]['task_id']} failed; the end of its log:", *tail])

    def _tasks(self, name: str) -> list[dict[str, Any]]:
        return self._api.task_instances(name, self._runs[name])


def perform(stage: Stage, jobs: Iterable[Job], parameters: Mapping[str, Mapping[str, Any]] | None = None) -> Act:
    """Start a run of each job, with parameters by the job's name, and watch them; raises DemoFailedError."""
    act = Act(stage, jobs, parameters or {})
    act.watch()
    act.report()
    return act


def proof_of(job: Job) -> str:
    """What a job of this kind has to prove."""
    if isinstance(job, DrillJob):
        return "recovered"
    if isinstance(job, IncrementalJob):
        return "equal by changed"
    return "sealed by checksums" if isinstance(job, BackupJob | IncrementalBackupJob) else "equal by content"


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
