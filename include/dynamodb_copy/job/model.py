"""A job: what a job file says, with its defaults, and the keys that contradict each other."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job.problems import UnknownKey, field_problems, report, unknown_key
from dynamodb_copy.job.schedule import interval_of, read_schedule
from dynamodb_copy.job.sections import (
    Notify,
    Precondition,
    RateValue,
    Section,
    Share,
    SourceTable,
    TargetTable,
    read_precondition,
)
from dynamodb_copy.job.values import (
    AirflowName,
    Description,
    Duration,
    Flag,
    Label,
    given,
    one_of,
    read_duration,
    read_instant,
    refusal,
    sequence,
    whole,
)
from dynamodb_copy.job.yaml_reader import Problem, read_yaml

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,250}")  # what Airflow takes as a DAG id
_NOT_WRITTEN = ("name", "text")
_MOST_SEGMENTS = 256

_segment_count = whole(1, _MOST_SEGMENTS)


def _segments(found: object) -> int | str:
    return "auto" if found == "auto" else _segment_count(found)


class Job(Section):
    """What to copy, from where to where, how fast and how often.

    `schedule` is None for a job that is started by hand, else a cron expression, a preset such as `@daily`, or
    `every 15m`, whose length is `every`. `text` is the file's YAML: `Job.from_text(job.name, job.text) == job`.
    """

    description: Description = ""
    tags: Annotated[tuple[Label, ...], sequence("a list of texts such as [orders, dr]")] = ()
    schedule: Annotated[str | None, BeforeValidator(read_schedule)] = None
    copy_: Annotated[Literal["full"], one_of("full")] = Field(alias="copy")
    source: SourceTable = Field(alias="from")
    target: TargetTable = Field(alias="to")
    read: RateValue = Share(0.25)
    write: RateValue = Share(0.25)
    consistent: Flag = False
    segments: Annotated[int | Literal["auto"], BeforeValidator(_segments)] = "auto"
    parallel: Annotated[int, BeforeValidator(whole(1, _MOST_SEGMENTS))] = 4
    pool: AirflowName = None
    queue: AirflowName = None
    verify: Annotated[Literal["none", "count", "content"], one_of("none", "count", "content")] = "content"
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

    @classmethod
    def from_text(cls, name: str, text: str, *, file: str = "") -> Job:
        """Read a job from the text of its file; raise JobFileError with everything that is wrong.

        `file` is what errors call it; by default the job's name.
        """
        document = read_yaml(text)
        problems = [*_name_problems(name), *document.problems]
        job = None
        if document.values is not None:
            taken = [key for key in _NOT_WRITTEN if key in document.values]
            problems += [unknown_key((key,), UnknownKey(cls.keys()), document.lines) for key in taken]
            try:
                job = cls.model_validate({**document.values, "name": name, "text": text})
            except ValidationError as error:
                problems += field_problems(error, document.lines)
        if problems or job is None:
            raise JobFileError(report(file or name, problems))
        return job

    @property
    def every(self) -> timedelta | None:
        """The interval of a schedule such as `every 15m`; None for all others."""
        return interval_of(self.schedule)

    @field_validator("target")
    @classmethod
    def _target_is_another_table(cls, target: TargetTable, info: ValidationInfo) -> TargetTable:
        source = info.data.get("source")
        if source and source.ref == target.ref:
            raise refusal("another table, region or connection than in from", "a table cannot be copied onto itself")
        return target

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


def _name_problems(name: str) -> list[Problem]:
    if _NAME.fullmatch(name):
        return []
    allowed = "1 to 250 of a-z A-Z 0-9 _ . -, for it is the job's name and the DAG's id"
    return [Problem((), None, f"found the file name {name!r}; allowed: {allowed}; rename the file")]
