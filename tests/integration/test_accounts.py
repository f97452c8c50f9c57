"""Copies between accounts: through roles that are assumed, whose credentials come and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.credentials
import pytest

from dynamodb_copy.assembly import open_run
from dynamodb_copy.aws.clients import profile_client
from dynamodb_copy.errors import AccessError, ConnectionMissingError
from integration.pair import SOURCE_REGION, TARGET_REGION, TIMEOUTS, UNLIMITED, item_of, unseen
from integration.table_names import table_names
from job_texts import job_of
from stack.emulators import boto_client
from stack.fault_proxy import FaultProxy

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("small_pages")]

HOME, SOURCE, TARGET = "111111111111", "222222222222", "333333333333"


@pytest.fixture
def through(ministack_endpoint: str) -> Any:
    """A proxy that only watches."""
    with FaultProxy(ministack_endpoint) as proxy:
        yield proxy


@pytest.fixture
def roles(through: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles of one account's user who may assume a role in each of two others."""
    lines = [
        "[profile home]",
        f"aws_access_key_id = {HOME}",
        "aws_secret_access_key = emulator",
        "[profile broken]",
        f"role_arn = arn:aws:iam::{SOURCE}:role/copy",
    ]
    for name, account, region in (("from", SOURCE, SOURCE_REGION), ("to", TARGET, TARGET_REGION)):
        lines += [
            f"[profile {name}]",
            f"role_arn = arn:aws:iam::{account}:role/copy",
            "source_profile = home",
            "role_session_name = nightly",
            f"region = {region}",
            f"endpoint_url = {through.endpoint}",
        ]
    file = tmp_path / "config"
    file.write_text("\n".join(lines))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))


@pytest.fixture
def source(ministack_endpoint: str, table_name: str) -> Any:
    """A client in the source's account, where a table of 120 items is."""
    client = boto_client(ministack_endpoint, "dynamodb", SOURCE_REGION, account=SOURCE)
    client.create_table(
        TableName=table_name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for at in range(0, 120, 20):
        puts = [{"PutRequest": {"Item": item_of(number)}} for number in range(at, at + 20)]
        client.batch_write_item(RequestItems={table_name: puts})
    yield client
    client.close()


def job_between(table: str, source: str, target: str) -> Any:
    return job_of(
        from_={"table": table, "region": SOURCE_REGION, "connection": source},
        to_={"table": table, "region": TARGET_REGION, "connection": target},
        **UNLIMITED,
        segments=2,
    )


def copy_whole(table: str, run_id: str) -> Any:
    run = open_run(job_between(table, "from", "to"), run_id, profile_client, timeouts=TIMEOUTS)
    run.prepare()
    for segment in run.plan().segments:
        run.copy(segment, unseen)
    run.verify()
    return run.seal()


@pytest.mark.usefixtures("roles", "source")
def test_a_table_is_copied_from_one_account_to_another_by_two_roles(
    ministack_endpoint: str, table_name: str, through: FaultProxy
) -> None:
    report = copy_whole(table_name, f"{table_name}/accounts")

    assert report.verdict.outcome == "equal"
    assert f":{SOURCE}:" in report.source
    assert f":{TARGET}:" in report.target
    copied = boto_client(ministack_endpoint, "dynamodb", TARGET_REGION, account=TARGET)
    assert copied.scan(TableName=table_name, Select="COUNT")["Count"] == 120
    elsewhere = boto_client(ministack_endpoint, "dynamodb", TARGET_REGION, account=HOME)
    assert table_name not in table_names(elsewhere)
    assert through.count("BatchWriteItem") > 0


@pytest.mark.usefixtures("roles", "source")
def test_the_credentials_of_a_role_are_renewed_in_the_middle_of_a_segment(
    table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued: list[str] = []
    fetchers: Any = botocore.credentials.AssumeRoleCredentialFetcher
    assume = fetchers._get_credentials  # noqa: SLF001 - every AssumeRole

    def assume_for_a_moment(fetcher: Any) -> Any:
        response = assume(fetcher)
        issued.append(response["Credentials"]["AccessKeyId"])
        response["Credentials"]["Expiration"] = datetime.now(UTC) + timedelta(seconds=2)
        return response

    monkeypatch.setattr(botocore.credentials.AssumeRoleCredentialFetcher, "_get_credentials", assume_for_a_moment)

    report = copy_whole(table_name, f"{table_name}/renewed")

    assert report.verdict.outcome == "equal"
    assert len(set(issued)) > 10


@pytest.mark.usefixtures("roles")
def test_a_profile_that_does_not_exist_is_missing_not_replaced_by_other_credentials() -> None:
    with pytest.raises(ConnectionMissingError, match=r"'elsewhere'.*no such AWS profile"):
        profile_client("dynamodb", SOURCE_REGION, "elsewhere")


@pytest.mark.usefixtures("roles")
def test_a_profile_that_cannot_be_understood_is_an_error_that_names_it() -> None:
    with pytest.raises(AccessError, match=r"connection 'broken'.*credential"):
        profile_client("dynamodb", SOURCE_REGION, "broken")
