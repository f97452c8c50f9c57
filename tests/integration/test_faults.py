"""Whole copies through a proxy that fails in every way there is: in the end the target is exactly the source."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dynamodb_copy.assembly import CopyRun, Progress
from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.errors import AccessError, CopyError, PermanentError, RequestRefusedError
from dynamodb_copy.model import Segment, Tally
from integration.pair import Pair, impatient_client, unseen, whole
from stack import proxy_faults as faults
from stack.capacity import EnforcedCapacity, TableCapacity
from stack.fault_proxy import FaultProxy
from stack.proxy_batches import held_back
from stack.proxy_faults import Fault, Rule, chance, nth

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("small_pages")]

HASTY = Clock(sleep=lambda seconds: time.sleep(seconds / 50))
"""Waits as they are chosen, fifty times faster."""

FAULTS: dict[str, Fault] = {
    "throttled": faults.throttled(),
    "throttled on demand": faults.throttled_on_demand(),
    "account limit": faults.request_limit_exceeded(),
    "internal error": faults.internal_error(),
    "HTML page": faults.service_unavailable(),
    "cut before": faults.cut_before_forwarding(),
    "cut after": faults.cut_after_forwarding(),
    "truncated": faults.truncated_body(),
    "wrong checksum": faults.wrong_checksum(),
}
BOTH = ("aws_virginia", "aws_oregon")
DATA_PLANE = ("Scan", "BatchWriteItem", "GetItem", "PutItem", "UpdateItem", "Query")


def planned(pair: Pair) -> None:
    """Bring a run to where its copy may begin."""
    run = run_of(pair)
    run.prepare()
    run.plan()


def run_of(pair: Pair) -> CopyRun:
    """The run, as the next process opens it: by the endpoints of now."""
    return pair.run("faults", clock=HASTY)


def tally_of(run: CopyRun) -> Tally:
    """What its copy counted."""
    return sum([run.copy(segment, unseen) for segment in run.plan().segments], Tally())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_copy_outlives_failing_requests(filled: Pair, fault: Fault) -> None:
    reads, writes = Rule(fault, "Scan", chance(0.3)), Rule(fault, "BatchWriteItem", chance(0.3))
    planned(filled)

    with filled.observed(*BOTH, rules=[reads, writes]):
        tally = tally_of(run_of(filled))

    assert min(reads.struck, writes.struck) > 0
    assert tally.retries == reads.struck + writes.struck
    assert tally.items == 300
    assert filled.target.items() == filled.source.items()


def test_a_copy_outlives_swallowed_requests(filled: Pair) -> None:
    reads, writes = Rule(faults.swallowed(), "Scan", nth(1)), Rule(faults.swallowed(), "BatchWriteItem", nth(1, 3))
    planned(filled)

    with filled.observed(*BOTH, rules=[reads, writes]):
        tally_of(run_of(filled))

    assert (reads.struck, writes.struck) == (1, 2)
    assert filled.target.items() == filled.source.items()


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_unprocessed_items_are_sent_again_until_they_are_written(filled: Pair, share: float) -> None:
    rule = Rule(held_back(share), "BatchWriteItem", chance(0.5))
    planned(filled)

    with filled.observed("aws_oregon", rules=[rule]):
        tally = tally_of(run_of(filled))

    assert tally.throttles == rule.struck > 0
    assert filled.target.items() == filled.source.items()


def test_a_target_that_processes_nothing_for_a_while_gets_everything_in_the_end(filled: Pair) -> None:
    rule = Rule(held_back(), "BatchWriteItem", nth(*range(1, 25)))
    planned(filled)

    with filled.observed("aws_oregon", rules=[rule]):
        tally_of(run_of(filled))

    assert rule.struck == 24
    assert filled.target.items() == filled.source.items()


def test_all_faults_at_once_change_neither_items_nor_verdict(filled: Pair) -> None:
    rules = [Rule(fault, operation, chance(0.03)) for fault in FAULTS.values() for operation in DATA_PLANE]
    rules += [Rule(held_back(0.4), "BatchWriteItem", chance(0.3))]
    planned(filled)

    with filled.observed(*BOTH, rules=rules):
        run = run_of(filled)
        tally_of(run)
        run.verify()
        report = run.seal()

    assert sum(rule.struck for rule in rules) > 20
    assert report.verdict.outcome == "equal"
    assert filled.target.items() == filled.source.items()


def test_a_table_that_throttles_beyond_its_capacity_is_filled_at_its_pace(filled: Pair) -> None:
    capacity = EnforcedCapacity(TableCapacity(filled.table, write_units=200.0))
    planned(filled)

    with filled.observed("aws_oregon", rules=[Rule(capacity)]) as proxy:
        tally = tally_of(run_of(filled))

    assert tally.throttles > 0
    assert tally.write_units == pytest.approx(sum(units for _, units in proxy.consumed("write")))
    assert filled.target.items() == filled.source.items()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.access_denied(), AccessError),
        (faults.expired_token(), AccessError),
        (faults.refused(lambda: faults.error("ResourceNotFoundException", "gone")), PermanentError),
    ],
    ids=["access denied", "expired token", "table gone"],
)
@pytest.mark.parametrize("operation", ["Scan", "BatchWriteItem"])
def test_a_permanent_error_is_not_tried_again_and_a_later_attempt_goes_on(
    filled: Pair, fault: Fault, expected: type[CopyError], operation: str
) -> None:
    rule = Rule(fault, operation, lambda number, _request: number > 2)
    planned(filled)

    with filled.observed(*BOTH, rules=[rule]) as proxy:
        with pytest.raises(expected) as caught:
            tally_of(run_of(filled))
        answered = [e for e in proxy.exchanges if e.operation == operation and e.status == 400]

    assert not isinstance(caught.value, RequestRefusedError)
    assert len(answered) <= (1 if operation == "Scan" else 16)  # what was on its way already
    tally_of(run_of(filled))
    assert filled.target.items() == filled.source.items()


@pytest.fixture
def from_moto(pair: Pair, moto_endpoint: str) -> Iterator[Pair]:
    """A source of 300 items in moto."""
    pair.endpoints["aws_virginia"] = moto_endpoint
    pair.source.client = impatient_client(moto_endpoint, pair.source.region)
    pair.source.create()
    pair.source.fill(range(300))
    yield pair
    pair.source.client.delete_table(TableName=pair.table)


def test_a_copy_between_two_implementations_of_the_service_is_equal(from_moto: Pair) -> None:
    report = whole(from_moto.run("from moto"))

    assert report.verdict.outcome == "equal"
    assert from_moto.target.items() == from_moto.source.items()


def test_connections_that_the_service_closes_cost_only_the_requests_that_were_on_their_way(filled: Pair) -> None:
    hang_ups: list[Segment] = []

    def hanging_up(proxy: FaultProxy) -> Progress:
        def on_progress(segment: Segment, _tally: Tally) -> None:
            hang_ups.append(segment)
            with proxy.refusing_connections():
                pass

        return on_progress

    planned(filled)
    with filled.observed("aws_oregon") as proxy:
        run = run_of(filled)
        tallies = [run.copy(segment, hanging_up(proxy)) for segment in run.plan().segments]

    requests_of_a_page = 3
    assert sum(tally.retries for tally in tallies) <= requests_of_a_page * len(hang_ups)
    assert filled.target.items() == filled.source.items()
