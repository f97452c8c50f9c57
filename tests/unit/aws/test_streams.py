"""What goes over the wire to a stream, and how its listings and its shards are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.aws.faults import IteratorExpiredError, ResourceMissingError, TrimmedError
from dynamodb_copy.aws.raw_json import STREAMS, Wire
from dynamodb_copy.aws.shard_reader import ShardReader
from dynamodb_copy.aws.streams import shards, stream_status
from dynamodb_copy.errors import AccessError, CopyError, ServiceUnavailableError
from dynamodb_copy.lineage import Shard
from fake_stream import STREAM, Chance, FakeStream
from fakes import FakeWire, StoppedClock, scripted
from unit.aws.local_server import LocalServer, Reaction, refuses, replies, served
from unit.aws.wires import PATIENT, dynamodb, wire_to

THROTTLED = ServiceUnavailableError("slowly", throttled=True)


def described(*listed: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StreamDescription": {"StreamArn": STREAM, "StreamStatus": "ENABLED", "Shards": list(listed), **more}}


def shown(name: str, parent: str | None = None, *, is_closed: bool = False) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "5"} if is_closed else {})
    listed: dict[str, Any] = {"ShardId": name, "SequenceNumberRange": numbers}
    return listed if parent is None else listed | {"ParentShardId": parent}


@pytest.fixture
def served_stream() -> Iterator[Any]:
    with served(replies({})) as server:
        yield server


def stream_wire(server: LocalServer) -> Wire:
    return Wire(dynamodb(server.url), PATIENT, Clock(), target=STREAMS)


def test_requests_to_a_stream_name_its_api_and_are_signed_for_dynamodb(served_stream: LocalServer) -> None:
    with closing(stream_wire(served_stream)) as wire, closing(wire.sibling()) as sibling:
        wire.call("GetRecords", {})
        sibling.call("DescribeStream", {})

    first, second = (request.headers for request in served_stream.received)
    assert first["x-amz-target"] == "DynamoDBStreams_20120810.GetRecords"
    assert second["x-amz-target"] == "DynamoDBStreams_20120810.DescribeStream"
    assert "/us-east-1/dynamodb/aws4_request" in first["authorization"]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["Fri, 15 Jan 2027 08:00:00 GMT"], 1_800_000_000.0),
        (["Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 2027 08:00:07 GMT"], 1_800_000_007.0),
        (["yesterday"], None),
        ([], None),
    ],
)
def test_a_wire_knows_the_services_clock_as_of_the_last_reply(dates: list[str], expected: float | None) -> None:
    reactions = [replies({}, Date=date) for date in dates]
    with served(*reactions or [replies({})]) as server, closing(wire_to(server.url)) as wire:
        for _ in dates:
            wire.call("GetRecords", {})

        assert wire.service_time() == expected


def test_a_refusal_tells_the_services_clock_too() -> None:
    body = b'{"__type":"x#TrimmedDataAccessException","message":"gone"}'
    refusal = replies(body, status="400 Bad Request", Date="Fri, 15 Jan 2027 08:00:00 GMT")
    with served(refusal) as server, closing(wire_to(server.url)) as wire:
        with pytest.raises(TrimmedError):
            wire.call("GetRecords", {})

        assert wire.service_time() == 1_800_000_000.0


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("TrimmedDataAccessException", TrimmedError),
        ("ExpiredIteratorException", IteratorExpiredError),
        ("ResourceNotFoundException", ResourceMissingError),
        ("LimitExceededException", ServiceUnavailableError),
        ("AccessDeniedException", AccessError),
    ],
)
def test_what_a_stream_refuses_becomes_an_error_of_ours(code: str, expected: type[CopyError]) -> None:
    refusal: Reaction = refuses(code)
    with served(refusal) as server, closing(wire_to(server.url)) as wire, pytest.raises(expected):
        wire.call("GetRecords", {})


def test_a_listing_is_read_page_by_page_and_a_shard_that_two_pages_show_is_one() -> None:
    first = described(shown("a", is_closed=True), shown("b", "a", is_closed=True), LastEvaluatedShardId="b")
    second = described(shown("b", "a", is_closed=True), shown("c", "b"))
    wire = FakeWire(scripted(first, second))

    listed = shards(wire, STREAM)

    assert listed == [
        Shard("a", None, is_closed=True),
        Shard("b", "a", is_closed=True),
        Shard("c", "b", is_closed=False),
    ]
    assert [request for _, request in wire.requests] == [
        {"StreamArn": STREAM},
        {"StreamArn": STREAM, "ExclusiveStartShardId": "b"},
    ]


def test_a_listing_that_names_an_unlisted_parent_is_asked_for_until_it_brings_nothing_new() -> None:
    partial, whole = described(shown("c", "b")), described(shown("b", "a", is_closed=True), shown("c", "b"))
    clock = StoppedClock()
    wire = FakeWire(scripted(partial, whole, whole), clock)

    listed = shards(wire, STREAM)

    assert {shard.id for shard in listed} == {"b", "c"}
    assert clock.slept == [1.0, 1.0]


def test_a_listing_without_the_children_of_a_closed_shard_is_asked_for_again() -> None:
    early = described(shown("a", is_closed=True))
    wire = FakeWire(scripted(early, described(shown("a", is_closed=True), shown("b", "a"))))

    assert {shard.id for shard in shards(wire, STREAM)} == {"a", "b"}


def test_listings_that_never_agree_are_taken_together_after_some_tries() -> None:
    disagreeing = [described(shown(name, "gone")) for name in "abcdefg"]
    wire = FakeWire(scripted(*disagreeing))

    assert {shard.id for shard in shards(wire, STREAM, tries=3)} == {"a", "b", "c"}


def test_a_listing_that_is_throttled_goes_on_where_it_was() -> None:
    wire = FakeWire(scripted(described(shown("a"), LastEvaluatedShardId="a"), THROTTLED, described(shown("b"))))

    assert [shard.id for shard in shards(wire, STREAM)] == ["a", "b"]
    assert [request.get("ExclusiveStartShardId") for _, request in wire.requests] == [None, "a", "a"]


@given(st.lists(st.sampled_from("abcd"), max_size=8), st.integers(0, 99))
def test_every_listed_shard_of_any_family_is_found(splits: list[str], seed: int) -> None:
    stream = FakeStream(list("abcd"), chance=Chance(fails=0.2), seed=seed)
    for key in splits:
        stream.split(key)

    assert shards(stream.wire(), STREAM) == stream.shards


def test_a_streams_status_is_told_without_its_shards() -> None:
    wire = FakeWire(scripted(described(shown("a"), StreamViewType="NEW_IMAGE", TableName="orders")))

    status = stream_status(wire, STREAM)

    assert status["StreamStatus"] == "ENABLED"
    assert status["StreamViewType"] == "NEW_IMAGE"
    assert "Shards" not in status


def test_a_reader_begins_at_the_oldest_record_or_after_the_one_that_was_passed_on() -> None:
    wire = FakeWire(scripted({"ShardIterator": "i"}, {"ShardIterator": "j"}))

    ShardReader(wire, STREAM, "a", "").ask()
    ShardReader(wire, STREAM, "a", "7").ask()

    assert [request for _, request in wire.requests] == [
        {"StreamArn": STREAM, "ShardId": "a", "ShardIteratorType": "TRIM_HORIZON"},
        {"StreamArn": STREAM, "ShardId": "a", "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "7"},
    ]


def replies_of(reader: ShardReader, count: int) -> list[list[dict[str, Any]] | None]:
    found = []
    for _ in range(count):
        reader.ask()
        found.append(reader.read())
    return found


def test_a_reader_follows_its_iterators_to_the_end_of_the_shard() -> None:
    more = {"Records": [{"n": 1}], "NextShardIterator": "j"}
    wire = FakeWire(scripted({"ShardIterator": "i"}, more, {"Records": []}))
    reader = ShardReader(wire, STREAM, "a", "")

    assert replies_of(reader, 2) == [None, [{"n": 1}]]
    assert not reader.has_ended
    assert replies_of(reader, 1) == [[]]
    assert reader.has_ended
    assert [request.get("ShardIterator") for _, request in wire.requests] == [None, "i", "j"]


def test_an_expired_iterator_is_renewed_from_the_last_record_that_was_passed_on() -> None:
    more = {"Records": [{"n": 1}], "NextShardIterator": "j"}
    expired = IteratorExpiredError("too late")
    wire = FakeWire(scripted({"ShardIterator": "i"}, more, expired, {"ShardIterator": "k"}))
    reader = ShardReader(wire, STREAM, "a", "")
    replies_of(reader, 2)
    reader.passed_on("7")

    replies_of(reader, 2)

    assert wire.requests[-1][1]["SequenceNumber"] == "7"
    assert reader.retries == 1


def test_a_reader_that_is_throttled_waits_and_asks_the_same_again() -> None:
    clock = StoppedClock()
    wire = FakeWire(scripted({"ShardIterator": "i"}, THROTTLED, {"Records": [], "NextShardIterator": "j"}), clock)
    reader = ShardReader(wire, STREAM, "a", "")

    assert replies_of(reader, 3) == [None, None, []]
    assert (reader.throttles, reader.retries, len(clock.slept)) == (1, 1, 1)
    assert [request.get("ShardIterator") for _, request in wire.requests] == [None, "i", "i"]


def test_a_reader_gives_up_when_nothing_but_failures_come() -> None:
    def fail(_: str, __: dict[str, Any]) -> dict[str, Any]:
        raise THROTTLED

    reader = ShardReader(FakeWire(fail), STREAM, "a", "")

    with pytest.raises(ServiceUnavailableError):
        replies_of(reader, 1000)


def test_an_abandoned_reader_leaves_nothing_on_its_way() -> None:
    wire = FakeWire(scripted({"ShardIterator": "i"}))
    reader = ShardReader(wire, STREAM, "a", "")
    reader.ask()

    reader.abandon()

    assert (wire.in_flight, wire.abandoned) == (0, 1)
