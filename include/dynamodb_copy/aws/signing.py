"""botocore's signature over headers that are a plain dict.

botocore keeps headers in an email message, whose policies cost more than the hashes do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from botocore.auth import SigV4Auth


@dataclass(slots=True)
class Unsigned:
    """What the signer looks at of a request."""

    url: str
    headers: dict[str, str]  # with Host; the signer adds to them
    body: bytes
    method: str = "POST"
    params: None = None
    context: dict[str, Any] = field(default_factory=dict)


class PlainSigner(SigV4Auth):
    """SigV4 for an `Unsigned`; every given header is signed."""

    def sign(self, request: Unsigned) -> None:
        """Add date, session token and signature to the request's headers."""
        untyped: Any = request
        self.add_auth(untyped)

    def headers_to_sign(self, request: Any) -> Any:
        """The headers by lower-case name."""
        return {name.lower(): value for name, value in request.headers.items()}

    def canonical_headers(self, headers_to_sign: Any) -> str:
        """One line per header, sorted; the values hold no runs of blanks."""
        return "\n".join([f"{name}:{headers_to_sign[name].strip()}" for name in sorted(headers_to_sign)])
