"""The part that most runs share: wait for the target, plan, and copy the segments while their progress is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

from dynamodb_copy.assembly import Choice, Plan, Prepared, Progress
from dynamodb_copy.cli.asked import Asked
from dynamodb_copy.cli.patience import Patience
from dynamodb_copy.model import Segment, Tally
from dynamodb_copy.progress_bars import Meter, shown

_SECONDS_BETWEEN_POLLS = 5.0
_SECONDS_BETWEEN_TICKS = 1.0


class Copies(Protocol):
    """A run that copies segments."""

    def plan(self) -> Plan:
        """Decide segments and limits."""

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Copy what earlier attempts left of the segment; return its cumulative tally."""


class Fills(Copies, Protocol):
    """A run that fills a table."""

    def target_is_active(self) -> bool:
        """Whether the target can be written."""


class Catches(Protocol):
    """A run that has a second stage: the changes after the copy."""

    def hand_over(self) -> Plan:
        """Decide the segments of the changes."""

    def apply(self, segment: Segment, on_progress: Progress, on_drained: Callable[[float], None]) -> Tally:
        """Apply what earlier attempts left of the segment; return its cumulative tally."""


@dataclass(frozen=True, slots=True)
class Applies:
    """The second stage of a run, with the verbs of the first."""

    run: Catches

    def plan(self) -> Plan:
        """Decide what changes are read."""
        return self.run.hand_over()

    def copy(self, segment: Segment, on_progress: Progress) -> Tally:
        """Apply what earlier attempts left of the segment."""
        return self.run.apply(segment, on_progress, _not_shown)


class _StoppedError(Exception):
    """A segment stops after a checkpoint because the whole copy does."""


def tell_prepared(prepared: Prepared, patience: Patience) -> None:
    """Say what was found of the target."""
    found = f"target {prepared.target_arn}: {'created' if prepared.created else 'exists'}"
    patience.say("\n".join([found, *prepared.notes]))


def tell_choice(choice: Choice, asked: Asked, patience: Patience) -> None:
    """Say which backup the run restores."""
    found = f"backup {choice.described}: {choice.items:,} items, consistent at {choice.consistent}"
    patience.say("\n".join([found, *choice.notes]))
    if asked.as_of is not None and choice.as_of != asked.as_of.isoformat():
        earlier = "the latest" if choice.as_of is None else f"that of {choice.as_of}"
        patience.say(f"--as-of counts for new runs: this one chose {earlier} when it began, and keeps to it")


def wait_until_active(run: Fills, patience: Patience) -> None:
    """Return once the target can be written; raises TableError after the job's timeout."""
    patience.wait(
        run.target_is_active,
        poll_seconds=_SECONDS_BETWEEN_POLLS,
        waiting="waiting until the target is ACTIVE",
        missing="the target is not ACTIVE",
    )


def planned(run: Copies, patience: Patience) -> Plan:
    """Let the run plan, and say what it decided."""
    plan = patience.patiently(run.plan)
    patience.say("\n".join([plan.reason, *plan.notes]))
    return plan


def copy_and_apply(run: Any, patience: Patience, *, continued: bool) -> None:
    """Both stages of a run, the second one where there is anything to apply."""
    for stage in (run, Applies(run)):
        if segments := planned(stage, patience).segments:
            copy_segments(stage, segments, patience, continued=continued)


def copy_segments(run: Copies, segments: Sequence[Segment], patience: Patience, *, continued: bool) -> None:
    """Copy all segments, as many at once as the job says; stops them all at their checkpoints when one fails."""
    meter = Meter(segments, continued=continued)
    with shown(meter, patience.messages) as tick, ThreadPoolExecutor(patience.job.parallel) as pool:
        try:
            pending = {pool.submit(_copy_one, run, segment, meter, patience) for segment in segments}
            while pending:
                done, pending = wait(pending, _SECONDS_BETWEEN_TICKS, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                tick()
        except BaseException:  # Ctrl-C too, which may come while segments are still being submitted
            patience.say("stopping: segments under way end at their next checkpoint")
            patience.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _copy_one(run: Copies, segment: Segment, meter: Meter, patience: Patience) -> None:
    def advanced(at: Segment, tally: Tally) -> None:
        meter.advanced(at, tally)
        if patience.stop.is_set():
            raise _StoppedError

    meter.finished(segment, patience.patiently(lambda: run.copy(segment, advanced)))


def _not_shown(_drained: float) -> None:
    """The report has the lag."""
