"""What Airflow makes of the engine's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from dynamodb_copy.errors import PermanentError


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn a permanent failure into one that Airflow does not retry; all others pass, and are retried.

    Raises:
        AirflowFailException: with the text of the engine's PermanentError.
    """
    try:
        yield
    except PermanentError as error:
        raise AirflowFailException(str(error)) from error
