"""The same jobs without Airflow: plan, run, verify and repair from a shell, and a list of what backups there are."""

from __future__ import annotations

from dynamodb_copy.cli.command import main
from dynamodb_copy.cli.outside import Surroundings

__all__ = ["Surroundings", "main"]
