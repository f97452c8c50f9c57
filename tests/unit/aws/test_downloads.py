"""A download whose connections break off wherever they like."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pytest
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import SSLError

from dynamodb_copy.aws.backoff import Patience
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.errors import ServiceUnavailableError
from fakes import StoppedClock


class BreakingService:
    """Sends no more than so many bytes by each connection, the last of them again and again."""

    def __init__(self, content: bytes, most_bytes: Sequence[int], clock: StoppedClock, *, slow_seconds: float) -> None:
        self._content = content
        self._most_bytes = list(most_bytes)
        self._clock = clock
        self._slow_seconds = slow_seconds

    def get_object(self, *, Range: str = "bytes=0-", **_: Any) -> dict[str, Any]:  # noqa: N803 - as S3 calls it
        """Answer GetObject."""
        self._clock.pass_by(self._slow_seconds)
        rest = self._content[int(Range.removeprefix("bytes=").removesuffix("-")) :]
        most_bytes = self._most_bytes.pop(0) if len(self._most_bytes) > 1 else self._most_bytes[0]
        body: Any = StreamingBody(BytesIO(rest[:most_bytes]), len(rest))
        return {"Body": body, "ContentLength": len(rest), "ETag": '"e"'}


@given(content=st.binary(max_size=40), most_bytes=st.lists(st.integers(0, 20), max_size=10))
def test_a_download_is_the_same_wherever_it_was_broken_off(content: bytes, most_bytes: list[int]) -> None:
    clock = StoppedClock()
    service = BreakingService(content, [*most_bytes, 7], clock, slow_seconds=0)
    file = BytesIO()

    stored = Bucket(service, "bucket", clock=clock).download("part", file)

    assert stored == ("part", len(content), "e")
    assert file.getvalue() == content


def test_patience_lasts_as_long_as_something_arrives() -> None:
    clock = StoppedClock()
    service = BreakingService(b"twelve bytes", [1], clock, slow_seconds=Patience.total_seconds / 2)
    file = BytesIO()

    Bucket(service, "bucket", clock=clock).download("part", file)

    assert file.getvalue() == b"twelve bytes"


def test_patience_ends_when_nothing_arrives() -> None:
    clock = StoppedClock()
    service = BreakingService(b"twelve bytes", [5, 0], clock, slow_seconds=Patience.total_seconds / 2)

    with pytest.raises(ServiceUnavailableError, match="s3://bucket/part: 0 read, but total bytes expected is 7"):
        Bucket(service, "bucket", clock=clock).download("part", BytesIO())


class BrokenRecord(BytesIO):
    """A stream whose TLS fails."""

    def read(self, _amount: int | None = None, /) -> bytes:
        """Raise what urllib3 does."""
        raise SSLError("decryption failed or bad record mac")


class BrokenService:
    """A service whose answers break off as botocore does not expect it."""

    def get_object(self, **_: Any) -> dict[str, Any]:
        """Answer GetObject."""
        body: Any = StreamingBody(BrokenRecord(), 5)
        return {"Body": body, "ContentLength": 5, "ETag": '"e"'}


def test_a_broken_tls_record_is_a_connection_that_broke_off() -> None:
    with pytest.raises(ServiceUnavailableError, match="s3://bucket/part: decryption failed"):
        Bucket(BrokenService(), "bucket", clock=StoppedClock()).read("part", most_bytes=5)
