"""The one place that maps what AWS answers to our errors."""

from __future__ import annotations

import re
from http import HTTPStatus

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    ParamValidationError,
    SSLError,
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
    | {"LimitExceededException", "TransactionInProgressException", "ReplicatedWriteConflictException"}
)
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "KMSAccessDeniedException"})
_CREDENTIALS = frozenset(
    {"UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "InvalidClientTokenId"}
    | {"ExpiredTokenException", "ExpiredToken", "IncompleteSignatureException", "MissingAuthenticationTokenException"}
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
    """Map one error answer, by its code (empty if it has none) and HTTP status, to the error to raise."""
    text = f"{operation}: {code or f'HTTP {status}'}: {message}"
    if code in _THROTTLES or status == HTTPStatus.TOO_MANY_REQUESTS:
        return ServiceUnavailableError(text, throttled=True)
    if code in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return ServiceUnavailableError(text)
    if code in _DENIED:
        return AccessError(_denied_text(code, message, operation))
    if code in _CREDENTIALS:
        return AccessError(f"{text}; the connection's credentials are not accepted: renew or correct them")
    if not code:
        return AccessError(f"{text}: that is not DynamoDB's answer; correct the connection's endpoint or its proxy")
    return _NAMED.get(code, RequestRefusedError)(text)


def _denied_text(code: str, message: str, operation: str) -> str:
    named = _ACTION.search(message)
    action = named.group(1) if named else f"dynamodb:{operation}"
    return f"{action} is not permitted ({code}: {message}); allow this action to the connection's user or role"


def untrusted(operation: str, reason: str) -> AccessError:
    """The error to raise when an endpoint cannot prove who it is."""
    return AccessError(
        f"{operation}: {reason}: the endpoint's certificate is not trusted; name its CA bundle in the connection's "
        "`verify` or in AWS_CA_BUNDLE, or correct the endpoint's host name"
    )


def translated(error: Exception, operation: str) -> CopyError:
    """Map what a stock client raised to the error to raise."""
    if isinstance(error, ClientError):
        return _answered(error, operation)
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return untrusted(operation, str(error))
    if isinstance(error, BotoConnectionError | HTTPClientError | CredentialRetrievalError | MetadataRetrievalError):
        return ServiceUnavailableError(f"{operation}: {error}")
    if isinstance(error, ParamValidationError):
        return RequestRefusedError(f"{operation}: {error}")
    if isinstance(error, BotoCoreError):
        return AccessError(f"{operation}: {error}; complete the connection")
    raise error


def _answered(error: ClientError, operation: str) -> CopyError:
    answer = error.response.get("Error", {})
    code = answer.get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", HTTPStatus.BAD_REQUEST)
    spoken = "" if code.isdigit() else code  # botocore puts the status where an answer has no code
    return fault(spoken, answer.get("Message", str(error)), status=status, operation=operation)
