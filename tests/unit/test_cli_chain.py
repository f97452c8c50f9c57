"""`chain`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dynamodb_copy import errors
from dynamodb_copy.chain_report import ChainReport, Problem
from dynamodb_copy.job import S3At
from unit.cli_shell import WHOLE, Shell

URI = "s3://dr-backups/orders"
PROFILE = ("--profile", "aws_oregon")
GAP = Problem("gap", "01768385930622-efd1a093", "it does not go on where another one ends")


@dataclass
class _Chains:
    """What is found, and what was asked for."""

    report: ChainReport = WHOLE
    failure: BaseException | None = None
    asked: list[tuple[S3At, bool]] = field(default_factory=list)

    def check(self, place: S3At, deep: bool) -> ChainReport:  # noqa: FBT001 - as the command line asks
        self.asked.append((place, deep))
        if self.failure:
            raise self.failure
        return self.report


@pytest.fixture
def chains() -> _Chains:
    return _Chains()


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], chains: _Chains) -> Shell:
    return Shell(tmp_path, capsys, profiles={"aws_oregon": "us-west-2", "aws_nowhere": None}, chains=chains.check)


def test_a_whole_chain_exits_with_0_and_prints_its_report(shell: Shell, chains: _Chains) -> None:
    assert shell.main("chain", URI, *PROFILE) == 0

    assert shell.output == WHOLE.render() + "\n"
    ((place, deep),) = chains.asked
    assert (place.bucket, place.prefix, place.region, place.connection, deep) == (
        *("dr-backups", "orders", "us-west-2", "aws_oregon"),
        False,
    )


def test_every_part_is_read_when_that_is_asked_for(shell: Shell, chains: _Chains) -> None:
    shell.main("chain", URI, *PROFILE, "--region", "eu-west-1", "--deep")

    ((place, deep),) = chains.asked
    assert (place.region, deep) == ("eu-west-1", True)


def test_any_problem_exits_with_1_and_the_report_is_printed_all_the_same(shell: Shell, chains: _Chains) -> None:
    chains.report = replace(WHOLE, problems=(GAP,))

    assert shell.main("chain", URI, *PROFILE) == 1

    assert GAP.text in shell.output
    assert shell.messages == ""


def test_a_report_is_one_json_object(shell: Shell, chains: _Chains) -> None:
    chains.report = replace(WHOLE, problems=(GAP,))

    assert shell.main("chain", URI, *PROFILE, "--json") == 1

    assert json.loads(shell.output) == chains.report.as_dict()


@pytest.mark.parametrize("error", [errors.BucketRefusedError, errors.AccessError, errors.ConnectionMissingError])
def test_a_bucket_that_is_not_served_is_bad_input(
    shell: Shell, chains: _Chains, error: type[errors.PermanentError]
) -> None:
    chains.failure = error("not so")

    assert shell.main("chain", URI, *PROFILE) == 2

    assert shell.messages == "not so\n"


def test_a_service_that_does_not_answer_is_a_failure(shell: Shell, chains: _Chains) -> None:
    chains.failure = errors.ServiceUnavailableError("503")

    assert shell.main("chain", URI, *PROFILE) == 1


def test_an_address_that_is_none_is_bad_input(shell: Shell) -> None:
    assert shell.main("chain", "dr-backups/orders", *PROFILE) == 2

    assert shell.messages.startswith("S3URI: found 'dr-backups/orders'; ")


def test_a_profile_without_a_region_is_bad_input(shell: Shell) -> None:
    assert shell.main("chain", URI, "--profile", "aws_nowhere") == 2

    assert shell.messages.startswith("--region: profile 'aws_nowhere' names no region")
