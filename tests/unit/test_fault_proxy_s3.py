"""The fault proxy before S3, whose requests and answers are framed in ways that DynamoDB's are not."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from stack.fault_proxy import FaultProxy
from unit.aws.buckets import new_bucket, s3


def connected_to(endpoint: str) -> socket.socket:
    address = urlsplit(endpoint)
    return socket.create_connection((address.hostname, address.port), timeout=5)


def test_requests_without_faults_pass_unchanged(ministack_endpoint: str) -> None:
    name = new_bucket(ministack_endpoint)
    with FaultProxy(ministack_endpoint) as proxy:
        client = s3(proxy.endpoint)

        client.put_object(Bucket=name, Key="a", Body=b"content")
        head = client.head_object(Bucket=name, Key="a")
        upload = client.create_multipart_upload(Bucket=name, Key="b")
        client.abort_multipart_upload(Bucket=name, Key="b", UploadId=upload["UploadId"])

        assert head["ContentLength"] == 7
        assert client.get_object(Bucket=name, Key="a")["Body"].read() == b"content"
        assert [exchange.status for exchange in proxy.exchanges] == [200, 200, 200, 204, 200]


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(ministack_endpoint: str) -> None:
    name = new_bucket(ministack_endpoint)
    signed = s3(ministack_endpoint).generate_presigned_url("put_object", Params={"Bucket": name, "Key": "a"})
    path = signed.removeprefix(ministack_endpoint)
    head = f"PUT {path} HTTP/1.1\r\nHost: s3\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"

    with FaultProxy(ministack_endpoint) as proxy, connected_to(proxy.endpoint) as client:
        client.sendall(head.encode())
        told = client.recv(1000)
        client.sendall(b"content")
        answered = client.recv(1000)

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answered.startswith(b"HTTP/1.1 200")
    assert s3(ministack_endpoint).get_object(Bucket=name, Key="a")["Body"].read() == b"content"
