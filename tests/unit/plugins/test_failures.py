"""Which failures Airflow retries."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.errors import LeaseLostError, TableError
from dynamodb_copy_airflow.failures import airflow_errors


def test_a_permanent_failure_is_not_retried_and_keeps_its_text() -> None:
    with pytest.raises(AirflowFailException, match="orders has other keys"), airflow_errors():
        raise TableError("orders has other keys")


@pytest.mark.parametrize("passing", [LeaseLostError("taken"), OSError("reset"), SystemExit("told to stop")])
def test_everything_else_passes_as_it_is_and_is_retried(passing: BaseException) -> None:
    with pytest.raises(type(passing)) as raised, airflow_errors():
        raise passing
    assert raised.value is passing
