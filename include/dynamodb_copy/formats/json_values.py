"""Values out of JSON that somebody may have edited: each is checked as it is taken."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson

from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.model import BUCKETS, Digest

HASH_BYTES = 16
"""Of one bucket of a digest."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Raise BackupRefusedError, which calls the file `name`, for whatever its values turn out not to be."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise BackupRefusedError(
            f"{name}: is not what a backup holds there ({type(error).__name__}: {error!s:.200}); it was edited or "
            "damaged: use another backup"
        ) from error


def mapping(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object that a file is."""
    with reading(name):
        return object_of(orjson.loads(content))


def versioned(content: bytes, name: str, version: object) -> dict[str, Any]:
    """The JSON object that a file of that version is."""
    values = mapping(content, name)
    if (found := values.get("version")) != version:
        raise BackupRefusedError(
            f"{name}: found version {found!r:.80}; allowed: {version!r}: a newer release may read it"
        )
    return values


def check_output(values: dict[str, Any], name: str) -> None:
    """Raise BackupRefusedError for an export in another format than DYNAMODB_JSON."""
    if (output := values.get("outputFormat", "DYNAMODB_JSON")) != "DYNAMODB_JSON":
        raise BackupRefusedError(f"{name}: found outputFormat {output!r:.80}; allowed: DYNAMODB_JSON: export so")


def object_of(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise TypeError("no JSON object")
    return value


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def text_or_none(value: Any) -> str | None:
    """A text, or null."""
    return None if value is None else text(value)


def whole(value: Any) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r:.80} is no whole number")
    return value


def count(value: Any) -> int:
    """A whole number from 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r:.80} is no count")
    return value


def texts(value: Any) -> dict[str, str]:
    """A JSON object of texts."""
    return {name: text(each) for name, each in object_of(value).items()}


def digest_or_none(value: Any) -> Digest | None:
    """A digest in base64, or null."""
    return None if value is None else digest(value)


def digest(packed: str) -> Digest:
    """A digest in base64."""
    buckets = base64.b64decode(packed, validate=True)
    if len(buckets) != BUCKETS * HASH_BYTES:
        raise ValueError(f"a digest of {len(buckets)} bytes")
    return Digest.from_bytes(buckets)


def instant_text(value: Any) -> str:
    """A moment with an offset, in ISO 8601."""
    if datetime.fromisoformat(value).tzinfo is None:
        raise ValueError(f"{value!r} has no offset")
    return str(value)
