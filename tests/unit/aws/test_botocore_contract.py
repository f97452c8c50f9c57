"""What the wire takes from botocore although botocore does not promise it."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.auth import SigV4Auth
from botocore.config import Config
from botocore.httpsession import get_cert_path

from unit.aws.wires import dynamodb

PROXY = "http://127.0.0.1:1"


def taken(client: Any, path: str) -> Any:
    """An attribute of the client, however deep."""
    try:
        return attrgetter(path)(client)
    except AttributeError as error:
        pytest.fail(
            f"botocore {botocore.__version__} has no client.{path} any more ({error}): find where it keeps that now, "
            "change aws/raw_json.py and this test, or pin the last botocore that had it"
        )


def test_a_client_keeps_its_credentials_where_the_wire_reads_them() -> None:
    credentials = taken(dynamodb("http://127.0.0.1:1"), "_request_signer._credentials")

    assert credentials.get_frozen_credentials().access_key == "123456789012"


def test_a_client_keeps_its_proxy_where_the_wire_reads_it() -> None:
    client = dynamodb("http://dynamodb.invalid", config=Config(proxies={"http": PROXY}))

    proxy_url_for = taken(client, "_endpoint.http_session._proxy_config.proxy_url_for")

    assert proxy_url_for("http://dynamodb.invalid/") == PROXY


@pytest.mark.parametrize("verify", [True, False, "/authorities.pem"])
def test_a_client_keeps_whom_it_trusts_where_the_wire_reads_it(verify: bool | str) -> None:  # noqa: FBT001 - as in boto3
    client = dynamodb("https://127.0.0.1:1", verify=verify)

    assert taken(client, "_endpoint.http_session._verify") == verify


def test_a_client_keeps_its_own_certificate_where_the_wire_reads_it() -> None:
    client = dynamodb("https://127.0.0.1:1", config=Config(client_cert=("/own.pem", "/own.key")))

    assert taken(client, "_endpoint.http_session._cert_file") == "/own.pem"
    assert taken(client, "_endpoint.http_session._key_file") == "/own.key"


def test_botocore_names_the_authorities_that_it_trusts_unless_told_otherwise() -> None:
    path_of: Any = get_cert_path  # its type knows no paths

    assert path_of(verify=False) is False
    assert path_of(verify="/authorities.pem") == "/authorities.pem"
    assert Path(path_of(verify=True)).is_file()


@pytest.mark.parametrize("hook", ["add_auth", "headers_to_sign", "canonical_headers"])
def test_botocores_signer_has_the_parts_that_ours_replaces(hook: str) -> None:
    if not callable(getattr(SigV4Auth, hook, None)):
        pytest.fail(f"botocore {botocore.__version__} has no SigV4Auth.{hook} any more: change aws/signing.py")
