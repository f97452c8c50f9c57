"""Jobs that end when somebody has looked often enough."""

from __future__ import annotations

import pytest

from stack.native_calls import RefusalError
from stack.native_jobs import Job, Jobs

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01772530200417-5d0c8a2e"


def job(ended: list[str]) -> Job:
    """A job that says when it does its work."""

    def ending() -> dict[str, str]:
        ended.append("now")
        return {"Status": "COMPLETED"}

    return Job(ARN, "us-east-1", {"ClientToken": "run-1"}, {"Status": "IN_PROGRESS"}, 0.0, ending)


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_a_job_is_in_progress_for_as_many_polls_as_asked_and_works_once(polls: int) -> None:
    ended: list[str] = []
    jobs = Jobs("Export", polls, lambda: 0.0)
    jobs.add(job(ended))

    statuses = [jobs.polled(ARN)["Status"] for _ in range(polls + 2)]

    assert statuses == ["IN_PROGRESS"] * polls + ["COMPLETED"] * 2
    assert ended == ["now"]
    assert jobs.running() == []


def test_a_token_counts_in_its_region_alone() -> None:
    jobs = Jobs("Export", 1, lambda: 0.0)
    jobs.add(job([]))

    assert jobs.of_token("run-1", "us-east-1") is not None
    assert jobs.of_token("run-1", "us-west-2") is None
    assert jobs.of_token("run-2", "us-east-1") is None


def test_an_unknown_job_is_refused_by_its_kind() -> None:
    with pytest.raises(RefusalError) as caught:
        Jobs("Import", 1, lambda: 0.0).polled(ARN)

    assert caught.value.code == "ImportNotFoundException"
