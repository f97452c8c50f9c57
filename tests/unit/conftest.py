from __future__ import annotations

from contextlib import nullcontext

import pytest


@pytest.fixture(autouse=True)
def _collector_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full collection walks everything that the whole test run has made: seconds for each command under test."""
    for module in ("comparing", "drilling", "running"):
        monkeypatch.setattr(f"dynamodb_copy.cli.{module}.frozen_collector", nullcontext)
