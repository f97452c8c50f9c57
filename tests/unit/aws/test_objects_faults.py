"""A bucket whose service fails, refuses, or loses its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from io import BytesIO
from typing import Any

import pytest

from dynamodb_copy.aws.backoff import Clock, Patience
from dynamodb_copy.aws.faults import UploadGoneError
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import (
    AccessError,
    BackupRefusedError,
    BucketRefusedError,
    CopyError,
    RequestRefusedError,
    ServiceUnavailableError,
    TransientError,
)
from fakes import StoppedClock
from stack import proxy_faults as faults
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Fault, Rule
from stack.proxy_s3 import (
    lines,
    of_region,
    replaced_in_reply,
    replaced_in_request,
    s3_answers,
    s3_refuses,
    s3_refuses_head,
)
from unit.aws.buckets import Requests, bucket_at, new_bucket

CONTENT = bytes(range(256)) * 9000
SLOW_DOWN = s3_refuses("SlowDown", HTTPStatus.SERVICE_UNAVAILABLE, "Please reduce your request rate.")
DENIED = s3_refuses("AccessDenied", HTTPStatus.FORBIDDEN, "Access Denied")
FAULTS = {
    "half an answer": faults.truncated_body(),
    "no answer": faults.cut_before_forwarding(),
    "slow down": SLOW_DOWN,
    "unavailable": faults.service_unavailable(),
}
ENDED = {
    "gone": s3_refuses("NoSuchUpload", HTTPStatus.NOT_FOUND),
    "taken": s3_refuses("PreconditionFailed", HTTPStatus.PRECONDITION_FAILED),
}
ELSEWHERE = {
    "PermanentRedirect": HTTPStatus.MOVED_PERMANENTLY,
    "TemporaryRedirect": HTTPStatus.TEMPORARY_REDIRECT,
    "AuthorizationHeaderMalformed": HTTPStatus.BAD_REQUEST,
    "IllegalLocationConstraintException": HTTPStatus.BAD_REQUEST,
}


class Stage:
    """A bucket as it is, and the same bucket behind faults."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.name = new_bucket(endpoint)
        self.clock = StoppedClock()
        self.truth = bucket_at(endpoint, self.name)
        self.requests = Requests()

    @contextmanager
    def behind(self, *rules: Rule, name: str = "", clock: Clock | None = None, **options: Any) -> Iterator[Bucket]:
        """The bucket (or another) behind a proxy with these rules; what arrives there is remembered."""
        with FaultProxy(self.endpoint, self.requests.rule(), *rules) as proxy:
            yield bucket_at(proxy.endpoint, name or self.name, clock=clock or self.clock, **options)

    def sent(self, pattern: str) -> int:
        """How many requests began like that."""
        return sum(re.match(pattern, line) is not None for line in self.requests.lines())


@pytest.fixture
def stage(ministack_endpoint: str) -> Stage:
    return Stage(ministack_endpoint)


def struck(fault: Fault, pattern: str, *numbers: int) -> Rule:
    return Rule(fault, when=lines(pattern, *numbers))


@pytest.mark.parametrize("second", FAULTS)
def test_a_download_goes_on_where_its_connection_broke_off(stage: Stage, second: str) -> None:
    etag = stage.truth.put("part", CONTENT)
    file = BytesIO()

    with stage.behind(struck(faults.truncated_body(), "GET", 1), struck(FAULTS[second], "GET", 2)) as bucket:
        stored = bucket.download("part", file)

    assert stored == ("part", len(CONTENT), etag)
    assert file.getvalue() == CONTENT
    assert len(stage.clock.slept) == 2
    assert "range: bytes=" not in stage.requests.heads[0]
    assert f"range: bytes={len(CONTENT) // 2}-\r\n" in stage.requests.heads[1]
    assert all(f'if-match: "{etag}"\r\n' in head for head in stage.requests.heads[1:])


def test_a_download_that_never_begins_ends_with_patience(stage: Stage) -> None:
    stage.truth.put("part", CONTENT)

    with (
        stage.behind(struck(faults.cut_before_forwarding(), "GET")) as bucket,
        pytest.raises(ServiceUnavailableError, match="GetObject"),
    ):
        bucket.download("part", BytesIO())

    assert sum(stage.clock.slept) > Patience.total_seconds


@pytest.mark.parametrize("change", ["replace", "delete"])
def test_an_object_that_changes_while_it_is_downloaded_is_refused(stage: Stage, change: str) -> None:
    stage.truth.put("part", CONTENT)

    def meddle(_seconds: float) -> None:
        if change == "replace":
            stage.truth.put("part", b"x" * len(CONTENT))
        else:
            stage.truth.delete(["part"])

    with (
        stage.behind(struck(faults.truncated_body(), "GET", 1), clock=Clock(sleep=meddle)) as bucket,
        pytest.raises(BackupRefusedError, match=f"s3://{stage.name}/part: it was replaced or deleted"),
    ):
        bucket.download("part", BytesIO())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_small_object_is_read_again_from_its_beginning(stage: Stage, fault: str) -> None:
    stage.truth.put("manifest", b"content")

    with stage.behind(struck(FAULTS[fault], "GET", 1, 2)) as bucket:
        assert bucket.read("manifest", most_bytes=7) == b"content"

    assert stage.sent("get .*/manifest") == 3


