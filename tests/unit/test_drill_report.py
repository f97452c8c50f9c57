"""What a drill measured and found, as people and programs read it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dynamodb_copy.drill_report import DrillReport

RECOVERED = DrillReport(
    job="orders-drill",
    run_id="scheduled__2026-11-25T06:00:00+00:00",
    backup="s3://dr-backups/orders/AWSDynamoDB/01768385930622-efd1a093",
    table="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    scratch="arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill-0123456789ab",
    triggered="2026-11-25T06:00:00+00:00",
    consistent="2026-11-25T02:00:04.120000+00:00",
    rpo_seconds=14_395.88,
    rpo_objective_seconds=86_400.0,
    rto_seconds=754.4,
    rto_objective_seconds=1_800.0,
    phases={"choose": 1.25, "create": 8.0, "wait": 20.0, "plan": 0.5, "restore": 1_700.04},
    manifest_items=12_000,
    read_items=12_000,
    scratch_items=12_000,
    backup_digest="ab" * 16,
    scratch_digest="ab" * 16,
    source_now="about 12,345 items now, as the service last counted them (up to six hours ago)",
    notes=("passed over: s3://dr-backups/orders/AWSDynamoDB/2/manifest-summary.json: is damaged", "[red]stays[/red]"),
    problems=(),
)
FAILED = replace(
    RECOVERED,
    rto_seconds=None,
    read_items=None,
    scratch_items=None,
    scratch_digest="",
    problems=("the rows were not counted: the restore did not come that far", "RPO missed: 90,000 s"),
)
EXPORTED = replace(RECOVERED, backup_digest="")
CHAIN = replace(RECOVERED, increments=14, replayed_changes=4_000, expected_items=11_990, scratch_items=11_990)


def rows_of(report: DrillReport) -> list[tuple[str, str]]:
    """Labels and values below the headline."""
    return [(line[:9].strip(), line[11:]) for line in report.render().splitlines()[1:]]


@pytest.mark.parametrize(
    ("report", "recovered", "headline"),
    [
        (RECOVERED, True, "orders-drill: drill recovered"),
        (FAILED, False, "orders-drill: drill FAILED: 2 problems"),
        (replace(FAILED, problems=("RTO missed",)), False, "orders-drill: drill FAILED: 1 problem"),
    ],
)
def test_a_drill_has_recovered_when_nothing_is_left_to_complain_about(
    report: DrillReport,
    recovered: bool,  # noqa: FBT001 - what is expected
    headline: str,
) -> None:
    assert report.recovered is recovered
    assert report.as_dict()["recovered"] is recovered
    assert report.render().splitlines()[0] == headline


def test_what_was_measured_stands_beside_its_objective() -> None:
    rows = rows_of(RECOVERED)

    assert ("RTO", "0:12:34, objective 0:30:00") in rows
    assert ("RPO", "3:59:56, objective 1 day, 0:00:00") in rows
    assert ("phases", "choose 1.2 s  create 8.0 s  wait 20.0 s  plan 0.5 s  restore 1,700.0 s") in rows


def test_all_three_counts_and_both_digests_are_shown() -> None:
    rows = rows_of(RECOVERED)

    at = rows.index(("rows", "12,000 in the manifest"))
    assert rows[at + 1 : at + 3] == [
        ("", "12,000 read from S3"),
        ("", "12,000 in the scratch table, by a strongly consistent count"),
    ]
    at = rows.index(("digest", f"{'ab' * 16} backup"))
    assert rows[at + 1] == ("", f"{'ab' * 16} scratch table")


def test_a_chain_shows_its_increments_what_was_replayed_and_what_that_leads_to() -> None:
    rows = rows_of(CHAIN)

    at = rows.index(("backup", CHAIN.backup))
    assert rows[at + 1] == ("", "and 14 increments, all of their changes")
    at = rows.index(("", "12,000 read from S3"))
    assert rows[at + 1 : at + 4] == [
        ("", "4,000 changes replayed"),
        ("", "11,990 items come of both, by another way than the replay's"),
        ("", "11,990 in the scratch table, by a strongly consistent count"),
    ]


def test_a_moment_within_a_chain_is_shown_as_its_limit() -> None:
    rows = rows_of(replace(CHAIN, increments=1, until="2026-11-25T02:30:00+00:00"))

    assert ("", "and 1 increment, changes up to 2026-11-25T02:30:00+00:00") in rows


def test_what_was_not_reached_is_said_so() -> None:
    rows = rows_of(FAILED)

    assert ("RTO", "not reached, objective 0:30:00") in rows
    assert ("", "not counted: read from S3") in rows
    assert ("", "not compared scratch table") in rows
    assert ("digest", "not known backup") in rows_of(EXPORTED)


def test_notes_come_before_problems_and_are_shown_as_they_are() -> None:
    labels = [label for label, _ in rows_of(FAILED)]
    text = FAILED.render()

    assert [label for label in labels if label in {"note", "problem"}] == ["note", "note", "problem", "problem"]
    assert "[red]stays[/red]" in text
    assert "the rows were not counted: the restore did not come that far" in text


@pytest.mark.parametrize("report", [RECOVERED, FAILED, EXPORTED, CHAIN])
def test_the_text_has_at_most_100_columns(report: DrillReport) -> None:
    wide = replace(report, notes=(f"s3://{'very-long-prefix/' * 20}: {'word ' * 60}",))

    assert max(map(len, wide.render().splitlines())) <= 100
    assert "very-long-prefix" in wide.render()


@pytest.mark.parametrize("report", [RECOVERED, FAILED, EXPORTED, CHAIN])
def test_a_dictionary_holds_all_of_it_as_json(report: DrillReport) -> None:
    values = report.as_dict()

    assert json.loads(json.dumps(values)) == values
    assert values.keys() == {*DrillReport.__slots__, "recovered"}
    assert (values["rto_seconds"], values["phases"]) == (report.rto_seconds, report.phases)
    assert values["problems"] == list(report.problems)


@pytest.mark.parametrize("seconds", [0.0, 0.4, -0.4, -12.0])
def test_a_backup_that_was_begun_after_the_trigger_has_lost_nothing(seconds: float) -> None:
    assert ("RPO", "0:00:00, objective 1 day, 0:00:00") in rows_of(replace(RECOVERED, rpo_seconds=seconds))
