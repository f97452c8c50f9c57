from __future__ import annotations

from pathlib import Path

import pytest

from dynamodb_copy.aws.profiles import profile_region
from dynamodb_copy.errors import AccessError, ConnectionMissingError

CONFIG = """
[profile aws_oregon]
region = us-west-2

[profile aws_nowhere]
output = json
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config"
    file.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    return file


@pytest.mark.parametrize(("profile", "region"), [("aws_oregon", "us-west-2"), ("aws_nowhere", None)])
def test_a_profiles_region_is_what_its_own_section_says(
    monkeypatch: pytest.MonkeyPatch, profile: str, region: str | None
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert profile_region(profile) == region


def test_a_region_beside_the_credentials_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text("[keys]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    assert profile_region("keys") == "us-east-1"


def test_a_missing_profile_is_refused_with_what_to_add() -> None:
    with pytest.raises(ConnectionMissingError, match=r"there is no such AWS profile; add \[profile nobody\]"):
        profile_region("nobody")


def test_a_file_that_cannot_be_read_is_named(config: Path) -> None:
    config.write_text("no section\n")

    with pytest.raises(AccessError, match=str(config)):
        profile_region("aws_oregon")
