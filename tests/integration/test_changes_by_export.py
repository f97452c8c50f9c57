"""Tables kept up to date by the service's exports: of the changes, and of the base that they begin with."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dags.airflow_home import run_once
from dynamodb_copy.errors import ChangesLostError, RunIncompleteError, TableError
from dynamodb_copy.job import IncrementalBackupJob, IncrementalJob
from integration.changes import next_second, undrained
from integration.dag_runs import ConnectTo, event_of, states
from integration.exports import (
    BY_EXPORT,
    BY_STREAM,
    EXPORT,
    Exporting,
    applied,
    assert_same,
    based,
    brought_up,
    change,
    moment,
    streamed,
    windowed,
)
from integration.killing import KilledError, Process, living
from integration.pair import Side, item_of, unseen
from integration.service_jobs import ITEMS, dies, fails, killed, switch_recovery, waited
from job_texts import text_of

pytestmark = [
    pytest.mark.integration,
    # the engine's connections end with a task's process; `dag.test()` runs all tasks in this one
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MINUTE, DAY = 60, 86_400


def test_before_a_window_has_ended_a_run_is_its_base(exporting: Exporting) -> None:
    began = int(time.time())

    report = brought_up(exporting.copy("1", base="export"))

    assert exporting.pair.target.items() == exporting.pair.source.items()
    assert len(exporting.exports) == 1
    assert any("nothing to read yet" in note for note in report.notes)
    assert began <= moment(report) <= began + 3
    assert not any("not consistent yet" in note for note in report.notes)
    assert report.items == ITEMS


def test_the_next_run_applies_a_window_with_its_deletes(exporting: Exporting) -> None:
    started = moment(brought_up(exporting.copy("1", base="export")))
    change(exporting.pair.source)
    exporting.pass_by()

    report = brought_up(exporting.copy("2", base="export"))

    assert exporting.pair.target.items() == exporting.pair.source.items()
    (window,) = exporting.windows()
    assert window == (started, moment(report))
    assert window[1] - window[0] == pytest.approx(30 * MINUTE, abs=10)
    assert (report.items, report.verdict.outcome, report.verdict.target_items) == (4, "equal", 4)
    assert not any("not consistent" in note for note in report.notes)


def test_a_run_that_finds_no_ended_window_does_nothing(exporting: Exporting) -> None:
    first = brought_up(exporting.copy("1"))
    change(exporting.pair.source)
    before = exporting.pair.target.items()

    rules = exporting.native.service.exports.rules()
    with exporting.pair.observed("aws_virginia", "aws_oregon", rules=rules) as proxy:
        second = brought_up(exporting.copy("2"))

    assert (proxy.count("Scan"), proxy.count("BatchWriteItem")) == (0, 0)
    assert (second.items, second.up_to) == (0, first.up_to)
    assert exporting.window_exports == []
    assert exporting.pair.target.items() == before


def test_what_is_left_of_more_than_a_day_is_several_windows(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    change(exporting.pair.source)
    exporting.pass_by(minutes=50 * 60)

    brought_up(exporting.copy("2"))

    cut = exporting.windows()
    assert [end - start for start, end in cut] == [DAY, DAY, pytest.approx(2 * 3600, abs=10)]
    assert exporting.exported_once()
    assert exporting.pair.target.items() == exporting.pair.source.items()


def test_a_runs_windows_are_decided_once(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    change(exporting.pair.source)
    exporting.pass_by()
    windowed(exporting.copy("2"))
    exporting.pass_by()

    brought_up(exporting.copy("2"))

    assert len(exporting.windows()) == 1
    assert exporting.pair.target.items() == exporting.pair.source.items()


@pytest.mark.parametrize("next_run", ["2", "3"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("hours", [0, 9])
def test_a_kill_around_the_start_of_an_export_pays_for_none_twice(
    exporting: Exporting, next_run: str, hours: int, *, after: bool
) -> None:
    brought_up(exporting.copy("1"))
    change(exporting.pair.source)
    exporting.pass_by()
    run = exporting.copy("2", connect=exporting.native.meeting(killed, EXPORT, after=after))
    based(run)
    run.hand_over()
    dies(run.start_windows)
    left = len(exporting.window_exports)
    exporting.pass_by(minutes=60 * hours)

    brought_up(exporting.copy(next_run))

    assert left == after
    assert exporting.exported_once()
    assert len(exporting.window_exports) == (2 if hours and next_run == "3" else 1)
    assert exporting.pair.target.items() == exporting.pair.source.items()


def test_a_second_run_takes_the_exports_of_the_first_over_and_adds_its_own(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    change(exporting.pair.source)
    exporting.pass_by()
    windowed(exporting.copy("2"))
    exporting.pass_by()

    report = brought_up(exporting.copy("3"))

    assert exporting.exported_once()
    assert [end for _, end in exporting.windows()][1:] == [moment(report)]
    assert exporting.pair.target.items() == exporting.pair.source.items()


def test_tasks_that_were_marked_as_success_let_nothing_be_applied(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    exporting.pass_by()
    run = exporting.copy("2", segments=1)
    based(run)
    (segment,) = run.hand_over().segments

    unstarted = fails(lambda: run.apply(segment, unseen, undrained))
    run.start_windows()
    undone = fails(lambda: run.apply(segment, unseen, undrained))
    unapplied = fails(run.seal)

    assert all(isinstance(error, RunIncompleteError) for error in (unstarted, undone, unapplied))
    assert "1 of 1 exports were not started; let the run's start_windows task succeed first" in str(unstarted)
    assert "let the run's windows_done task wait for" in str(undone)


@pytest.mark.usefixtures("short_windows")
def test_an_earlier_run_that_is_cleared_does_not_rewind_the_target(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    for run_id, text in (("2", "first"), ("3", "second")):
        exporting.pair.source.put(item_of(5, note={"S": text}))
        next_second()
        latest = brought_up(exporting.copy(run_id))

    report = brought_up(exporting.copy("2"))

    assert exporting.pair.target.items() == exporting.pair.source.items()
    assert report.up_to == latest.up_to
    assert any("another run had taken over" in note for note in report.notes)


@pytest.mark.usefixtures("short_windows")
def test_a_run_that_was_cut_short_is_redone_by_the_next_with_the_same_windows_first(exporting: Exporting) -> None:
    source = exporting.pair.source
    brought_up(exporting.copy("1"))
    source.put(*[item_of(number, note={"S": "first"}) for number in range(20)])
    next_second()
    cut_short = windowed(exporting.copy("2"))
    segments = cut_short.hand_over().segments
    cut_short.apply(segments[0], unseen, undrained)
    source.put(*[item_of(number, note={"S": "second"}) for number in range(10)])
    source.delete(15)
    next_second()

    report = brought_up(exporting.copy("3"))
    cut_short.apply(segments[1], unseen, undrained)

    assert report.items == 20 + 11
    assert exporting.exported_once()
    assert exporting.pair.target.items() == source.items()


@pytest.mark.usefixtures("short_windows")
def test_a_run_that_died_before_its_seal_is_taken_for_done(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    exporting.pair.source.put(item_of(5, note={"S": "first"}))
    next_second()
    applied(exporting.copy("2"))
    exporting.pair.source.delete(6)
    next_second()

    report = brought_up(exporting.copy("3"))

    assert report.items == 1
    assert exporting.exported_once()
    assert exporting.pair.target.items() == exporting.pair.source.items()


@pytest.mark.parametrize("changes", [BY_EXPORT, BY_STREAM])
def test_recovery_that_is_off_is_refused_with_the_command_that_switches_it_on(
    exporting: Exporting, changes: dict[str, str]
) -> None:
    switch_recovery(exporting.pair.source, on=False)
    jobs: dict[str, Any] = {"base": "export", "changes": changes}
    prepares = [exporting.copy("1", **jobs).prepare, exporting.chain("2", **jobs).prepare]

    for prepare in prepares:
        with pytest.raises(TableError, match=r"update-continuous-backups .* PointInTimeRecoveryEnabled=true"):
            prepare()

    assert not exporting.pair.target.exists()
    assert exporting.native.store.all_keys() == []


def test_recovery_that_began_anew_is_a_gap_which_on_gap_full_bridges(exporting: Exporting) -> None:
    brought_up(exporting.copy("1", base="export"))
    exporting.pair.source.delete(1, 2, 3)
    exporting.pass_by()
    exporting.renew_recovery()
    on_gap: dict[str, Any] = {"changes": {**BY_EXPORT, "on_gap": "full"}, "base": "export"}

    with pytest.raises(ChangesLostError, match="recovery was switched off and on"):
        exporting.copy("2", base="export").prepare()
    exporting.pass_by(minutes=5)
    brought_up(exporting.copy("3", **on_gap))

    assert exporting.pair.target.items() == exporting.pair.source.items()
    assert exporting.windows() == []


def test_a_failed_window_is_told_and_exported_anew_by_the_next_attempt(exporting: Exporting) -> None:
    brought_up(exporting.copy("1"))
    change(exporting.pair.source)
    exporting.pass_by()
    exporting.native.service.exports.fail_next("S3AccessDenied", "Access Denied (Service: Amazon S3)")

    error = fails(lambda: windowed(exporting.copy("2")))
    brought_up(exporting.copy("2"))

    assert isinstance(error, TableError)
    assert "is FAILED: S3AccessDenied" in str(error)
    assert len(exporting.window_exports) == 2
    assert exporting.pair.target.items() == exporting.pair.source.items()


@pytest.mark.parametrize("kind", ["copy", "chain"])
def test_a_failed_base_is_told_and_exported_anew_by_the_next_run(exporting: Exporting, kind: str) -> None:
    opened = getattr(exporting, kind)
    exporting.native.service.exports.fail_next("S3AccessDenied", "Access Denied (Service: Amazon S3)")

    error = fails(lambda: based(opened("1", base="export")))
    again = fails(opened("1", base="export").base_is_exported)
    brought_up(opened("2", base="export"))

    assert isinstance(error, TableError)
    assert "is FAILED: S3AccessDenied" in str(error)
    assert str(again) == str(error)
    assert len(exporting.exports) == 2


@pytest.mark.usefixtures("short_windows")
def test_a_base_that_another_run_has_made_is_not_copied_again(exporting: Exporting) -> None:
    early = exporting.copy("1", base="export")
    early.prepare()
    waited(early.base_is_exported)
    segments = early.plan().segments
    early.copy(segments[0], unseen)
    brought_up(exporting.copy("2", base="export"))
    exporting.pair.source.delete(*range(ITEMS))
    exporting.pair.source.fill([1000])
    next_second()
    brought_up(exporting.copy("3", base="export"))

    early.copy(segments[1], unseen)

    assert exporting.pair.target.items() == exporting.pair.source.items()


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_around_the_start_of_a_bases_export_pays_for_none_twice(exporting: Exporting, *, after: bool) -> None:
    run = exporting.copy("1", base="export", connect=exporting.native.meeting(killed, EXPORT, after=after))
    run.prepare()
    dies(run.base_is_exported)

    brought_up(exporting.copy("2", base="export"))

    assert len(exporting.exports) == 1
    assert exporting.pair.target.items() == exporting.pair.source.items()


@pytest.mark.usefixtures("quick_drains")
@pytest.mark.parametrize("kind", ["copy", "chain"])
def test_a_base_by_export_waits_until_its_mark_can_be_exported_and_the_stream_goes_on(
    exporting: Exporting, kind: str
) -> None:
    exporting.native.service.hours = 0.0
    next_second()
    run = getattr(exporting, kind)("1", base="export", changes=BY_STREAM)
    run.prepare()
    marked = time.time()
    change(exporting.pair.source)
    early = [run.base_is_exported() for _ in range(2)]
    started = list(exporting.exports)
    exporting.pass_by(minutes=5)

    waited(run.base_is_exported)
    exporting.pair.source.delete(10)
    streamed(run)

    assert (early, started, len(exporting.exports)) == ([False, False], [], 1)
    assert marked - 3 <= exporting.described(exporting.exports[0])["ExportTime"].timestamp() <= marked + 1
    assert_same(exporting, kind)


@pytest.mark.usefixtures("quick_drains")
@pytest.mark.parametrize("kind", ["copy", "chain"])
def test_a_base_of_which_recovery_began_after_its_mark_is_exported_as_of_then(exporting: Exporting, kind: str) -> None:
    exporting.native.service.hours = 0.0
    run = getattr(exporting, kind)("1", base="export", changes=BY_STREAM)
    run.prepare()
    change(exporting.pair.source)
    next_second()
    exporting.renew_recovery()
    exporting.pass_by(minutes=5)

    waited(run.base_is_exported)
    streamed(run)

    assert_same(exporting, kind)


@pytest.mark.usefixtures("short_windows")
@pytest.mark.parametrize("kind", ["copy", "chain"])
def test_whatever_dies_at_whatever_request_a_history_comes_to_the_same_end(
    exporting: Exporting, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rng = random.Random(kind)  # noqa: S311 - no secret
    opened = partial(getattr(exporting, kind), base="export")
    beginning = opened("1")
    beginning.prepare()
    beginning.base_is_exported()  # the fake's exports are of when they are asked for; AWS's are of their moment
    run_id, kills = 1, 0
    for _ in range(10):
        rewrite(exporting.pair.source, rng)
        next_second()
        process = Process(rng.randrange(1, 90), after_sending=rng.random() < 0.5)
        with suppress(KilledError), living(process, exporting.native.service.proxy.endpoint, monkeypatch):
            brought_up(opened(str(run_id)))
        kills += process.is_doomed
        run_id += rng.randrange(2)  # else it is the same run's next attempt

    next_second()
    brought_up(opened("last"))

    assert kills >= 7
    assert exporting.exported_once()
    assert_same(exporting, kind)


@pytest.mark.parametrize("kind", ["copy", "chain"])
def test_dag_runs_wait_for_the_base_and_for_the_windows(
    exporting: Exporting, connect_to: ConnectTo, tmp_path: Path, kind: str
) -> None:
    connect_to(exporting.native.service.proxy.endpoint)
    name = f"{exporting.pair.table}_{kind}"
    (tmp_path / f"{name}.yaml").write_text(job_text(exporting, kind))
    file = f"incremental_{'copy' if kind == 'copy' else 'backup'}.py"

    first = run_once(name, file)
    change(exporting.pair.source)
    exporting.pass_by()
    second = run_once(name, file)

    assert (first.state, second.state) == ("success", "success"), (states(first), states(second))
    assert (event_of(first).extra["items"], event_of(second).extra["items"]) == (ITEMS, 4)
    assert len(exporting.exports) == 2
    assert_same(exporting, kind)


def rewrite(source: Side, rng: random.Random) -> None:
    """Put and delete at random."""
    for number in rng.choices(range(2 * ITEMS), k=10):
        if rng.random() < 0.4:
            source.delete(number)
        else:
            source.put(item_of(number, note={"S": str(rng.random())}))


def job_text(exporting: Exporting, kind: str) -> str:
    """A job by exports alone."""
    jobs = {"base": "export", "changes": BY_EXPORT, "segments": 2, "retry_delay": "1s"}
    source, store = {"table": exporting.pair.table}, exporting.native.store
    if kind == "chain":
        return text_of(IncrementalBackupJob, from_=source, to_=store.place, **jobs)
    return text_of(IncrementalJob, from_=source, to_=source, staging=store.place["s3"], write="unlimited", **jobs)
