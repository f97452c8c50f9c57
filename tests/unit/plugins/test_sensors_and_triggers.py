"""Waiting: in the triggerer, and only if there is something to wait for."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from dynamodb_copy.errors import ServiceUnavailableError, TableError
from dynamodb_copy_airflow.sensors import TableActiveSensor
from dynamodb_copy_airflow.triggers import TableActiveTrigger
from job_texts import job_of

JOB = job_of(timeout="2h")


def sensor() -> TableActiveSensor:
    return TableActiveSensor(task_id="table_active", job=JOB)


def trigger() -> TableActiveTrigger:
    return TableActiveTrigger(job_name="orders", job_text=JOB.text, run_id="orders/manual", poll_seconds=0)


def fired(waiting: TableActiveTrigger) -> Any:
    async def first() -> Any:
        return await anext(waiting.run())

    return asyncio.run(first()).payload


def test_an_active_target_does_not_defer(engine: Any, context: Any) -> None:
    engine.verbs["target_is_active"] = lambda: True

    sensor().execute(context)


def test_a_target_that_is_being_created_is_waited_for_in_the_triggerer(engine: Any, context: Any) -> None:
    engine.verbs["target_is_active"] = lambda: False

    with pytest.raises(TaskDeferred) as deferred:
        sensor().execute(context)

    assert deferred.value.timeout == JOB.timeout
    assert deferred.value.trigger.run_id == "orders/scheduled__2026-12-01T02:00:00+00:00"


def test_the_triggerer_makes_the_same_trigger_again_from_plain_values(engine: Any) -> None:
    del engine
    path, arguments = trigger().serialize()

    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)

    assert again.serialize() == (path, arguments)
    assert {type(value) for value in arguments.values()} <= {str, int, float}


def test_the_trigger_opens_the_run_once_and_asks_until_the_target_is_active(engine: Any) -> None:
    answers = iter([False, False, True])
    engine.verbs["target_is_active"] = lambda: next(answers)

    assert fired(trigger()) == {"refusal": None}
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