def test_content_that_is_not_what_its_checksum_says_is_refused(stage: Stage) -> None:
    stage.truth.put("manifest", b"content")
    damaged = struck(replaced_in_reply(b"content", b"contemt"), "GET")

    with stage.behind(damaged) as bucket:
        for reads in (lambda: bucket.read("manifest", most_bytes=7), lambda: bucket.download("manifest", BytesIO())):
            with pytest.raises(BackupRefusedError, match=f"s3://{stage.name}/manifest: Expected checksum"):
                reads()


@pytest.mark.parametrize("once", [True, False])
def test_bytes_that_change_on_their_way_up_are_sent_again(stage: Stage, *, once: bool) -> None:
    damaged = struck(replaced_in_request(b"content", b"contemt"), "PUT", 1)

    with stage.behind(damaged) as bucket:
        (bucket.put_once if once else bucket.put)("manifest", b"content")

    assert stage.truth.read("manifest", most_bytes=7) == b"content"
    assert stage.sent("put") == 2


def test_a_damaged_piece_is_sent_again(stage: Stage) -> None:
    with stage.behind(struck(replaced_in_request(b"content", b"contemt"), "PUT", 1)) as bucket:
        upload = bucket.begin_upload("large")
        upload.add(1, b"content")
        upload.complete()

    assert stage.truth.read("large", most_bytes=7) == b"content"


def test_put_once_knows_what_it_wrote_when_the_answer_is_lost(stage: Stage) -> None:
    with stage.behind(struck(faults.cut_after_forwarding(), "PUT", 1)) as bucket:
        etag = bucket.put_once("part", b"mine")

    found = stage.truth.head("part")
    assert found is not None
    assert found.etag == etag
    assert [line.split()[0] for line in stage.requests.lines()] == ["put", "put", "head"]


def test_what_somebody_deletes_at_once_is_left_to_the_next_attempt(stage: Stage) -> None:
    with (
        stage.behind(struck(ENDED["taken"], "PUT")) as bucket,
        pytest.raises(UploadGoneError, match=f"s3://{stage.name}/part: what was uploaded is gone"),
    ):
        bucket.put_once("part", b"mine")


def test_put_repeats_itself_when_the_answer_is_lost(stage: Stage) -> None:
    with stage.behind(struck(faults.cut_after_forwarding(), "PUT", 1)) as bucket:
        bucket.put("part", b"mine")

    assert stage.truth.read("part", most_bytes=4) == b"mine"
    assert stage.sent("put") == 2


@pytest.mark.parametrize("ended", ENDED)
def test_complete_knows_what_it_made_when_the_answer_is_lost(stage: Stage, ended: str) -> None:
    lost = struck(faults.cut_after_forwarding(), "POST .*uploadId", 1)
    after = struck(ENDED[ended], "POST .*uploadId", 2)

    with stage.behind(lost, after) as bucket:
        upload = bucket.begin_upload("large")
        upload.add(1, b"content")
        etag = upload.complete()

    found = stage.truth.head("large")
    assert found is not None
    assert found.etag == etag
    assert stage.sent("post .*uploadid") == 2


def test_an_upload_that_a_conflict_ended_is_left_to_the_next_attempt(stage: Stage) -> None:
    conflict = struck(s3_refuses("ConditionalRequestConflict", HTTPStatus.CONFLICT), "POST .*uploadId", 1)
    ended = struck(ENDED["gone"], "POST .*uploadId", 2)

    with stage.behind(conflict, ended) as bucket:
        upload = bucket.begin_upload("large")
        upload.add(1, b"content")
        with pytest.raises(UploadGoneError, match="upload it again") as caught:
            upload.complete()

    assert isinstance(caught.value, TransientError)


@pytest.mark.parametrize("fault", ["no answer", "slow down", "unavailable"])
def test_every_request_is_tried_again_while_the_service_fails(stage: Stage, fault: str) -> None:
    with stage.behind(
        Rule(FAULTS[fault], when=faults.matching(lambda _: len(stage.requests.heads) % 2 == 0))
    ) as bucket:
        upload = bucket.begin_upload("large")
        upload.add(1, b"x")
        upload.complete()
        bucket.put_once("once", b"x")
        assert bucket.read("once", most_bytes=1) == b"x"
        assert [found.key for found in bucket.objects("")] == ["large", "once"]
        bucket.delete(["once"])
        assert bucket.head("once") is None
        bucket.abort_uploads("")
        bucket.check_private()

    assert len(stage.clock.slept) * 2 == len(stage.requests.heads) == 22


