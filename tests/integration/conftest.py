"""Airflow in a home of its own."""

import dags.airflow_home  # noqa: F401 -- it sets the environment before Airflow is imported
from integration.pair import filled, pair, small_pages  # noqa: F401 -- fixtures
