"""What runs share that take what changed: a base first, where there is none, then the changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.phases import export_feed
from dynamodb_copy.phases.context import AnyContext, JobT
from dynamodb_copy.phases.copying import Progress, copy
from dynamodb_copy.runs.opened import Run
from dynamodb_copy.state.plans import Plan, load_plan


class ChangesRun(Run[JobT]):
    """The verbs that are the same whatever takes the changes."""

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Copy what earlier attempts left of a segment of the base; return its cumulative tally."""
        with self._planned() as (context, plan):
            return copy(context, plan, segment, on_progress)

    def start_windows(self) -> list[str]:
        """Start the exports of the run's windows, each once; return their ARNs. Only with `changes: {by: export}`."""
        with self._changes() as (context, plan):
            return export_feed.start(context, plan)

    def windows_are_done(self) -> bool:
        """Whether these exports have completed; raises TableError when one has failed."""
        with self._changes() as (context, plan):
            return export_feed.is_done(context, plan)

    @contextmanager
    def _changes(self) -> Iterator[tuple[AnyContext, Plan]]:
        """The plan of the run's changes, and the job as it was when the run was planned."""
        with self._planned() as (context, _):
            changes: AnyContext = replace(context, stage="changes")
            yield changes, load_plan(changes.rows, changes.run)
