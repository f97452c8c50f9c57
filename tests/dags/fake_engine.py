"""An engine that does what a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

Verbs = dict[str, Callable[..., Any]]


@dataclass
class FakeEngine:
    """Opens runs that answer each verb with the function a test gave for it, and remembers how they were opened."""

    verbs: Verbs = field(default_factory=dict)
    opened: list[tuple[str, str]] = field(default_factory=list)  # (job name, run id)

    def open_run(self, job: Any, run_id: str, connect: Any) -> Any:
        """Stand in for the assembly's function of that name."""
        assert callable(connect)
        self.opened.append((job.name, run_id))
        return SimpleNamespace(**self.verbs)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine that operators, sensors and triggers call in this test."""
    fake = FakeEngine()
    for module in ("runs", "triggers"):
        monkeypatch.setattr(f"dynamodb_copy_airflow.{module}.open_run", fake.open_run)
    return fake
