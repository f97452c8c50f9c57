"""Figures as Airflow metrics, for StatsD or OpenTelemetry where the deployment has them on."""

from __future__ import annotations

from airflow.sdk.observability.stats import gauge


def report_lag(job_name: str, seconds: float) -> None:
    """`dynamodb_copy.lag_seconds`, tagged with the job: how far its target is behind its source."""
    gauge("dynamodb_copy.lag_seconds", seconds, tags={"job": job_name})
