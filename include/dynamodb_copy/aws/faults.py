"""The one place that maps what AWS answers to our errors."""

from __future__ import annotations

import re
from http import HTTPStatus

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    ParamValidationError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from dynamodb_copy.errors import (
    AccessError,
    BackupRefusedError,
    BucketRefusedError,
    CopyError,
    RequestRefusedError,
    ServiceUnavailableError,
    TableError,
    TransientError,
)

_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
    | {"SlowDown", "KMS.ThrottlingException"}
)
_PASSING = frozenset(
    {"InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout"}
    | {"LimitExceededException", "TransactionInProgressException", "ReplicatedWriteConflictException"}
    | {"InternalError", "OperationAborted", "ConditionalRequestConflict"}
    | {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"}  # bytes that changed or were lost on their way
)
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "KMSAccessDeniedException"})
_CREDENTIALS = frozenset(
    {"UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "InvalidClientTokenId"}
    | {"ExpiredTokenException", "ExpiredToken", "IncompleteSignatureException", "MissingAuthenticationTokenException"}
    | {"InvalidAccessKeyId", "InvalidToken"}
)
_UNANSWERED = (
    *(BotoConnectionError, HTTPClientError, IncompleteReadError),
    *(CredentialRetrievalError, MetadataRetrievalError),
)
_DENIED_BY_S3 = (
    "S3 says so, too, where another account owns the bucket, and of an object that is missing where s3:ListBucket is "
    "not permitted"
)
_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


S3_ACTIONS = {
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectsV2": "s3:ListBucket",
    "DeleteObjects": "s3:DeleteObject",
    "GetBucketPolicyStatus": "s3:GetBucketPolicyStatus",
    "GetBucketAcl": "s3:GetBucketAcl",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
}
"""The permission that each operation of S3 needs.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

_HEAD_CODES = {301: "PermanentRedirect", 307: "PermanentRedirect", 403: "AccessDenied", 404: "NoSuchKey"}
"""What S3 would say if its answers to HEAD had a body."""


class ConditionFailedError(CopyError):
    """A conditional request found another state than it asked for."""


class ResourceMissingError(TableError):
    """The service knows no such table, index or backup."""


class ResourceInUseError(TableError):
    """The table is being created, changed or deleted, or exists already."""


class TrimmedError(CopyError):
    """A position in a stream is older than what the stream keeps."""


class IteratorExpiredError(CopyError):
    """A shard iterator was not used within its 15 minutes."""


class ObjectMissingError(BackupRefusedError):
    """The bucket has no such object."""


class UploadGoneError(TransientError):
    """An upload ended, and not by this call: somebody aborted it, or deleted what it made."""


class SettingMissingError(CopyError):
    """The bucket has no such setting."""


_NAMED: dict[str, type[CopyError]] = {
    "ConditionalCheckFailedException": ConditionFailedError,
    "ResourceNotFoundException": ResourceMissingError,
    "ResourceInUseException": ResourceInUseError,
    "TrimmedDataAccessException": TrimmedError,
    "ExpiredIteratorException": IteratorExpiredError,
    "PreconditionFailed": ConditionFailedError,
    "NoSuchKey": ObjectMissingError,
    "NoSuchUpload": UploadGoneError,
    "NoSuchBucketPolicy": SettingMissingError,
    "NoSuchPublicAccessBlockConfiguration": SettingMissingError,
    "NoSuchBucket": BucketRefusedError,
    "PermanentRedirect": BucketRefusedError,
    "TemporaryRedirect": BucketRefusedError,
    "AuthorizationHeaderMalformed": BucketRefusedError,
    "IllegalLocationConstraintException": BucketRefusedError,
    "InvalidObjectState": BackupRefusedError,
}
_WRONG_REGION = "; the bucket lies in another region: correct the region that the job or the connection gives"
_HINTS = {
    "NoSuchBucket": "; create the bucket or correct its name",
    "PermanentRedirect": _WRONG_REGION,
    "TemporaryRedirect": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "InvalidObjectState": "; the object is archived: restore it to a class that can be read at once",
}


def fault(code: str, message: str, *, status: int, operation: str) -> CopyError:
    """Map one error answer, by its code (empty if it has none) and HTTP status, to the error to raise."""
    text = f"{operation}: {code or f'HTTP {status}'}: {message}"
    if code in _NAMED:
        return _NAMED[code](text + _HINTS.get(code, ""))
    if _is_throttle(code, status, operation):
        return ServiceUnavailableError(text, throttled=True)
    if code in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return ServiceUnavailableError(text)
    if not code:
        return AccessError(f"{text}: {_without_code(status, operation)}")
    if code in _CREDENTIALS:
        return AccessError(f"{text}; the connection's credentials are not accepted: renew or correct them")
    return _refusal(code, message, status=status, operation=operation)


def _is_throttle(code: str, status: int, operation: str) -> bool:
    """S3 says 503 where DynamoDB says 400 with a code."""
    slowed = status == HTTPStatus.SERVICE_UNAVAILABLE and operation in S3_ACTIONS
    return code in _THROTTLES or status == HTTPStatus.TOO_MANY_REQUESTS or slowed


def _without_code(status: int, operation: str) -> str:
    if operation == "HeadObject" and status == HTTPStatus.BAD_REQUEST:
        return "S3 gives no reason here; renew the connection's credentials, or correct its region"
    service = "S3" if operation in S3_ACTIONS else "DynamoDB"
    return f"that is not {service}'s answer; correct the connection's endpoint or its proxy"


def _refusal(code: str, message: str, *, status: int, operation: str) -> CopyError:
    if code.startswith("KMS."):
        return AccessError(f"{operation}: {code}: {message}; enable the KMS key, or name one that can be used")
    if operation in S3_ACTIONS and (code in _DENIED or status == HTTPStatus.FORBIDDEN):
        return AccessError(f"{_denied_text(code, message, S3_ACTIONS[operation])}; {_DENIED_BY_S3}")
    if code in _DENIED:
        return AccessError(_denied_text(code, message, f"dynamodb:{operation}"))
    return RequestRefusedError(f"{operation}: {code}: {message}")


def _denied_text(code: str, message: str, action: str) -> str:
    named = _ACTION.search(message)
    denied = named.group(1) if named else action
    return f"{denied} is not permitted ({code}: {message}); allow this action to the connection's user or role"


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
    if isinstance(error, _UNANSWERED):
        return ServiceUnavailableError(f"{operation}: {error}")
    if isinstance(error, FlexibleChecksumError):
        return BackupRefusedError(f"{operation}: {error}; read it again, or go back to an earlier version of it")
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
    if not spoken and operation == "HeadObject":
        spoken = _HEAD_CODES.get(status, "")
    return fault(spoken, answer.get("Message", str(error)), status=status, operation=operation)
