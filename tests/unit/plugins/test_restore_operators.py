"""The verbs that only restores have, and the moment that a person may ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.assembly import Choice
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.job import RestoreJob
from dynamodb_copy_airflow.restore_operators import ChooseOperator, StartImportOperator
from job_texts import kind_of
from unit.plugins.drills import CHOICE

JOB = kind_of(RestoreJob)


@pytest.fixture
def asked(engine: Any) -> list[datetime | None]:
    """The moments that the engine was asked for."""
    moments: list[datetime | None] = []

    def choose(as_of: datetime | None) -> Choice:
        moments.append(as_of)
        return CHOICE

    engine.verbs["choose"] = choose
    return moments


@pytest.mark.parametrize(
    ("found", "moment"),
    [
        (None, None),
        ("", None),
        ("2026-12-01T02:00:00Z", datetime(2026, 12, 1, 2, tzinfo=UTC)),
        ("2026-12-01T03:00:00.000+01:00", datetime(2026, 12, 1, 2, tzinfo=UTC)),
        ("2026-12-01T02:00", datetime(2026, 12, 1, 2, tzinfo=UTC)),
    ],
)
def test_the_forms_moment_reaches_the_engine_in_utc(
    found: str | None, moment: datetime | None, asked: list[datetime | None], context: Any
) -> None:
    context["params"] = {"as_of": found}

    ChooseOperator(task_id="choose", job=JOB).execute(context)

    assert asked == [moment]


def test_what_is_no_moment_is_refused_with_what_was_found(asked: list[datetime | None], context: Any) -> None:
    context["params"] = {"as_of": "yesterday"}

    with pytest.raises(AirflowFailException, match=r"as_of: found 'yesterday'; allowed: a date or moment"):
        ChooseOperator(task_id="choose", job=JOB).execute(context)

    assert asked == []


def test_the_choice_and_what_was_passed_over_are_logged(
    asked: list[datetime | None], context: Any, log_lines: list[str]
) -> None:
    del asked
    context["params"] = {"as_of": None}

    ChooseOperator(task_id="choose", job=JOB).execute(context)

    assert f"chosen: {CHOICE.uri}, consistent at 2026-12-01T02:00:00+00:00, 12,000 items" in "\n".join(log_lines)
    assert CHOICE.notes[0] in "\n".join(log_lines)


def test_an_import_is_logged_and_a_refused_one_is_final(engine: Any, context: Any, log_lines: list[str]) -> None:
    def refuse() -> str:
        raise BackupRefusedError("data/x.json.gz is missing")

    operator = StartImportOperator(task_id="start_import", job=JOB)
    engine.verbs["start_import"] = lambda: "arn:aws:dynamodb:us-west-2:123456789012:table/orders/import/1"

    operator.execute(context)

    assert "table/orders/import/1" in "\n".join(log_lines)
    engine.verbs["start_import"] = refuse
    with pytest.raises(AirflowFailException, match="is missing"):
        operator.execute(context)
