"""The scratch table of a drill: made, marked, and dropped under guards."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any

from dynamodb_copy.aws.faults import ResourceInUseError, ResourceMissingError
from dynamodb_copy.aws.tables import Table, delete_table, describe, table_names, tags, untag
from dynamodb_copy.errors import ServiceUnavailableError, TargetRefusedError
from dynamodb_copy.job import DrillJob, RestoreJob
from dynamodb_copy.job.rehearsals import rehearsal_of
from dynamodb_copy.phases.choosing import Choice
from dynamodb_copy.phases.context import AnyContext, DrillContext
from dynamodb_copy.state.claims import Claim, claim_on

SCRATCH_TAG = "dynamodb-copy:scratch-of"
"""On a scratch table: the run that made it."""

_NAME_CHARACTERS = 200
_MARK = "-drill-"
_SCRATCH_NAME = re.compile(r".+-drill-[0-9a-f]{12}")
_LEFTOVER_SECONDS = 24 * 3600


def scratch_name(table: str, run: str) -> str:
    """The name of a run's scratch table: it fits the service's 255 characters."""
    return f"{table[:_NAME_CHARACTERS]}{_MARK}{sha256(run.encode()).hexdigest()[:12]}"


def rehearsal(job: DrillJob, choice: Choice, run: str) -> RestoreJob:
    """The restore that the drill rehearses."""
    table = choice.table_arn.rpartition("/")[2]
    return rehearsal_of(job, scratch_name(table, run))


def scratch_tags(run_id: str) -> tuple[dict[str, str], ...]:
    """What marks a scratch table from its creation on."""
    return ({"Key": SCRATCH_TAG, "Value": _tag_value(run_id)},)


def drop(context: AnyContext, name: str) -> bool:
    """Drop the run's scratch table; False if it is gone already.

    Raises TargetRefusedError when a guard holds, ServiceUnavailableError while the table is being created or changed.
    """
    table = describe(context.target_client, name)
    if table is None or table.status == "DELETING":
        return False
    _check(context, table, run=context.run, run_id=context.run_id)
    try:
        delete_table(context.target_client, name)
    except ResourceInUseError as error:
        raise ServiceUnavailableError(f"{table.arn} is {table.status}, and cannot be dropped yet: {error}") from error
    return True


def keep(context: AnyContext, name: str) -> None:
    """Take the mark away: the table is no drill's any more, for it may become production tonight."""
    table = describe(context.target_client, name)
    if table is not None:
        untag(context.target_client, table.arn, SCRATCH_TAG)


def drop_leftovers(context: DrillContext) -> list[str]:
    """Drop scratch tables that runs left behind more than a day ago; return what was done, a line each."""
    told: list[str] = []
    for name in table_names(context.target_client):
        if _SCRATCH_NAME.fullmatch(name):
            with suppress(ResourceMissingError, ResourceInUseError):  # another drill was faster
                told += _dropped(context, name)
    return told


def _dropped(context: DrillContext, name: str) -> list[str]:
    table = describe(context.target_client, name)
    if table is None or not table.is_active or not _is_old(context, table):
        return []
    mark = _mark(context, table)
    if mark is None:
        return []
    found = claim_on(context.rows, table.arn)
    refusal = "no run claims it" if found is None else _refusal(table, found)
    if refusal:
        return [f"{table.arn} looks like a drill's leftover and stays: {refusal}"]
    delete_table(context.target_client, name)
    return [f"{table.arn}, left behind by {mark}, was dropped"]


def _check(context: AnyContext, table: Table, *, run: str, run_id: str) -> None:
    found = claim_on(context.rows, table.arn)
    if not _SCRATCH_NAME.fullmatch(table.name):
        raise _kept(table, "its name is not a scratch table's")
    if _mark(context, table) != _tag_value(run_id):
        raise _kept(table, f"its tag {SCRATCH_TAG} does not name this run")
    if found is None or found.source_id != run:
        raise _kept(table, "this run did not create it")
    if refusal := _refusal(table, found):
        raise _kept(table, refusal)


def _refusal(table: Table, found: Claim) -> str:
    """Why a table that a drill claims must stay; empty when nothing speaks against dropping it."""
    if found.target_id != table.table_id:
        return "it is another table than the one that was created"
    if table.description.get("DeletionProtectionEnabled"):
        return "deletion protection is on"
    return ""


def _kept(table: Table, why: str) -> TargetRefusedError:
    return TargetRefusedError(f"{table.arn} is not dropped: {why}; look at it, and drop it by hand if it is not needed")


def _mark(context: AnyContext, table: Table) -> str | None:
    found = tags(context.target_client, table.arn)
    return next((tag["Value"] for tag in found if tag["Key"] == SCRATCH_TAG), None)


def _is_old(context: AnyContext, table: Table) -> bool:
    created: Any = table.description["CreationDateTime"]
    seconds = created.timestamp() if isinstance(created, datetime) else float(created)
    return context.wall() - seconds > _LEFTOVER_SECONDS


def _tag_value(run_id: str) -> str:
    """A run's id within what tags may hold: 256 of letters, digits, spaces and + - = . _ : / @."""
    return re.sub(r"[^\w +\-=.:/@]", "_", run_id)[:256]
