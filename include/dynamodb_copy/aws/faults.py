"""The one place that maps what AWS answers to our errors."""

from __future__ import annotations

import re

from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from dynamodb_copy.errors import AccessError, CopyError, RequestRefusedError, ServiceUnavailableError, TableError

_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
)
_PASSING = frozenset(
    {"InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout"}
    | {"LimitExceededException", "TransactionInProgressException"}
)
_ACCESS = frozenset(
    {"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidSignatureException"}
    | {"ExpiredTokenException", "ExpiredToken", "IncompleteSignatureException", "MissingAuthenticationTokenException"}
    | {"InvalidClientTokenId", "KMSAccessDeniedException", "SignatureDoesNotMatch"}
)
_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


class ConditionFailedError(CopyError):
    """A conditional write found another state than it asked for."""


class ResourceMissingError(TableError):
    """The service knows no such table, index or backup."""


class ResourceInUseError(TableError):
    """The table is being created, changed or deleted, or exists already."""


_NAMED: dict[str, type[CopyError]] = {
    "ConditionalCheckFailedException": ConditionFailedError,
    "ResourceNotFoundException": ResourceMissingError,
    "ResourceInUseException": ResourceInUseError,
}


def fault(code: str, message: str, *, status: int, operation: str) -> CopyError:
    """Map one error answer, by its code and HTTP status, to the error to raise."""
    text = f"{operation}: {code or f'HTTP {status}'}: {message}"
    if code in _THROTTLES or status == 429:  # noqa: PLR2004 - Too Many Requests
        return ServiceUnavailableError(text, throttled=True)
    if code in _PASSING or status >= 500:  # noqa: PLR2004 - server errors
        return ServiceUnavailableError(text)
    if code in _ACCESS:
        return AccessError(_access_text(code, message, operation))
    return _NAMED.get(code, RequestRefusedError)(text)


def _access_text(code: str, message: str, operation: str) -> str:
    named = _ACTION.search(message)
    action = named.group(1) if named else f"dynamodb:{operation}"
    return f"{action} is not permitted ({code}: {message}); allow this action to the connection's user or role"


def translated(error: Exception, operation: str) -> CopyError:
    """Map what a stock client raised to the error to raise."""
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return fault(answer.get("Code", ""), answer.get("Message", str(error)), status=status, operation=operation)
    if isinstance(error, NoCredentialsError | TokenRetrievalError | NoRegionError):
        return AccessError(f"{operation}: {error}; complete the connection")
    if isinstance(error, BotoConnectionError | HTTPClientError):
        return ServiceUnavailableError(f"{operation}: {error}")
    raise error
