"""Whole backups and restores through a bucket that fails in every way there is: what comes back is what was there."""

from __future__ import annotations

import time
from http import HTTPStatus

import pytest

from dynamodb_copy.assembly import BackupRun, RestoreRun
from dynamodb_copy.aws.backoff import Clock, Patience
from dynamodb_copy.errors import TransientError
from dynamodb_copy.model import Segment
from dynamodb_copy.sinks import s3_backup
from integration.backups import Store, contents, whole_backup, whole_restore
from integration.pair import Hurried, Pair, unseen
from stack.proxy_faults import (
    Fault,
    Rule,
    cut_after_forwarding,
    cut_before_forwarding,
    service_unavailable,
    truncated_body,
)
from stack.proxy_s3 import lines, s3_refuses

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("small_pages")]

HASTY = Clock(sleep=lambda seconds: time.sleep(seconds / 50))
"""Waits as they are chosen, fifty times faster."""

FAULTS: list[Fault] = [
    s3_refuses("SlowDown", HTTPStatus.SERVICE_UNAVAILABLE),
    cut_before_forwarding(),
    cut_after_forwarding(),
    truncated_body(),
]


def test_a_backup_and_its_restore_outlive_failing_requests(
    filled: Pair, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_backup, "PART_BYTES", 0)
    rules = [Rule(fault, when=lines("(PUT|GET|HEAD) ", 4 + 3 * n, 30 + 3 * n)) for n, fault in enumerate(FAULTS)]

    with filled.observed("aws_oregon", rules=rules):
        whole_backup(store.backup(clock=HASTY))
        report = whole_restore(store.restore(clock=HASTY))

    (folder,) = store.folders()
    assert [rule.struck for rule in rules] == [2] * len(FAULTS)
    assert (report.verdict.outcome, report.items) == ("equal", 300)
    assert [part["dataFileS3Key"] for part in store.parts(folder)] == store.all_keys(f"{folder}/data/")
    assert contents(filled.target) == contents(filled.source)


def next_segment(run: BackupRun | RestoreRun) -> Segment:
    """The only segment of a run that is prepared."""
    run.prepare()
    (segment,) = run.plan().segments
    return segment


def test_a_bucket_that_goes_dark_during_the_copy_fails_the_task_and_its_retry_goes_on(
    filled: Pair, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Patience, "total_seconds", 0.2)
    clock, run = Hurried(), store.backup(segments=1)
    segment = next_segment(run)

    with (
        filled.observed("aws_oregon", rules=[Rule(service_unavailable(), when=lines("PUT .*/data/"))]),
        pytest.raises(TransientError, match="PutObject"),
    ):
        store.backup(segments=1, clock=clock).copy(segment, unseen)

    assert clock.slept != []  # it waits on the run's clock
    assert run.copy(segment, unseen).items == 300
    run.seal()

    restore, clock = store.restore(segments=1), Hurried()
    restore.choose()
    segment = next_segment(restore)
    with (
        filled.observed("aws_oregon", rules=[Rule(service_unavailable(), when=lines("GET .*/data/"))]),
        pytest.raises(TransientError, match="GetObject"),
    ):
        store.restore(segments=1, clock=clock).copy(segment, unseen)

    assert clock.slept != []
    assert restore.copy(segment, unseen).items == 300
    assert restore.verify().outcome == "equal"
