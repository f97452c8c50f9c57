"""Watching: what is known of a job on its target's side, and what of it is wrong; the source is asked nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dynamodb_copy import chain_report
from dynamodb_copy.aws.faults import ResourceMissingError
from dynamodb_copy.aws.tables import describe
from dynamodb_copy.chain_check import check_chain
from dynamodb_copy.errors import PermanentError
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.phases.backing_up import bucket_of, place_of
from dynamodb_copy.phases.context import AnyContext
from dynamodb_copy.phases.lateness import Problem, Rhythm, iso, must_hold, overdue
from dynamodb_copy.phases.listing import known_roots
from dynamodb_copy.phases.positioning import reached
from dynamodb_copy.phases.registering import target_of
from dynamodb_copy.state.plans import find_plan
from dynamodb_copy.state.positions import Position, position_of
from dynamodb_copy.state.registry import (
    Alarm,
    LastRun,
    Registered,
    all_registered,
    registry_key,
    remember_told,
    sight,
)

_WRITING_SECONDS = 86_400.0
"""For how long a backup that is not sealed is taken for one that is being written."""


@dataclass(frozen=True, slots=True)
class JobFiles:
    """What a deployment's folder has."""

    valid: frozenset[str]  # names
    broken: frozenset[str]  # names of jobs whose files have errors
    targets: frozenset[str]  # what the valid ones write


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look at a job found."""

    job_name: str
    alarm: Alarm  # which look it was
    told: str  # what people were last told of, as `findings`
    problems: tuple[Problem, ...] = ()
    up_to: float | None = None  # epoch seconds: the target holds every change up to then; None: not a target of changes
    lag_seconds: float | None = None
    described: str = ""  # for people

    @property
    def findings(self) -> str:
        """The problems without their figures; empty when all is well."""
        return "\n".join(sorted({problem.kind for problem in self.problems}))

    @property
    def is_news(self) -> bool:
        """Whether other problems were found than people were told of, or none any more."""
        return self.findings != self.told


def watch(context: AnyContext, now: float, rhythm: Rhythm | None) -> Watched:
    """Look at a job of any kind; `rhythm` is its schedule, None for a job that is started by hand.

    Raises ServiceUnavailableError and AccessError when the target's side is not served.
    """
    known = _sight(context, now)
    position = _position(context)
    up_to = None if position is None else _up_to(context, position)
    problems = [*overdue(context.job, rhythm, known, now), *_lagging(context, position, up_to, rhythm, now)]
    lag_seconds = None if up_to is None else now - up_to
    shown = _shown(context, known.last, up_to, now)
    return Watched(context.job.name, "alarm", known.alarm, tuple(problems), up_to, lag_seconds, shown)


def check_chains(context: AnyContext, now: float, rhythm: Rhythm | None) -> Watched:
    """Look at all that a backup job, incremental or not, has stored; parts are not read.

    Raises ServiceUnavailableError; a bucket that does not exist or may not be read is a problem.
    """
    known = _sight(context, now)
    due = must_hold(context.job, rhythm, now)
    try:
        report = check_chain(
            bucket_of(context),
            context.job.target.prefix,
            known_roots(context.rows),
            deep=False,
            due=None if due is None else datetime.fromtimestamp(due, UTC),
        )
    except PermanentError as error:
        problems = [Problem("not readable", f"{place_of(context)} cannot be checked: {error}")]
        return Watched(context.job.name, "chain_alarm", known.chain_alarm, tuple(problems))
    problems = [
        Problem(f"{each.kind} {each.id}".strip(), f"{each.id or report.uri}: {each.text}")
        for each in report.problems
        if _matters(each, known, now)
    ]
    return Watched(context.job.name, "chain_alarm", known.chain_alarm, tuple(problems), described=report.render())


def vanished(context: AnyContext, files: JobFiles) -> list[Watched]:
    """The jobs of this side that have run and run no more, because their file is gone or has errors.

    A job that was renamed has not vanished, nor has one whose file no watcher ever saw: it was never to stay.
    """
    return [
        Watched(each.job_name, "alarm", each.alarm, (_vanished(context, each.job_name, each.last, files),))
        for each in all_registered(context.rows)
        if each.last is not None and each.seen_at is not None
        if each.job_name not in files.valid and each.last.target not in files.targets
    ]


def told(context: AnyContext, watched: Watched) -> None:
    """Remember that people were told of what was found, so that they are told of changes alone."""
    remember_told(context.rows, watched.job_name, watched.alarm, watched.findings)


def _sight(context: AnyContext, now: float) -> Registered:
    try:
        return sight(context.rows, context.job.name, now)
    except ResourceMissingError:
        context.ensure_state()
        return sight(context.rows, context.job.name, now)


def _position(context: AnyContext) -> Position | None:
    if isinstance(context.job, IncrementalBackupJob):
        return position_of(context.rows, place_of(context))
    if not isinstance(context.job, IncrementalJob):
        return None
    table = describe(context.target_client, context.job.target.table)
    return None if table is None else position_of(context.rows, table.arn)


def _up_to(context: AnyContext, position: Position) -> float:
    """Up to when the target holds every change. A run that is under way has come further; a chain ends at its seal."""
    is_draining = position.under_way and position.by == "stream" and isinstance(context.job, IncrementalJob)
    plan = find_plan(context.rows, position.under_way) if is_draining else None
    if plan is None:
        return position.up_to
    checkpoints = reached(context, position.under_way, plan.segment_count)
    drained = [(checkpoint.cursor or {}).get("drained", position.up_to) for checkpoint in checkpoints]
    return max(position.up_to, min(drained, default=position.up_to))


def _lagging(
    context: AnyContext, position: Position | None, up_to: float | None, rhythm: Rhythm | None, now: float
) -> Iterator[Problem]:
    due = must_hold(context.job, rhythm, now)
    if position is None or up_to is None or due is None or up_to >= due:
        return
    target = target_of(context.job)
    if position.based is None:
        text = (
            f"{target} is no whole copy yet: its base began at {iso(position.began)}; {iso(due)} was to be held by now"
        )
        yield Problem("lag", f"{text}; see why the runs of its DAG fail or take so long")
        return
    behind = timedelta(seconds=round(now - up_to))
    text = f"{target} holds everything up to {iso(up_to)}, which is {behind} ago; {iso(due)} was to be held by now"
    yield Problem("lag", f"{text}; see why the runs of its DAG fail or take so long")


def _shown(context: AnyContext, last: LastRun | None, up_to: float | None, now: float) -> str:
    ran = f"last sealed at {last.finished} ({last.run_id})" if last else "no run was ever sealed"
    if up_to is None:
        return f"{context.job.name}: {ran}"
    behind = timedelta(seconds=round(now - up_to))
    held = f"{target_of(context.job)} holds everything up to {iso(up_to)}, which is {behind} ago"
    return f"{context.job.name}: {held}; {ran}"


def _matters(problem: chain_report.Problem, known: Registered, now: float) -> bool:
    """What is being written is no problem yet, nor is a chain that no run has begun."""
    if problem.kind == "unsealed":
        began = problem.id.partition("-")[0]  # epoch milliseconds, in ours as in those of the service
        return not began.isdecimal() or int(began) / 1000 < now - _WRITING_SECONDS
    return problem.kind != "no full" or known.last is not None


def _vanished(context: AnyContext, job_name: str, last: LastRun, files: JobFiles) -> Problem:
    ran = f"{job_name} ({last.kind} to {last.target}), last sealed at {last.finished}, does not run any more"
    if job_name in files.broken:
        return Problem("broken file", f"{ran}: its job file has errors, which the import errors of Airflow show")
    key = registry_key(job_name)
    region, table = context.job.target.region, context.state_table
    row = f'{{"pk": {{"S": "{key.partition}"}}, "sk": {{"S": "{key.sort}"}}}}'
    command = f"aws dynamodb delete-item --region {region} --table-name {table} --key '{row}'"
    text = f"{ran}: its job file is gone; put it back or, if it was removed on purpose, retire it: {command}"
    return Problem("vanished", text)
