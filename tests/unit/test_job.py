from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.job import MaxDeletes, Rate, Share, Units, Unlimited, read_job
from dynamodb_copy.model import TableRef
from job_texts import HERE, TOPIC, errors_of, job_of, text_of


def test_the_shortest_job_has_sensible_defaults() -> None:
    job = job_of()

    assert (job.name, job.description, job.tags, job.schedule, job.every) == ("orders", "", (), None, None)
    assert (job.copy_, job.read, job.write, job.consistent) == ("full", Share(0.25), Share(0.25), False)
    assert (job.segments, job.parallel, job.pool, job.queue, job.verify) == ("auto", 4, None, None, "content")
    assert (job.retries, job.retry_delay, job.timeout) == (2, timedelta(minutes=2), timedelta(hours=6))
    assert (job.late_after, job.start, job.end, job.catch_up) == (None, None, None, False)
    assert (job.notify, job.preconditions) == (None, ())
    assert (job.target.kms_key, job.target.existing, job.target.mirror) == (None, "refuse", False)


def test_a_job_names_its_two_tables() -> None:
    job = job_of()

    assert job.source.ref == TableRef("orders", "us-east-1", "aws_virginia")
    assert job.target.ref == TableRef("orders", "us-west-2", "aws_oregon")


def test_every_key_reaches_the_job() -> None:
    job = job_of(
        description="Orders: nightly",
        tags=["orders", "on"],
        schedule="0  2 * * *",
        to_={"kms_key": "alias/orders", "existing": "allow", "mirror": {"max_deletes": "5%"}},
        read={"units": 500},
        write="unlimited",
        consistent=True,
        segments=16,
        parallel=8,
        pool="copies",
        queue="west",
        verify="count",
        retries=0,
        retry_delay="90s",
        timeout="30d",
        late_after="1h",
        start="2026-12-01",
        end="2027-12-01",
        catch_up=True,
        notify={"connection": "aws_oregon", "on_late": TOPIC},
        preconditions=[{"table_exists": HERE}, {"s3_key_exists": {"s3": "s3://bucket/key", "connection": "aws"}}],
    )

    assert (job.description, job.tags, job.schedule) == ("Orders: nightly", ("orders", "on"), "0 2 * * *")
    assert job.target.mirror
    assert job.target.mirror.max_deletes == MaxDeletes(percent=Decimal(5))
    assert (job.target.kms_key, job.target.existing) == ("alias/orders", "allow")
    assert (job.read, job.write, job.consistent) == (Units(500.0), Unlimited(), True)
    assert (job.segments, job.parallel, job.pool, job.queue, job.verify) == (16, 8, "copies", "west", "count")
    assert (job.retries, job.retry_delay, job.timeout) == (0, timedelta(seconds=90), timedelta(days=30))
    assert (job.late_after, job.catch_up) == (timedelta(hours=1), True)
    assert (job.start, job.end) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC))
    assert job.notify is not None
    assert (job.notify.connection, job.notify.on_late, job.notify.on_failure) == ("aws_oregon", TOPIC, None)
    assert job.preconditions[0].table_exists is not None
    assert job.preconditions[0].table_exists.ref == job.source.ref
    assert job.preconditions[1].s3_key_exists is not None
    assert job.preconditions[1].s3_key_exists.s3 == "s3://bucket/key"


def test_a_job_can_be_stored_hashed_and_sent_to_another_process() -> None:
    job = job_of(tags=["dr"], to_={"mirror": {"max_deletes": 7}})

    assert read_job(job.name, job.text) == job
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301  # its own bytes
    assert len({job, job_of(tags=["dr"], to_={"mirror": {"max_deletes": 7}})}) == 1


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        job_of().retries = 5  # type: ignore[misc]


def test_a_job_with_another_text_is_another_job() -> None:
    assert read_job("orders", text_of() + "# a note\n") != job_of()


CHANGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))),
        "tags": st.lists(st.from_regex(r"[a-z~]{1,9}", fullmatch=True)),
        "read": st.one_of(
            st.floats(0.01, 1).map(lambda share: {"share": share}),
            st.integers(1, 10**6).map(lambda units: {"units": units}),
            st.just("unlimited"),
        ),
        "segments": st.one_of(st.just("auto"), st.integers(1, 256)),
        "retries": st.integers(0, 100),
        "timeout": st.integers(1, 365).map(lambda days: f"{days}d"),
        "consistent": st.booleans(),
    },
)


