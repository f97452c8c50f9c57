"""Jobs of the service that a run means to start: written down before it does."""

from __future__ import annotations

from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.state.service_jobs import Intent, arn_of, intent, remember_arn
from unit.state.memory_rows import MemoryRows

RUN = "run#orders/manual__1"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01768385930622-efd1a093"


def test_what_is_meant_is_written_down_before_it_is_done() -> None:
    rows = MemoryRows()

    meant = intent(rows, RUN, "token-1", 1_768_385_930.0)

    assert meant == Intent("token-1", 1_768_385_930.0, None, is_new=True)
    assert rows.requests[0] == "insert"


def test_a_later_attempt_means_what_the_first_one_did() -> None:
    rows = MemoryRows()
    intent(rows, RUN, "token-1", 1_768_385_930.0)

    assert intent(rows, RUN, "token-2", 1_768_399_999.0) == Intent("token-1", 1_768_385_930.0, None, is_new=False)


def test_of_two_attempts_at_once_both_mean_the_same() -> None:
    rows = MemoryRows()
    found: list[Intent] = []

    def overtaken(verb: str) -> None:
        if verb == "insert" and not found:
            found.append(Intent("", 0.0, None, is_new=False))
            found.append(intent(rows, RUN, "token-2", 2.0))

    rows.step = overtaken
    found.append(intent(rows, RUN, "token-1", 1.0))

    assert [(each.token, each.moment, each.is_new) for each in found[1:]] == [
        ("token-2", 2.0, True),
        ("token-2", 2.0, False),
    ]


def test_the_job_that_was_started_is_known_to_every_later_attempt() -> None:
    rows = MemoryRows()
    intent(rows, RUN, "token-1", 1.0)

    remember_arn(rows, RUN, ARN)

    assert arn_of(rows, RUN) == ARN
    assert intent(rows, RUN, "token-2", 2.0) == Intent("token-1", 1.0, ARN, is_new=False)


def test_a_run_that_has_started_nothing_has_no_job() -> None:
    rows = MemoryRows()
    before = arn_of(rows, RUN)
    intent(rows, RUN, "token-1", 1.0)

    assert (before, arn_of(rows, RUN)) == (None, None)


def test_runs_have_jobs_of_their_own() -> None:
    rows = MemoryRows()
    intent(rows, RUN, "token-1", 1.0)
    remember_arn(rows, RUN, ARN)

    assert arn_of(rows, "run#orders/manual__2") is None
    assert intent(rows, "run#orders/manual__2", "token-2", 2.0).is_new


def test_moments_are_whole_seconds_as_the_service_takes_them() -> None:
    rows = MemoryRows()

    assert intent(rows, RUN, "token-1", 1_768_385_930.25).moment == 1_768_385_930.0
    assert intent(rows, RUN, "token-1", 1_768_385_930.25).moment == 1_768_385_930.0


def test_what_was_meant_goes_with_the_run() -> None:
    rows = MemoryRows()
    intent(rows, RUN, "token-1", 1.0)
    remember_arn(rows, RUN, ARN)

    assert "expires_at" in rows.rows[RowKey(RUN, "service-job")]
