"""What every job says, whatever its kind: when it runs, how its tasks run, and who hears of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from dynamodb_copy.job.preconditions import Precondition, read_precondition
from dynamodb_copy.job.schedule import CONTINUOUS, interval_of, read_schedule
from dynamodb_copy.job.sections import Notify, Section
from dynamodb_copy.job.values import (
    AirflowName,
    Description,
    Duration,
    Flag,
    Label,
    given,
    read_duration,
    read_instant,
    refusal,
    sequence,
    whole,
)

MOST_TASKS = 256

_NOT_WRITTEN = ("name", "text")  # read_job knows them from the file


class Job(Section):
    """When a job runs, how its tasks run, and who hears of it; its kinds say what is done.

    `schedule` is None for a job that is started by hand, else a cron expression, a preset such as `@daily`,
    `continuous`, or `every 15m`, whose length is `every`. `text` is the file's YAML:
    `read_job(job.name, job.text) == job`.
    """

    # What to write in place of schedule: continuous; None for a kind that may be
    instead_of_continuous: ClassVar[str | None] = (
        "only changes by stream run on into a table: write every 6h, or another schedule"
    )

    description: Description = ""
    tags: Annotated[tuple[Label, ...], sequence("a list of texts such as [orders, dr]")] = ()
    schedule: Annotated[str | None, BeforeValidator(read_schedule)] = None
    parallel: Annotated[int, BeforeValidator(whole(1, MOST_TASKS))] = 4
    pool: AirflowName = None
    queue: AirflowName = None
    retries: Annotated[int, BeforeValidator(whole(0, 100))] = 2
    retry_delay: Duration = timedelta(minutes=2)
    timeout: Duration = timedelta(hours=6)
    late_after: Annotated[timedelta | None, BeforeValidator(read_duration)] = None
    start: Annotated[datetime | None, BeforeValidator(read_instant)] = None
    end: Annotated[datetime | None, BeforeValidator(read_instant)] = None
    catch_up: Flag = False
    notify: Annotated[Notify | None, BeforeValidator(given)] = None
    preconditions: Annotated[
        tuple[Annotated[Precondition, BeforeValidator(read_precondition)], ...],
        sequence("a list of preconditions, each on a line that begins with a dash"),
    ] = ()
    name: str
    text: str = Field(repr=False)

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The keys that may be written in a job file."""
        return tuple([key for key in super().keys() if key not in _NOT_WRITTEN])  # noqa: SIM118  # a class, not a dict

    @property
    def every(self) -> timedelta | None:
        """The interval of a schedule such as `every 15m`; None for all others."""
        return interval_of(self.schedule)

    @property
    def is_continuous(self) -> bool:
        """Whether the next run starts when one has ended."""
        return self.schedule == CONTINUOUS

    @field_validator("schedule")
    @classmethod
    def _pauses_between_runs(cls, schedule: str | None) -> str | None:
        if schedule == CONTINUOUS and cls.instead_of_continuous:
            raise refusal("a schedule with an end to each run", cls.instead_of_continuous)
        return schedule

    @field_validator("late_after", "start", "end")
    @classmethod
    def _has_a_schedule(cls, value: Any, info: ValidationInfo) -> Any:
        if _is_manual(info):
            raise refusal("only together with a schedule; this job is manual", "add a schedule, or remove this key")
        return value

    @field_validator("end")
    @classmethod
    def _ends_after_it_starts(cls, end: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start and end <= start:
            raise refusal(f"a moment after start, {start.isoformat()}", "move one of the two")
        return end

    @field_validator("catch_up")
    @classmethod
    def _knows_what_to_catch_up(cls, catch_up: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic calls it
        if catch_up and _is_manual(info):
            raise refusal("only together with a schedule; this job is manual", "add a schedule, or remove this key")
        if catch_up and info.data.get("start", "unread") is None:
            raise refusal("true only together with start", "add start: with the first moment to catch up from")
        return catch_up

    @field_validator("notify")
    @classmethod
    def _late_has_a_meaning(cls, notify: Notify, info: ValidationInfo) -> Notify:
        if notify.on_late and info.data.get("late_after", "unread") is None:
            raise refusal("on_late only together with late_after", "add late_after: 1h, or remove on_late")
        return notify


def _is_manual(info: ValidationInfo) -> bool:
    return info.data.get("schedule", "unread") is None
