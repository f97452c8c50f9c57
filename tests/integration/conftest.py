"""Airflow in a home of its own."""

import dags.airflow_home  # noqa: F401 -- it sets the environment before Airflow is imported
