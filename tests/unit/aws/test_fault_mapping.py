"""What AWS answers, and the error that it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    UnauthorizedSSOTokenError,
)

from dynamodb_copy.aws.faults import (
    S3_ACTIONS,
    ConditionFailedError,
    ObjectMissingError,
    ResourceInUseError,
    ResourceMissingError,
    SettingMissingError,
    UploadGoneError,
    fault,
    translated,
)
from dynamodb_copy.errors import (
    AccessError,
    BackupRefusedError,
    BucketRefusedError,
    CopyError,
    PermanentError,
    RequestRefusedError,
    ServiceUnavailableError,
    TransientError,
)

URL = "https://dynamodb"


def of(code: str, message: str = "", *, status: int = 400) -> CopyError:
    return fault(code, message, status=status, operation="Scan")


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded"],
)
def test_throttling_is_transient_and_known_as_such(code: str) -> None:
    error = of(code)

    assert isinstance(error, ServiceUnavailableError)
    assert error.throttled


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InternalServerError", 500),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
        ("LimitExceededException", 400),
        ("TransactionInProgressException", 400),
        ("ReplicatedWriteConflictException", 400),
        ("", 500),
        ("", 502),
        ("", 503),
        ("", 408),
        ("SomethingNew", 500),
    ],
)
def test_what_may_pass_is_transient_and_no_throttling(code: str, status: int) -> None:
    error = of(code, status=status)

    assert isinstance(error, TransientError)
    assert isinstance(error, ServiceUnavailableError)
    assert not error.throttled


def test_a_denied_action_is_named_as_the_service_names_it() -> None:
    message = "User: arn:aws:sts::1:assumed-role/copy/x is not authorized to perform: kms:Decrypt on resource: key"

    error = of("AccessDeniedException", message)

    assert isinstance(error, AccessError)
    assert str(error).startswith("kms:Decrypt is not permitted")


def test_a_denied_action_that_the_service_does_not_name_is_the_operation_itself() -> None:
    assert "dynamodb:Scan is not permitted" in str(of("AccessDeniedException", "no"))


@pytest.mark.parametrize(
    "code",
    [
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "InvalidClientTokenId",
        "ExpiredTokenException",
        "ExpiredToken",
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
    ],
)
def test_credentials_that_are_not_accepted_are_no_missing_permission(code: str) -> None:
    error = of(code, "The security token included in the request is expired")

    assert isinstance(error, AccessError)
    assert "credentials are not accepted: renew or correct them" in str(error)
    assert "permitted" not in str(error)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ConditionalCheckFailedException", ConditionFailedError),
        ("ResourceNotFoundException", ResourceMissingError),
        ("ResourceInUseException", ResourceInUseError),
        ("ValidationException", RequestRefusedError),
        ("ItemCollectionSizeLimitExceededException", RequestRefusedError),
        ("SomethingNew", RequestRefusedError),
    ],
)
def test_every_other_code_has_its_own_error(code: str, expected: type[CopyError]) -> None:
    error = of(code, "why")

    assert type(error) is expected
    assert str(error) == f"Scan: {code}: why"


@pytest.mark.parametrize("status", [301, 403, 404, 407, 413])
def test_an_answer_without_a_code_did_not_come_from_dynamodb(status: int) -> None:
    error = of("", "Forbidden", status=status)

    assert isinstance(error, AccessError)
    assert f"Scan: HTTP {status}: Forbidden: that is not DynamoDB's answer" in str(error)


def of_s3(code: str, message: str = "why", *, status: int = 400, operation: str = "UploadPart") -> CopyError:
    return fault(code, message, status=status, operation=operation)


@pytest.mark.parametrize(
    ("code", "status"),
    [("SlowDown", 503), ("SlowDown", 200), ("ServiceUnavailable", 503), ("", 503), ("KMS.ThrottlingException", 400)],
)
def test_s3_throttles_by_its_own_codes_and_by_status(code: str, status: int) -> None:
    error = of_s3(code, status=status)

    assert isinstance(error, ServiceUnavailableError)
    assert error.throttled


@pytest.mark.parametrize(
    "code",
    [
        "InternalError",
        "OperationAborted",
        "ConditionalRequestConflict",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "IncompleteBody",
        "RequestTimeout",
    ],
)
def test_what_may_pass_at_s3_is_transient_and_no_throttling(code: str) -> None:
    error = of_s3(code)

    assert isinstance(error, ServiceUnavailableError)
    assert not error.throttled


@pytest.mark.parametrize(
    ("code", "expected", "hint"),
    [
        ("PreconditionFailed", ConditionFailedError, ""),
        ("NoSuchKey", ObjectMissingError, ""),
        ("NoSuchUpload", UploadGoneError, ""),
        ("NoSuchBucketPolicy", SettingMissingError, ""),
        ("NoSuchPublicAccessBlockConfiguration", SettingMissingError, ""),
        ("NoSuchBucket", BucketRefusedError, "create the bucket or correct its name"),
        ("PermanentRedirect", BucketRefusedError, "correct the region"),
        ("InvalidObjectState", BackupRefusedError, "restore it to a class that can be read at once"),
        ("EntityTooSmall", RequestRefusedError, ""),
    ],
)
def test_every_other_code_of_s3_has_its_own_error(code: str, expected: type[CopyError], hint: str) -> None:
    error = of_s3(code)

    assert type(error) is expected
    assert str(error).startswith(f"UploadPart: {code}: why")
    assert hint in str(error)


@pytest.mark.parametrize("code", ["AccessDenied", "AllAccessDisabled"])
@pytest.mark.parametrize("operation", S3_ACTIONS)
def test_every_operation_of_s3_that_is_forbidden_names_its_permission(operation: str, code: str) -> None:
    error = of_s3(code, status=403, operation=operation)

    assert isinstance(error, AccessError)
    assert str(error).startswith(f"{S3_ACTIONS[operation]} is not permitted ({code}: why)")


def test_a_permission_that_s3_names_is_believed() -> None:
    message = "User: x is not authorized to perform: kms:GenerateDataKey on resource: key"

    assert str(of_s3("AccessDenied", message, status=403)).startswith("kms:GenerateDataKey is not permitted")


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InvalidToken", "ExpiredToken", "SignatureDoesNotMatch"])
def test_credentials_that_s3_does_not_accept_are_no_missing_permission(code: str) -> None:
    assert "credentials are not accepted: renew or correct them" in str(of_s3(code, status=403))


def test_a_key_of_kms_that_cannot_be_used_is_an_access_error() -> None:
    error = of_s3("KMS.DisabledException")

    assert isinstance(error, AccessError)
    assert "enable the KMS key" in str(error)


@pytest.mark.parametrize("status", [301, 403, 404])
def test_an_answer_with_neither_code_nor_reason_for_it_did_not_come_from_s3(status: int) -> None:
    error = translated(client_error(str(status), status=status), "PutObject")

    assert isinstance(error, AccessError)
    assert "that is not S3's answer" in str(error)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, BucketRefusedError),
        (307, BucketRefusedError),
        (400, AccessError),
        (403, AccessError),
        (404, ObjectMissingError),
        (500, ServiceUnavailableError),
    ],
)
def test_an_answer_to_head_is_known_by_its_status(status: int, expected: type[CopyError]) -> None:
    assert type(translated(client_error(str(status), status=status), "HeadObject")) is expected


def client_error(code: str, *, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DescribeTable")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (client_error("ResourceNotFoundException"), ResourceMissingError),
        (client_error("ThrottlingException"), ServiceUnavailableError),
        (client_error("503", status=503), ServiceUnavailableError),
        (client_error("403", status=403), AccessError),
        (client_error("AccessDeniedException"), AccessError),
        (EndpointConnectionError(endpoint_url=URL), ServiceUnavailableError),
        (ConnectTimeoutError(endpoint_url=URL), ServiceUnavailableError),
        (ReadTimeoutError(endpoint_url=URL), ServiceUnavailableError),
        (ProxyConnectionError(proxy_url="http://proxy"), ServiceUnavailableError),
        (SSLError(endpoint_url=URL, error=OSError("[SSL: UNEXPECTED_EOF_WHILE_READING]")), ServiceUnavailableError),
        (SSLError(endpoint_url=URL, error=OSError("[SSL: CERTIFICATE_VERIFY_FAILED] no")), AccessError),
        (MetadataRetrievalError(error_msg="no"), ServiceUnavailableError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), ServiceUnavailableError),
        (FlexibleChecksumError(error_msg="Expected checksum"), BackupRefusedError),
        (NoCredentialsError(), AccessError),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), AccessError),
        (UnauthorizedSSOTokenError(), AccessError),
        (NoRegionError(), AccessError),
        (ParamValidationError(report="Invalid length"), RequestRefusedError),
    ],
)
def test_what_a_stock_client_raises_becomes_one_of_our_errors(raised: Exception, expected: type[CopyError]) -> None:
    error = translated(raised, "DescribeTable")

    assert type(error) is expected
    assert isinstance(error, PermanentError) is not isinstance(error, TransientError)
    assert "DescribeTable" in str(error)


def test_a_programming_error_is_not_disguised() -> None:
    with pytest.raises(TypeError, match="a bug"):
        translated(TypeError("a bug"), "DescribeTable")
