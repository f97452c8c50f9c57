"""`backups`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dynamodb_copy import errors
from dynamodb_copy.assembly import Listed, Listing
from dynamodb_copy.job import S3At
from unit.cli_shell import Shell

URI = "s3://dr-backups/orders"
FULL = Listed(
    id="01768385930622-efd1a093",
    kind="full",
    sealed=True,
    table="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    consistent="2026-11-25T02:00:04.120Z",
    began="2026-11-25T02:00:04.120Z",
    ended="2026-11-25T02:11:40.002Z",
    items=12_000,
    bytes=5_220_113,
    verified="2026-11-25T06:01:30+00:00",
    problem="",
)
NOT_KNOWN = Listed(
    id="01768385930999-00000000",
    kind="unsealed",
    sealed=False,
    table=None,
    consistent=None,
    began=None,
    ended=None,
    items=None,
    bytes=None,
    verified=None,
    problem="",
)
DAMAGED = replace(
    FULL, id="01768385930777-dddddddd", kind="damaged", verified="never", problem="table.json: is missing"
)


@dataclass
class _Bucket:
    """What is listed, and where it was looked for."""

    backups: tuple[Listed, ...] = (FULL,)
    notes: tuple[str, ...] = ()
    failure: BaseException | None = None
    asked: list[S3At] = field(default_factory=list)

    def listing(self, place: S3At) -> Listing:
        self.asked.append(place)
        if self.failure:
            raise self.failure
        return Listing(URI, self.backups, self.notes)


@pytest.fixture
def bucket() -> _Bucket:
    return _Bucket()


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], bucket: _Bucket) -> Shell:
    profiles = {"aws_oregon": "us-west-2", "aws_nowhere": None}
    return Shell(tmp_path, capsys, profiles=profiles, listing=bucket.listing)


def test_each_backup_is_a_row(shell: Shell) -> None:
    shell.columns = 140

    assert shell.main("backups", URI, "--profile", "aws_oregon") == 0

    headline, _, headings, _, row = shell.output.splitlines()
    assert headline == f"{URI}: us-east-1/orders, 1 full; times are UTC"
    assert headings.split() == ["id", "kind", "consistent", "span", "items", "size", "verified"]
    assert " ".join(row.split()) == (
        "01768385930622-efd1a093 full 2026-11-25 02:00:04 02:00:04 .. 02:11:40 12,000 5.2 MB 2026-11-25 06:01:30"
    )


def test_what_is_not_known_is_left_empty(shell: Shell, bucket: _Bucket) -> None:
    bucket.backups = (NOT_KNOWN,)

    assert shell.main("backups", URI, "--profile", "aws_oregon") == 0

    assert shell.output.splitlines()[0] == f"{URI}: 1 unsealed; times are UTC"
    assert shell.output.splitlines()[-1].split() == ["01768385930999-00000000", "unsealed"]


def test_backups_of_several_tables_show_whose_they_are(shell: Shell, bucket: _Bucket) -> None:
    bucket.backups = (FULL, replace(FULL, table="arn:aws:dynamodb:eu-west-1:123456789012:table/carts"))
    shell.columns = 140

    shell.main("backups", URI, "--profile", "aws_oregon")

    assert shell.output.splitlines()[0] == f"{URI}: 2 full; times are UTC"
    assert [line.split()[-1] for line in shell.output.splitlines()[-2:]] == ["us-east-1/orders", "eu-west-1/carts"]


def test_a_scan_over_midnight_shows_the_second_day(shell: Shell, bucket: _Bucket) -> None:
    bucket.backups = (replace(FULL, ended="2026-11-26T00:10:00Z"),)
    shell.columns = 140

    shell.main("backups", URI, "--profile", "aws_oregon")

    assert "02:00:04 .. 2026-11-26 00:10:00" in shell.output


def test_the_problems_of_damaged_ones_and_what_is_to_be_known_follow(shell: Shell, bucket: _Bucket) -> None:
    bucket.backups, bucket.notes = (FULL, DAMAGED), ("verified is unknown: there is no state table",)

    assert shell.main("backups", URI, "--profile", "aws_oregon") == 0

    assert shell.output.splitlines()[-2:] == [
        "01768385930777-dddddddd: table.json: is missing",
        "verified is unknown: there is no state table",
    ]


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_a_table_is_as_wide_as_it_may_be_and_ids_are_never_cut(shell: Shell, bucket: _Bucket, columns: int) -> None:
    bucket.backups = (FULL, DAMAGED, replace(FULL, kind="incremental"))
    shell.columns = columns

    shell.main("backups", URI, "--profile", "aws_oregon")

    assert max(map(len, shell.output.splitlines())) <= columns
    for each in (FULL.id, DAMAGED.id, "incremental"):
        assert each in shell.output


def test_an_arn_that_is_none_is_shown_as_it_is(shell: Shell, bucket: _Bucket) -> None:
    bucket.backups = (replace(FULL, table="orders"),)

    shell.main("backups", URI, "--profile", "aws_oregon")

    assert shell.output.startswith(f"{URI}: orders, 1 full")


def test_json_holds_all_that_is_known(shell: Shell, bucket: _Bucket) -> None:
    bucket.backups = (FULL, NOT_KNOWN)

    assert shell.main("backups", URI, "--profile", "aws_oregon", "--json") == 0

    assert json.loads(shell.output) == bucket.listing(bucket.asked[0]).as_dict()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_empty_list_is_a_good_one(shell: Shell, bucket: _Bucket, options: tuple[str, ...]) -> None:
    bucket.backups = ()

    assert shell.main("backups", URI, "--profile", "aws_oregon", *options) == 0

    empty = {"uri": URI, "backups": [], "notes": []}
    said = f"{URI}: no backups; they lie in AWSDynamoDB/ below a prefix: name the prefix above it"
    assert shell.output == f"{json.dumps(empty) if options else said}\n"


@pytest.mark.parametrize(("options", "region"), [((), "us-west-2"), (("--region", "eu-west-1"), "eu-west-1")])
def test_the_region_is_the_profiles_unless_one_is_given(
    shell: Shell, bucket: _Bucket, options: tuple[str, ...], region: str
) -> None:
    shell.main("backups", f"{URI}/", "--profile", "aws_oregon", *options)

    (place,) = bucket.asked
    assert (place.bucket, place.prefix, place.region, place.connection) == (
        "dr-backups",
        "orders",
        region,
        "aws_oregon",
    )


def test_a_profile_without_a_region_exits_with_2_and_advice(shell: Shell, bucket: _Bucket) -> None:
    assert shell.main("backups", URI, "--profile", "aws_nowhere") == 2

    assert shell.messages.startswith("--region: profile 'aws_nowhere' names no region; give --region, or add")
    assert bucket.asked == []


def test_every_argument_that_cannot_be_is_named(shell: Shell, bucket: _Bucket) -> None:
    status = shell.main("backups", "dr-backups/orders", "--profile", "a profile", "--region", "Oregon")

    assert status == 2
    assert [line.partition(":")[0] for line in shell.messages.splitlines()] == ["S3URI", "--region", "--profile"]
    assert bucket.asked == []


@pytest.mark.parametrize("arguments", [[], [URI], ["--profile", "aws_oregon"]])
def test_missing_arguments_exit_with_2(shell: Shell, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        shell.main("backups", *arguments)

    assert exited.value.code == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ConnectionMissingError, 2),
        (errors.BucketRefusedError, 2),
        (errors.AccessError, 2),
        (errors.ServiceUnavailableError, 1),
    ],
)
def test_what_fails_is_said_and_decides_the_exit_status(
    shell: Shell, bucket: _Bucket, error: type[errors.CopyError], status: int
) -> None:
    bucket.failure = error("not so")

    assert shell.main("backups", URI, "--profile", "aws_oregon", "--json") == status

    assert shell.messages == "not so\n"
    assert json.loads(shell.output) == {"error": error.__name__, "message": "not so"}


def test_ctrl_c_ends_it(shell: Shell, bucket: _Bucket) -> None:
    bucket.failure = KeyboardInterrupt()

    assert shell.main("backups", URI, "--profile", "aws_oregon", "--json") == 130

    assert (shell.messages, shell.output) == ("interrupted\n", "")