def test_a_service_that_only_says_slow_down_is_throttling(stage: Stage) -> None:
    with stage.behind(Rule(SLOW_DOWN)) as bucket, pytest.raises(ServiceUnavailableError, match="SlowDown") as caught:
        bucket.put("part", b"x")

    assert caught.value.throttled


@pytest.mark.parametrize("how", ["read", "put", "list", "upload", "delete", "check"])
def test_a_bucket_that_does_not_exist_is_refused_by_name_and_region(stage: Stage, how: str) -> None:
    with stage.behind(name="no-such-bucket") as bucket, pytest.raises(BucketRefusedError) as caught:
        {
            "read": lambda: bucket.read("part", most_bytes=1),
            "put": lambda: bucket.put("part", b"x"),
            "list": lambda: list(bucket.objects("")),
            "upload": lambda: bucket.begin_upload("part"),
            "delete": lambda: bucket.delete(["part"]),
            "check": bucket.check_private,
        }[how]()

    assert re.match(r"s3://no-such-bucket(/part)? \(us-east-1\): .*NoSuchBucket.*create the bucket", str(caught.value))


@pytest.mark.parametrize("code", ELSEWHERE)
def test_a_bucket_of_another_region_is_refused(stage: Stage, code: str) -> None:
    with stage.behind(Rule(of_region("eu-west-1", s3_refuses(code, ELSEWHERE[code])))) as bucket:
        with pytest.raises(BucketRefusedError, match=rf"{stage.name}/part \(us-east-1\): .*lies in another region"):
            bucket.put("part", b"x")
        with pytest.raises(BucketRefusedError, match="lies in another region"):
            list(bucket.objects(""))


@pytest.mark.parametrize(
    ("status", "expected", "text"),
    [
        (HTTPStatus.FORBIDDEN, AccessError, "s3:GetObject is not permitted"),
        (HTTPStatus.MOVED_PERMANENTLY, BucketRefusedError, "lies in another region"),
        (HTTPStatus.BAD_REQUEST, AccessError, "renew the connection's credentials, or correct its region"),
    ],
)
def test_an_answer_to_head_has_no_body_and_is_understood_by_its_status(
    stage: Stage, status: HTTPStatus, expected: type[CopyError], text: str
) -> None:
    answer = of_region("eu-west-1", s3_refuses_head(status))

    with stage.behind(Rule(answer)) as bucket, pytest.raises(expected, match=text):
        bucket.head("part")


def test_a_denied_request_names_the_action_the_object_and_the_expected_owner(stage: Stage) -> None:
    with stage.behind(Rule(DENIED), owner="210987654321") as bucket:
        with pytest.raises(AccessError) as caught:
            bucket.put("part", b"x")
        with pytest.raises(AccessError, match="s3:ListBucket is not permitted"):
            list(bucket.objects(""))
        with pytest.raises(AccessError, match="s3:PutObject is not permitted"):
            bucket.begin_upload("part")

    assert str(caught.value).startswith(
        f"s3://{stage.name}/part (us-east-1, owner 210987654321): s3:PutObject is not permitted (AccessDenied: "
    )
    assert "where another account owns the bucket" in str(caught.value)


def test_a_key_that_cannot_be_used_is_an_access_error(stage: Stage) -> None:
    disabled = s3_refuses("KMS.DisabledException", HTTPStatus.BAD_REQUEST, "arn:aws:kms:us-east-1:1:key/k is disabled.")

    with stage.behind(Rule(disabled)) as bucket, pytest.raises(AccessError, match=r"is disabled\.; enable the KMS key"):
        bucket.put("part", b"x")


def test_an_archived_object_is_refused_with_what_to_do(stage: Stage) -> None:
    archived = s3_refuses("InvalidObjectState", HTTPStatus.FORBIDDEN)

    with (
        stage.behind(Rule(archived)) as bucket,
        pytest.raises(BackupRefusedError, match=f"s3://{stage.name}/part .*: restore it to a class"),
    ):
        bucket.download("part", BytesIO())


def deletion_fails(code: str) -> Fault:
    error = f"<Error><Key>a&amp;b</Key><Code>{code}</Code><Message>why</Message></Error>"
    return s3_answers(f"<DeleteResult>{error}</DeleteResult>")


@pytest.mark.parametrize(
    ("code", "expected", "text"),
    [("AccessDenied", AccessError, "s3:DeleteObject is not permitted"), ("Odd", RequestRefusedError, "Odd")],
)
def test_an_object_that_cannot_be_deleted_is_named(
    stage: Stage, code: str, expected: type[CopyError], text: str
) -> None:
    with stage.behind(Rule(deletion_fails(code))) as bucket, pytest.raises(expected, match=text) as caught:
        bucket.delete(["a&b", "c"])

    assert f"s3://{stage.name}/a&b: why" in str(caught.value)


def test_an_object_that_cannot_be_deleted_now_is_deleted_later(stage: Stage) -> None:
    stage.truth.put("a", b"x")

    with stage.behind(struck(deletion_fails("InternalError"), "POST .*delete", 1)) as bucket:
        bucket.delete(["a"])

    assert stage.truth.head("a") is None
