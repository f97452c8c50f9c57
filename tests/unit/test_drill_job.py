from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.job import DrillJob, Objectives, Share, Units
from job_texts import OBJECTIVES, errors_of, kind_of


def test_the_shortest_drill_has_sensible_defaults() -> None:
    job = kind_of(DrillJob)

    assert (job.write, job.segments, job.bucket_owner, job.target.kms_key) == (Share(0.25), "auto", None, None)


def test_a_drill_has_objectives() -> None:
    job = kind_of(DrillJob)

    assert job.drill.rto == timedelta(minutes=30)
    assert job.drill.rpo == timedelta(hours=24)
    assert job.drill.max_bytes == 500_000_000_000


def test_a_drill_names_its_place_and_a_region_but_no_table() -> None:
    job = kind_of(DrillJob)

    assert (job.source.bucket, job.source.prefix, job.source.region) == ("dr-backups", "orders", "us-west-2")
    assert (job.target.region, job.target.connection) == ("us-west-2", "aws_oregon")


def test_every_key_reaches_the_drill() -> None:
    job = kind_of(
        DrillJob, to_={"kms_key": "alias/drill"}, write={"units": 500}, segments=16, bucket_owner="123456789012"
    )

    assert (job.write, job.segments, job.bucket_owner) == (Units(500.0), 16, "123456789012")
    assert job.target.kms_key == "alias/drill"


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        ("1B", 1),
        ("20KB", 20_000),
        ("20MB", 20_000_000),
        ("500GB", 500_000_000_000),
        ("1.5TB", 1_500_000_000_000),
        ("0.5KB", 500),
        ("0.001KB", 1),
        ("999999999TB", 999_999_999 * 10**12),
    ],
)
def test_sizes_are_decimal(written: str, size_bytes: int) -> None:
    found = kind_of(DrillJob, drill={**OBJECTIVES, "max_bytes": written}).drill.max_bytes

    assert found == size_bytes
    assert type(found) is int


@given(st.integers(1, 10**9 - 1), st.sampled_from([("B", 0), ("KB", 3), ("MB", 6), ("GB", 9), ("TB", 12)]))
def test_a_size_is_what_was_written(number: int, unit: tuple[str, int]) -> None:
    name, power = unit

    assert kind_of(DrillJob, drill={**OBJECTIVES, "max_bytes": f"{number}{name}"}).drill.max_bytes == number * 10**power


@pytest.mark.parametrize(
    "written",
    [
        *("500", "500gb", "500 GB", "500GiB", "500G", "GB", "-5GB", "0GB", "0.0005KB", "1.5B", "1e3GB", "1,5TB", "5PB"),
        *("1.GB", ".5GB", "unlimited", "", True, None, "1234567890GB", "\u0665GB", "500GB\n"),
    ],
)
def test_other_sizes_are_refused_with_examples(written: object) -> None:
    message = errors_of(DrillJob, drill={**OBJECTIVES, "max_bytes": written})

    assert "drill.max_bytes: found " in message
    assert "allowed: a size of B, KB, MB, GB or TB, such as 500GB or 1.5TB, and at least 1B; write one" in message


@pytest.mark.parametrize(("written", "advice"), [(500, "as in 500GB"), (0, "as in 0GB"), (1.5, "as in 1.5GB")])
def test_a_size_without_a_unit_is_told_to_add_one(written: float, advice: str) -> None:
    assert f"add the unit, {advice}" in errors_of(DrillJob, drill={**OBJECTIVES, "max_bytes": written})


@pytest.mark.parametrize("missing", Objectives.keys())
def test_each_objective_is_required(missing: str) -> None:
    objectives = {name: value for name, value in OBJECTIVES.items() if name != missing}

    message = errors_of(DrillJob, drill=objectives)

    assert message.startswith("orders: 1 error\n")
    assert f"drill.{missing}: found nothing; allowed: a " in message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"drill": True}, "drill: found true; allowed: a mapping with keys of rto, rpo, max_bytes; write {key: value"),
        ({"drill": None}, "drill: found nothing; allowed: a mapping with keys of rto, rpo, max_bytes"),
        ({"drill": {**OBJECTIVES, "rto": 30}}, "drill.rto: found 30; allowed: a duration of 1s to 365d"),
        ({"drill": {**OBJECTIVES, "rto": 30}}, "add the unit, as in 30s or 30m"),
        ({"drill": {**OBJECTIVES, "rpo": "a day"}}, 'drill.rpo: found "a day"; allowed: a duration'),
        (
            {"drill": {**OBJECTIVES, "max_byte": "5GB"}},
            "drill.max_byte: unknown key; allowed here: rto, rpo, max_bytes",
        ),
        ({"to_": {"region": None}}, "to.region: found nothing"),
        ({"to_": {"connection": None}}, "to.connection: found nothing"),
        ({"to_": {"existing": "allow"}}, "to.existing: unknown key; allowed here: region, connection, kms_key"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(changes: dict[str, Any], says: str) -> None:
    assert says in errors_of(DrillJob, **changes)
