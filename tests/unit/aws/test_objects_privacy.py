"""Who else may see a bucket, against an emulator that knows policies and access control lists."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from dynamodb_copy.errors import AccessError, BucketRefusedError
from stack.fault_proxy import FaultProxy
from stack.proxy_faults import Rule
from stack.proxy_s3 import lines, s3_refuses
from unit.aws.buckets import bucket_at, new_bucket, s3


@pytest.fixture
def name(moto_endpoint: str) -> str:
    return new_bucket(moto_endpoint)


def policy(name: str, principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_bucket_without_policy_grants_and_block_is_private(moto_endpoint: str, name: str) -> None:
    bucket_at(moto_endpoint, name).check_private()


def test_a_policy_for_one_account_keeps_a_bucket_private(moto_endpoint: str, name: str) -> None:
    s3(moto_endpoint).put_bucket_policy(Bucket=name, Policy=policy(name, {"AWS": "arn:aws:iam::123456789012:root"}))

    bucket_at(moto_endpoint, name).check_private()


def test_a_bucket_with_a_public_policy_is_refused(moto_endpoint: str, name: str) -> None:
    s3(moto_endpoint).put_bucket_policy(Bucket=name, Policy=policy(name, "*"))

    with pytest.raises(BucketRefusedError, match=f"s3://{name}: its bucket policy makes it public"):
        bucket_at(moto_endpoint, name).check_private()


@pytest.mark.parametrize("granted", ["public-read", "public-read-write", "authenticated-read"])
def test_a_bucket_that_is_granted_to_everybody_is_refused(moto_endpoint: str, name: str, granted: str) -> None:
    s3(moto_endpoint).put_bucket_acl(Bucket=name, ACL=granted)

    with pytest.raises(BucketRefusedError, match=f"s3://{name}: its access control list grants access to everybody"):
        bucket_at(moto_endpoint, name).check_private()


@pytest.mark.parametrize("ignored", [True, False])
def test_a_grant_to_everybody_is_no_matter_where_it_is_ignored(moto_endpoint: str, name: str, *, ignored: bool) -> None:
    client = s3(moto_endpoint)
    client.put_bucket_acl(Bucket=name, ACL="public-read")
    block = {"IgnorePublicAcls": ignored, "BlockPublicAcls": True}
    client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)

    if ignored:
        bucket_at(moto_endpoint, name).check_private()
    else:
        with pytest.raises(BucketRefusedError):
            bucket_at(moto_endpoint, name).check_private()


@pytest.mark.parametrize(
    ("query", "action"),
    [
        ("policyStatus", "s3:GetBucketPolicyStatus"),
        ("acl", "s3:GetBucketAcl"),
        ("publicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ],
)
def test_what_may_not_be_looked_at_is_named(moto_endpoint: str, name: str, query: str, action: str) -> None:
    s3(moto_endpoint).put_bucket_acl(Bucket=name, ACL="public-read")
    denied = Rule(s3_refuses("AccessDenied", HTTPStatus.FORBIDDEN), when=lines(rf"GET [^ ]*\?{query} "))

    with FaultProxy(moto_endpoint, denied) as proxy, pytest.raises(AccessError, match=f"{action} is not permitted"):
        bucket_at(proxy.endpoint, name).check_private()


def test_a_bucket_that_does_not_exist_is_refused(moto_endpoint: str) -> None:
    with pytest.raises(BucketRefusedError, match="s3://no-such-bucket"):
        bucket_at(moto_endpoint, "no-such-bucket").check_private()
