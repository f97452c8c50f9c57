"""Waiting: in the triggerer, and only if there is something to wait for."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from dynamodb_copy.errors import ServiceUnavailableError, TableError
from dynamodb_copy.job import BackupJob, CopyJob, DrillJob, IncrementalBackupJob, IncrementalJob, RestoreJob
from dynamodb_copy_airflow.runs import AnyJob
from dynamodb_copy_airflow.sensors import Verb, VerbSensor
from dynamodb_copy_airflow.triggers import VerbTrigger
from job_texts import job_of, kind_of

JOB = job_of(timeout="2h")
BY_EXPORT = {"changes": {"by": "export"}, "base": "export"}

WAITS: list[tuple[AnyJob, Verb, float]] = [
    (kind_of(CopyJob), "target_is_active", 5),
    (kind_of(RestoreJob), "target_is_active", 5),
    (kind_of(DrillJob), "target_is_active", 5),
    (kind_of(BackupJob, engine="export"), "export_is_done", 30),
    (kind_of(RestoreJob, engine="import"), "import_is_done", 30),
    (kind_of(IncrementalJob), "target_is_active", 5),
    (kind_of(IncrementalJob, **BY_EXPORT, staging="s3://staging/orders"), "base_is_exported", 30),
    (kind_of(IncrementalJob, **BY_EXPORT, staging="s3://staging/orders"), "windows_are_done", 30),
    (kind_of(IncrementalBackupJob, **BY_EXPORT), "base_is_exported", 30),
    (kind_of(IncrementalBackupJob, **BY_EXPORT), "windows_are_done", 30),
]


def sensor() -> VerbSensor:
    return VerbSensor(task_id="table_active", job=JOB, verb="target_is_active")


def trigger(job: AnyJob = JOB, verb: Verb = "target_is_active") -> VerbTrigger:
    return VerbTrigger(job_name="orders", job_text=job.text, run_id="orders/manual", verb=verb, poll_seconds=0)


def fired(waiting: VerbTrigger) -> Any:
    async def first() -> Any:
        return await anext(waiting.run())

    return asyncio.run(first()).payload


def test_an_active_target_does_not_defer(engine: Any, context: Any) -> None:
    engine.verbs["target_is_active"] = lambda: True

    sensor().execute(context)


@pytest.mark.parametrize(("job", "verb", "poll_seconds"), WAITS)
def test_what_is_not_so_yet_is_waited_for_in_the_triggerer(
    job: AnyJob, verb: Verb, poll_seconds: float, engine: Any, context: Any
) -> None:
    engine.verbs[verb] = lambda: False

    with pytest.raises(TaskDeferred) as deferred:
        VerbSensor(task_id="wait", job=job, verb=verb).execute(context)

    assert deferred.value.timeout == job.timeout
    waiting = deferred.value.trigger
    assert (waiting.verb, waiting.poll_seconds, waiting.job_text) == (verb, poll_seconds, job.text)
    assert waiting.run_id == "orders/scheduled__2026-12-01T02:00:00+00:00"


def test_the_triggerer_makes_the_same_trigger_again_from_plain_values(engine: Any) -> None:
    del engine
    path, arguments = trigger().serialize()

    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)

    assert again.serialize() == (path, arguments)
    assert set(arguments) == {"job_name", "job_text", "run_id", "verb", "poll_seconds"}
    assert {type(value) for value in arguments.values()} <= {str, int, float}


@pytest.mark.parametrize(("job", "verb"), [(job, verb) for job, verb, _ in WAITS])
def test_the_trigger_opens_the_run_once_and_asks_until_it_is_so(job: AnyJob, verb: Verb, engine: Any) -> None:
    answers = iter([False, False, True])
    engine.verbs[verb] = lambda: next(answers)

    assert fired(trigger(job, verb)) == {"refusal": None}
    assert engine.opened == [("orders", "orders/manual")]
    assert list(answers) == []


def test_the_trigger_waits_through_a_service_that_does_not_answer(engine: Any) -> None:
    failures = [ServiceUnavailableError("no answer")]

    def target_is_active() -> bool:
        if failures:
            raise failures.pop()
        return True

    engine.verbs["target_is_active"] = target_is_active

    assert fired(trigger()) == {"refusal": None}


def test_a_target_that_will_never_be_active_fails_the_task_for_good(engine: Any, context: Any) -> None:
    def target_is_active() -> bool:
        raise TableError("orders in us-west-2 is being deleted")

    engine.verbs["target_is_active"] = target_is_active
    event = fired(trigger())

    with pytest.raises(AirflowFailException, match="being deleted"):
        sensor().finish(context, event)
    with pytest.raises(AirflowFailException, match="being deleted"):
        sensor().execute(context)


def test_an_active_target_lets_the_task_go_on(engine: Any, context: Any) -> None:
    engine.verbs["target_is_active"] = lambda: True

    sensor().finish(context, fired(trigger()))