@given(CHANGES)
def test_any_valid_text_gives_an_equal_job_again(changes: dict[str, Any]) -> None:
    job = job_of(**changes)

    assert read_job(job.name, job.text) == job
    assert job.text == text_of(**changes)


@given(st.integers(1, 365), st.sampled_from(["seconds", "minutes", "hours", "days"]))
def test_a_duration_is_what_was_written(number: int, unit: str) -> None:
    assert job_of(timeout=f"{number}{unit[0]}").timeout == timedelta(**{unit: number})


@pytest.mark.parametrize(
    "written", ["90", "1h30m", "0s", "-5m", "12:30", "1.5h", "6 h", "6H", "366d", "99999999d", "\u0663h"]
)
def test_other_durations_are_refused_with_examples(written: str) -> None:
    assert "timeout: found " in errors_of(timeout=written)
    assert "such as 90s, 15m, 6h or 30d" in errors_of(timeout=written)


def test_a_duration_without_a_unit_is_told_to_add_one() -> None:
    assert "found 90; allowed: a duration" in errors_of(timeout=90)
    assert "add the unit, as in 90s or 90m" in errors_of(timeout=90)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T02:30:00", datetime(2026, 12, 1, 2, 30, tzinfo=UTC)),
        ("2026-12-01T02:30:00Z", datetime(2026, 12, 1, 2, 30, tzinfo=UTC)),
        ("2026-12-01T02:30:00+05:30", datetime(2026, 11, 30, 21, 0, tzinfo=UTC)),
    ],
)
def test_instants_are_utc(written: str, meant: datetime) -> None:
    start = read_job("orders", f"{text_of(schedule='@daily')}start: {written}\n").start

    assert start == meant
    assert start.tzinfo is UTC


@pytest.mark.parametrize("written", ["tomorrow", "2026-13-01", 20261201, "0001-01-01T00:00+23:00", "0202-12-01", None])
def test_other_instants_are_refused(written: object) -> None:
    assert "start: found " in errors_of(schedule="@daily", start=written)


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ({"share": 1}, Share(1.0)),
        ({"share": 0.01}, Share(0.01)),
        ({"units": 0.5}, Units(0.5)),
        ("unlimited", Unlimited()),
    ],
)
def test_rates_are_a_share_units_or_unlimited(written: object, rate: Rate) -> None:
    assert job_of(read=written).read == rate


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ({"share": 50}, "50 is out of range, did you mean 0.5?"),
        ({"share": "50%"}, "50% is out of range, did you mean 0.5?"),
        ({"share": 0.001}, "allowed: 0.01 to 1.0"),
        ({"share": True}, "found true; allowed: 0.01 to 1.0"),
        ({"share": None}, "found nothing; allowed: 0.01 to 1.0"),
        ({"share": float("nan")}, "allowed: 0.01 to 1.0"),
        ({"units": 0}, "capacity units per second above 0"),
        ({"units": float("inf")}, "capacity units per second above 0"),
        ({"unit": 500}, "did you mean units?"),
        ({"share": 0.5, "units": 500}, "give exactly one of share and units"),
        ({}, "give exactly one of share and units"),
        (0.25, "did you mean {share: 0.25}?"),
        (500, "did you mean {units: 500}?"),
        ("fast", "{units: 500} or unlimited"),
    ],
)
def test_other_rates_are_refused_with_what_may_be_meant(written: object, advice: str) -> None:
    assert advice in errors_of(write=written)


@pytest.mark.parametrize(
    ("written", "limit"), [("5%", 10), ("0.1%", 0), ("100%", 201), ("2.5%", 5), (100, 100), (False, None)]
)
def test_mirror_says_how_much_it_may_delete(written: object, limit: int | None) -> None:
    mirror = job_of(to_={"mirror": {"max_deletes": written} if written else False}).target.mirror

    assert (mirror.max_deletes.limit(201) if mirror else None) == limit


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        (True, "to.mirror: found true; allowed: false or {max_deletes: 5%}"),
        ({}, "to.mirror.max_deletes: found nothing"),
        ({"max_deletes": 0}, "to.mirror.max_deletes: found 0"),
        ({"max_deletes": 0.05}, "did you mean 5%?"),
        ({"max_deletes": "101%"}, "to.mirror.max_deletes: found"),
        ({"max_deletes": "0%"}, "to.mirror.max_deletes: found"),
        ({"max_deletes": True}, "to.mirror.max_deletes: found true"),
        ({"max_delete": "5%"}, "did you mean max_deletes?"),
    ],
)
def test_other_mirrors_are_refused(written: object, advice: str) -> None:
    assert advice in errors_of(to_={"mirror": written})
