"""Jobs of the service that a run means to start: written down before it does."""

from __future__ import annotations

import time

from dynamodb_copy.state.rows import RowKey
from dynamodb_copy.state.service_jobs import Intent, arn_of, intent, remember_arn, renewed
from unit.state.memory_rows import MemoryRows

RUN = "run#orders/manual__1"
WINDOW = RowKey("target#arn:aws:dynamodb:us-west-2:123456789012:table/orders", "export#1768389300-1768390200")
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


def test_a_job_that_outlives_runs_has_a_row_of_its_own() -> None:
    rows = MemoryRows()
    intent(rows, WINDOW, "token-1", 1_768_390_200.0, 120)
    remember_arn(rows, WINDOW, ARN)

    assert arn_of(rows, WINDOW) == ARN
    assert arn_of(rows, RUN) is None
    assert intent(rows, WINDOW, "token-2", 2.0) == Intent("token-1", 1_768_390_200.0, ARN, is_new=False)
    assert int(rows.rows[WINDOW]["expires_at"]["N"]) > time.time() + 119 * 86_400


def test_in_place_of_a_useless_job_another_one_is_meant_of_the_same_moment() -> None:
    rows = MemoryRows()
    intent(rows, WINDOW, "token-1", 1.0)
    remember_arn(rows, WINDOW, ARN)
    useless = intent(rows, WINDOW, "", 0.0)

    again = renewed(rows, WINDOW, "token-2", useless)

    assert again == Intent("token-2", 1.0, None, is_new=True)
    assert arn_of(rows, WINDOW) is None
    assert intent(rows, WINDOW, "token-3", 3.0) == Intent("token-2", 1.0, None, is_new=False)


def test_of_two_attempts_that_find_a_useless_job_both_mean_the_same() -> None:
    rows = MemoryRows()
    intent(rows, WINDOW, "token-1", 1.0)
    remember_arn(rows, WINDOW, ARN)
    useless = intent(rows, WINDOW, "", 0.0)
    renewed(rows, WINDOW, "token-2", useless)
    remember_arn(rows, WINDOW, f"{ARN}-2")

    assert renewed(rows, WINDOW, "token-3", useless) == Intent("token-2", 1.0, f"{ARN}-2", is_new=False)
