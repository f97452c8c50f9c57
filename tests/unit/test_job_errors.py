from __future__ import annotations

import pytest

from job_texts import HERE, TOPIC, errors_in, errors_of, job_of, text_of

KEY_IN_VIRGINIA = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_all_errors_of_a_file_are_one_message_with_lines_keys_and_advice() -> None:
    message = errors_in("""\
desciption: hello
copy: full
from:
  table: 123
  region: us-east-1a
to: {table: orders, region: us-west-2, connection: aws_oregon, mirror: {max_deletess: 5%}}
read: {share: 50}
catch_up: yes
read: {units: 5}
""")

    assert [line.split(";")[0] for line in message.splitlines()] == [
        "orders: 9 errors",
        "- line 1, desciption: unknown key",
        "- line 3, from.connection: found nothing",
        "- line 4, from.table: found 123",
        '- line 5, from.region: found "us-east-1a"',
        "- line 6, to.mirror.max_deletes: found nothing",
        "- line 6, to.mirror.max_deletess: unknown key",
        "- line 7, read.share: found 50",
        '- line 8, catch_up: found "yes"',
        "- line 9, read: given twice, in lines 7 and 9",
    ]
    assert "pydantic" not in message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"verfy": "count"}, "verfy: unknown key; allowed here: description, tags, schedule, parallel"),
        ({"verfy": "count"}, "did you mean verify?"),
        ({"flavour": 1}, "verify; remove it"),
        ({"mirror": False}, "move it below to"),
        ({"name": "orders"}, "name: unknown key"),
        ({"text": "orders"}, "text: unknown key"),
        ({"source": HERE}, "source: unknown key"),
        ({"to_": {"tabel": "x"}}, "to.tabel: unknown key; allowed here: table, region, connection, kms_key"),
        ({"read": {"shares": 0.5}}, "read.shares: unknown key; allowed here: share, units; did you mean share?"),
        ({"notify": {"on_fail": TOPIC}}, "notify.on_fail: unknown key"),
        ({"preconditions": [{"table_exist": HERE}]}, "preconditions[0].table_exist: unknown key"),
        ({"preconditions": [{"table_exists": {**HERE, "tabel": 1}}]}, "preconditions[0].table_exists.tabel: unknown"),
    ],
)
def test_an_unknown_key_is_named_with_its_path_and_what_is_allowed(changes: dict[str, object], says: str) -> None:
    assert says in errors_of(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"copy": "whole"}, 'copy: found "whole"; allowed: full or incremental; write one of these'),
        ({"copy": None}, "copy: found nothing; allowed: full or incremental"),
        ({"from_": {"table": "ab"}}, "from.table: found"),
        ({"from_": {"table": "arn:aws:dynamodb:us-east-1:123456789012:table/orders"}}, "allowed: a table's name"),
        ({"from_": {"region": "virginia"}}, 'from.region: found "virginia"; allowed: an AWS region'),
        ({"to_": {"connection": None}}, "to.connection: found nothing"),
        ({"to_": {"connection": "my connection"}}, "to.connection: found"),
        ({"to_": {"existing": True}}, "to.existing: found true; allowed: refuse or allow"),
        ({"to_": {"kms_key": "my key"}}, "to.kms_key: found"),
        ({"from": "orders"}, 'from: found "orders"; allowed: a mapping with keys of table, region, connection'),
        ({"tags": "orders"}, 'tags: found "orders"; allowed: a list'),
        ({"tags": [""]}, "tags[0]: found"),
        ({"tags": ["x" * 101]}, "tags[0]: found"),
        ({"description": None}, "description: found nothing"),
        ({"consistent": "on"}, "write true, without quotes"),
        ({"segments": 0}, "segments: found 0; allowed: a whole number, 1 to 256"),
        ({"segments": 257}, "segments: found 257"),
        ({"segments": True}, "segments: found true"),
        ({"segments": "4"}, "remove the quotes"),
        ({"parallel": 1.5}, "parallel: found 1.5"),
        ({"retries": -1}, "retries: found -1"),
        ({"pool": None}, "pool: found nothing"),
        ({"queue": 5}, "queue: found 5; allowed: a name"),
        ({"verify": False}, "verify: found false; allowed: none or count or content"),
        ({"notify": None}, "notify: found nothing"),
        ({"notify": {"connection": "aws"}}, "at least one of on_failure, on_late and on_success"),
        ({"notify": {"connection": "aws", "on_failure": "oncall"}}, "the ARN of a standard SNS topic"),
        ({"preconditions": HERE}, "preconditions: found {table: "),
        ({"preconditions": ["table_exists"]}, 'preconditions[0]: found "table_exists"'),
        ({"preconditions": [{"table_exists": None}]}, "exactly one of table_exists, table_has_items"),
        ({"preconditions": [{"table_exists": HERE, "table_has_items": HERE}]}, "start each with a dash"),
        ({"preconditions": [{"s3_key_exists": {"s3": "s3://bucket", "connection": "aws"}}]}, "s3://bucket/key"),
        ({"preconditions": [{"s3_prefix_not_empty": {"s3": "bucket/p", "connection": "a"}}]}, "s3://bucket/prefix/"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(changes: dict[str, object], says: str) -> None:
    assert says in errors_of(**changes)


def test_a_long_value_is_shown_in_short() -> None:
    message = errors_of(retry_delay="x" * 10_000)

    assert "xxx…" in message
    assert len(message) < 300


@pytest.mark.parametrize(
    "written",
    [
        *("manual", "every 15m", "every 1m", "@hourly", "@daily", "@weekly", "@monthly", "@yearly"),
        *(
            "0 2 * * *",
            "*/15 0-6,22-23 1,15 JAN-mar mon-fri",
            "0 0 29 2 *",
            "0 0 31 2 mon",
            "0 0 * * 7",
            "5 1-9/2 * * 0",
        ),
    ],
)
def test_schedules_are_by_hand_by_interval_by_preset_or_by_cron(written: str) -> None:
    assert job_of(schedule=written).schedule == (None if written == "manual" else written)


def test_only_an_interval_has_a_length() -> None:
    lengths = [job_of(schedule=written).every for written in ("every 90m", "@daily", "manual")]

    assert [length.total_seconds() if length else None for length in lengths] == [5400, None, None]


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("continuous", "only changes by stream run on into a table: write every 6h, or another schedule"),
        ("continous", 'did you mean "continuous"?'),
        ("fast", "allowed: manual, every 15m, continuous, @hourly"),
        ("daily", 'did you mean "@daily"?'),
        ("@annually", "allowed: manual"),
        ("15m", "did you mean every 15m?"),
        ("every 10s", "every 1m or more"),
        ("every day", "a duration of 1s to 365d"),
        (15, "schedule: found 15"),
        (None, "schedule: found nothing"),
        ("0 2 * *", "a cron expression has 5 fields, this has 4"),
        ("0 0 2 * * *", "a cron expression has 5 fields, this has 6"),
        ("60 2 * * *", "the minute '60' is not 0-59"),
        ("0 24 * * *", "the hour '24' is not 0-23"),
        ("0 0 0 * *", "the day of month '0' is not 1-31"),
        ("0 0 * january *", "the month 'january' is not 1-12"),
        ("0 0 * * 8", "the day of week '8' is not 0-7"),
        ("0 22-2 * * *", "the hour range '22-2' runs backwards"),
        ("*/0 * * * *", "the minute step /0 is not 1-59"),
        ("*/90 * * * *", "write every 90m"),
        ("5/10 * * * *", "the minute '5/10' is not"),
        ("1,,2 * * * *", "the minute '' is not"),
        ("0 0 L * *", "the day of month 'l' is not"),
        ("0 0 30 2 *", "day 30 does not exist in the months chosen"),
        ("0 0 31 apr,jun *", "day 31 does not exist in the months chosen"),
        ("\u0665 * * * *", "the minute '\u0665' is not"),
    ],
)
def test_other_schedules_are_refused_with_what_is_wrong(written: object, advice: str) -> None:
    assert advice in errors_of(schedule=written)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"to_": HERE}, "to: found {table: "),
        ({"to_": HERE}, "a table cannot be copied onto itself"),
        ({"to_": {"kms_key": KEY_IN_VIRGINIA}}, "allowed: a key of the target's region us-west-2"),
        ({"late_after": "1h"}, 'late_after: found "1h"; allowed: only together with a schedule'),
        ({"start": "2026-12-01"}, "start: found"),
        ({"end": "2026-12-01"}, "end: found"),
        ({"catch_up": True}, "catch_up: found true; allowed: only together with a schedule"),
        ({"schedule": "@daily", "catch_up": True}, "catch_up: found true; allowed: true only together with start"),
        (
            {"schedule": "@daily", "start": "2026-12-01", "end": "2026-12-01"},
            'end: found "2026-12-01"; allowed: a moment after start, 2026-12-01T00:00:00+00:00',
        ),
        (
            {"schedule": "@daily", "notify": {"connection": "aws", "on_late": TOPIC}},
            "allowed: on_late only together with late_after",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_refused(changes: dict[str, object], says: str) -> None:
    assert says in errors_of(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"to_": {"existing": "allow", "mirror": {"max_deletes": 5}}},
        {"verify": "none", "to_": {"mirror": {"max_deletes": 5}}},
        {"to_": {"region": "us-east-1"}},
        {"to_": {"kms_key": KEY_IN_VIRGINIA, "region": "us-east-1"}},
        {"retries": 0, "retry_delay": "1m"},
        {"segments": 1, "parallel": 8},
        {"catch_up": False},
        {"schedule": "@daily", "late_after": "1h"},
        {"schedule": "@daily", "start": "2026-12-01", "catch_up": True},
    ],
)
def test_keys_that_only_seem_to_contradict_are_fine(changes: dict[str, object]) -> None:
    assert job_of(**changes).text == text_of(**changes)


def test_a_contradiction_is_reported_beside_the_other_errors() -> None:
    message = errors_of(catch_up=True, retries=-1, verfy="count")

    assert message.startswith("orders: 3 errors\n")


def test_an_unreadable_schedule_is_not_taken_for_a_manual_one() -> None:
    message = errors_of(schedule="sometimes", catch_up=True, start="2026-12-01", late_after="1h")

    assert message.startswith("orders: 1 error\n")
