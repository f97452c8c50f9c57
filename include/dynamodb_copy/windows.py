"""Windows of time: how the past is cut for the service's incremental exports; pure."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """From a moment on and before another one, in epoch seconds."""

    start: int
    end: int


def windows(start: int, until: int, *, least_seconds: int = 900, most_seconds: int = 86_400) -> list[Window]:
    """Contiguous windows from `start` on, none longer than `most_seconds`.

    What is left and shorter than `least_seconds` is in none: it stays open for the next run. The defaults are what the
    service takes.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html
    """
    cut: list[Window] = []
    while until - start >= least_seconds:
        cut.append(Window(start, min(start + most_seconds, until)))
        start = cut[-1].end
    return cut
