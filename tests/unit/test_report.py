from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dynamodb_copy.report import Report, SegmentReport, Verdict
from dynamodb_copy.report_text import render_rows

EQUAL = Verdict(
    outcome="equal",
    mode="content",
    source_items=500,
    target_items=500,
    extra=0,
    missing=0,
    changed=0,
    expiring=0,
    source_digest="ab" * 16,
    target_digest="ab" * 16,
    differing_buckets=(),
    differing=(),
    statement="The target holds exactly the items that were read.",
)
DIFFERS = replace(
    EQUAL,
    outcome="differs",
    target_items=499,
    missing=2,
    extra=1,
    target_digest="cd" * 16,
    differing_buckets=(3, 200),
    differing=("key 5f2a", "key 77b0"),
)
SEGMENT = SegmentReport("segment 1/1", 500, 40_000, 12.5, 500.0, 1, 2, 3.0)


def report_of(segments: int = 2, verdict: Verdict = EQUAL) -> Report:
    return Report(
        job="orders",
        run_id="cli/20261123T091300Z-1f3a9c",
        source="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        target="arn:aws:dynamodb:us-west-2:123456789012:table/orders",
        started="2026-11-23T09:13:00Z",
        finished="2026-11-23T09:13:08+00:00",
        segments=tuple(
            replace(SEGMENT, label=f"segment {n + 1}/{segments}", seconds=float(n + 1)) for n in range(segments)
        ),
        verdict=verdict,
        deleted=7,
        notes=("auto scaling is not copied", "[red]brackets[/red] stay"),
    )


def test_totals_are_the_sums_over_segments() -> None:
    report = report_of(segments=2)

    assert (report.items, report.bytes, report.read_units, report.write_units) == (1000, 80_000, 25.0, 1000.0)
    assert (report.throttles, report.retries) == (2, 4)


def test_time_is_wall_time_and_not_the_sum_over_segments() -> None:
    report = report_of(segments=2)

    assert report.seconds == 8.0
    assert report.items_per_second == 125.0


def test_a_run_too_short_for_the_clock_has_no_rate() -> None:
    report = report_of()

    assert replace(report, finished=report.started).items_per_second == 0.0


@pytest.mark.parametrize("verdict", [EQUAL, DIFFERS])
def test_a_report_survives_its_way_through_json(verdict: Verdict) -> None:
    report = report_of(verdict=verdict)

    assert Report.from_dict(json.loads(json.dumps(report.as_dict()))) == report


@pytest.mark.parametrize("verdict", [EQUAL, DIFFERS])
def test_a_verdict_survives_its_way_through_json(verdict: Verdict) -> None:
    assert Verdict.from_dict(json.loads(json.dumps(verdict.as_dict()))) == verdict


def test_dictionaries_hold_json_values_only() -> None:
    values = report_of(verdict=DIFFERS).as_dict()

    assert json.loads(json.dumps(values)) == values


def test_the_dictionary_of_a_report_has_the_totals_too() -> None:
    assert report_of(segments=2).as_dict()["totals"] == {
        "items": 1000,
        "bytes": 80_000,
        "read_units": 25.0,
        "write_units": 1000.0,
        "throttles": 2,
        "retries": 4,
        "seconds": 8.0,
        "items_per_second": 125.0,
    }


@pytest.mark.parametrize(
    ("verdict", "headline"),
    [
        (EQUAL, "equal"),
        (replace(EQUAL, outcome="superset", extra=1200), "superset (1,200 extra)"),
        (DIFFERS, "differs (2 missing, 1 extra)"),
        (replace(EQUAL, outcome="not verified", mode="none"), "not verified"),
    ],
)
def test_the_headline_says_the_outcome_and_the_counts_behind_it(verdict: Verdict, headline: str) -> None:
    assert verdict.headline == headline
    assert report_of(verdict=verdict).render().startswith(f"orders: {headline}, 1,000 items in 8.0 s\n")


def test_the_text_says_from_where_to_where_and_at_what_cost() -> None:
    text = report_of().render()

    assert "source     arn:aws:dynamodb:us-east-1:123456789012:table/orders\n" in text
    assert "target     → arn:aws:dynamodb:us-west-2:123456789012:table/orders\n" in text
    assert "items      1,000, 125 per second\n" in text
    assert "size       80.0 kB\n" in text
    assert "capacity   25.0 read units, 1,000.0 write units\n" in text
    assert "deleted    7 items" in text


def test_the_text_says_the_digest_and_what_it_proves() -> None:
    text = report_of().render()

    assert f"digest     {'ab' * 16} source\n           {'ab' * 16} target\n" in text
    assert "proves     The target holds exactly the items that were read." in text


def test_the_text_of_a_count_speaks_of_no_digest() -> None:
    counted = replace(EQUAL, mode="count", source_digest="", target_digest="")

    assert "digest" not in report_of(verdict=counted).render()


def test_what_differs_is_named_as_it_was_given() -> None:
    text = report_of(verdict=DIFFERS).render()

    assert "buckets    2 of 256 differ\n" in text
    assert "differing  key 5f2a\n           key 77b0\n" in text


def test_brackets_in_notes_are_no_markup() -> None:
    assert "[red]brackets[/red] stay" in report_of().render()


def test_up_to_32_segments_have_a_row_each() -> None:
    text = report_of(segments=32).render()

    assert [f"segment {n}/32 " in text for n in range(1, 33)] == [True] * 32
    assert "faster ones" not in text


def test_of_more_segments_the_slowest_ten_have_rows_and_the_others_are_summed_up() -> None:
    lines = report_of(segments=33).render().splitlines()

    rows = [line.split() for line in lines if line.startswith(" segment ") and "/" in line]
    summary = next(line.split() for line in lines if "faster ones" in line)
    assert [row[1] for row in rows] == [f"{n}/33" for n in range(33, 23, -1)]
    assert summary == ["23", "faster", "ones", "11,500", "920.0", "kB", "288", "11,500", "23", "46", "276.0"]


def test_no_line_is_wider_than_100_columns_and_none_has_colour_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    huge = SegmentReport("segment 255/256", 10**9, 10**12, 1e9, 1e9, 10**5, 10**5, 1e5)
    wordy = replace(DIFFERS, statement="proven " * 60, differing=("x" * 300,))

    text = replace(report_of(verdict=wordy), segments=(huge,), notes=("note " * 50,)).render()

    assert max(len(line) for line in text.splitlines()) <= 100
    assert "segment 1,000,000,000 1.0 TB 1,000,000,000 1,000,000,000 100,000 100,000 100,000.0" in " ".join(
        text.split()
    )
    assert "\x1b" not in text


def test_folding_a_long_value_loses_nothing_of_it() -> None:
    lines = render_rows("headline", [("key", "x" * 250)]).splitlines()

    assert lines[0] == "headline"
    assert sum(line.count("x") for line in lines) == 250


def test_a_verdict_alone_can_be_read_too() -> None:
    assert DIFFERS.render().splitlines()[:2] == ["differs (2 missing, 1 extra)", "compared   content"]
